// The app itself: its Home, as it publishes it for the person, and the direct messages with it.

import { get, order } from "../api.js";
import { renderBlock } from "../blocks/index.js";
import { Scope } from "../bus.js";
import { h, refill } from "../dom.js";
import { toast } from "../notices.js";
import { hash } from "../routes.js";
import { homes, me } from "../store.js";
import { avatar } from "./avatar.js";
import { backTo } from "./conversation.js";
import { botName } from "./sidebar.js";

const TABS = [["home", "Home"], ["messages", "Messages"]];

/** The heading over both tabs. */
export function appHeader(tab) {
  const links = TABS.map(([name, title]) => h("a", { class: "tab", href: hash(["app", name]), "aria-current": name === tab ? "page" : null }, title));
  return h("header", { class: "pane-head app-head" }, backTo(["chat"], "All conversations"), h("h1", {}, avatar(botName(), { bot: true, size: "small" }), botName()), h("nav", { class: "tabs", "aria-label": "The app" }, links));
}

/** Tell the app that a tab was opened. */
export function openTab(tab) {
  return order("/api/slack/home", { user: me().id, tab });
}

export class Home {
  #scope = new Scope();

  constructor() {
    this.body = h("div", { class: "home-body", tabindex: "0", role: "group", "aria-label": "Home" }, h("p", { class: "empty" }, "The app is asked for its Home …"));
    this.element = h("section", { class: "conversation pane home", "aria-label": "Home of the app" }, appHeader("home"), this.body);
    this.#scope.on("home", (data) => data.user === me().id && this.#show(data.view));
    this.#load();
  }

  destroy() {
    this.#scope.end();
  }

  async #load() {
    const known = homes.get(me().id) || (await get("/api/slack/home", { user: me().id }).catch(() => ({}))).view;
    if (known) this.#show(known);
    await openTab("home");
    if (!known && !homes.has(me().id)) {
      refill(this.body, h("p", { class: "empty" }, "The app was told that you are here, and has not shown a Home yet."));
    }
  }

  #show(view) {
    homes.set(me().id, view);
    const context = { act: (element, block, value) => act(element, value), level: 2 };
    refill(this.body, h("div", { class: "home-blocks" }, view.blocks.map((block) => renderBlock(block, context))));
  }
}

async function act(element, value) {
  const body = { user: me().id, view: "home", action_id: element.action_id };
  const answer = await order("/api/slack/actions", value === undefined ? body : { ...body, value });
  if (answer && !answer.delivered) toast("Nobody took the click: the bot is not connected.");
}
