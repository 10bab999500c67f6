// Begins: waits until Slack is there, draws the frame, and shows what the address says.

import { ChatPanel } from "./chat/panel.js";
import { ConfluencePanel } from "./confluence.js";
import { h, icon, refill } from "./dom.js";
import { FleetPanel } from "./fleet/panel.js";
import { PagerDutyPanel } from "./pagerduty.js";
import { current, go, hash } from "./routes.js";
import { begin } from "./store.js";
import { connect } from "./stream.js";
import { buildTop } from "./top.js";

const PLACES = [
  ["chat", "Chat", "chat", ChatPanel],
  ["fleet", "Fleet", "fleet", FleetPanel],
  ["pagerduty", "PagerDuty", "bell", PagerDutyPanel],
  ["confluence", "Confluence", "book", ConfluencePanel],
];
const TRY_EVERY = 500; // milliseconds

const panels = new Map();

function show() {
  const words = current();
  const name = words[0] === "app" ? "chat" : words[0];
  const place = PLACES.find(([each]) => each === name);
  if (!place) {
    go(["chat"], { replace: true });
    return;
  }
  const [id, title, , Panel] = place;
  if (!panels.has(id)) panels.set(id, new Panel());
  const panel = panels.get(id);
  const main = document.getElementById("main");
  if (main.firstElementChild !== panel.element) refill(main, panel.element);
  document.title = `${title} · SRE Bot sandbox`;
  document.body.dataset.place = id;
  for (const link of document.querySelectorAll("#rail a")) {
    if (link.dataset.place === id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  panel.show(words);
}

function buildRail(rail) {
  refill(rail, PLACES.map(([id, title, drawing]) => h("a", { class: "place", href: hash([id]), "data-place": id }, icon(drawing), h("span", {}, title))));
}

async function start() {
  while (!(await begin().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, TRY_EVERY));
  buildTop(document.getElementById("top"));
  buildRail(document.getElementById("rail"));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address after the # is the page's own
    document.getElementById("main").focus();
  });
  connect();
  addEventListener("hashchange", show);
  show();
}

start();
