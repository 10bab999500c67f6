// The line above everything: what is simulated, what thinks, and how the fleet is.

import { on } from "./bus.js";
import { h, refill } from "./dom.js";
import { hash } from "./routes.js";
import { parts, seen } from "./store.js";

const STATES = { ok: "healthy", warning: "degraded", critical: "failing", unknown: "no figures" };
const TITLES = { slack: "Slack", fleet: "fleet", prometheus: "Prometheus", bot: "bot" };

/** Fill the top line, and keep it up to date. */
export function buildTop(element) {
  const about = h("div", { class: "about" });
  const vitals = h("a", { class: "vitals", href: hash(["fleet"]) });
  const lost = h("p", { class: "lost", role: "status" });
  refill(element, about, vitals, lost);
  showAbout(about);
  on("parts", () => showAbout(about));
  on("fleet", (fleet) => showVitals(vitals, fleet));
  on("connection", (up) => {
    lost.textContent = up ? "" : "The connection to the sandbox is lost; trying again. If it has ended, `make demo` starts it again.";
    element.classList.toggle("is-lost", !up);
  });
  if (seen.fleet) showVitals(vitals, seen.fleet);
}

function showAbout(element) {
  const starting = Object.keys(TITLES).filter((name) => parts.up[name] === false);
  const thinker = parts.model ? `Claude (${parts.model})` : "a scripted playbook, not Claude";
  const short = parts.model ? "Claude" : "scripted playbook";
  const before = element.querySelector("details");
  refill(
    element,
    h(
      "details",
      { open: before?.open || false },
      h("summary", {}, h("b", {}, "Simulated"), " · ", h("span", { class: "about-word" }, "model: "), short),
      h(
        "div",
        { class: "about-more" },
        h("p", {}, h("b", {}, "Simulated: "), "Slack, PagerDuty, Confluence, the people in them, and the fleet of services. They run on this machine and speak the real protocols."),
        h("p", {}, h("b", {}, "Real: "), "the bot, its tools, its approvals and its database; Prometheus, and what it measures."),
        h("p", {}, h("b", {}, "The model is "), thinker, parts.model ? "." : ". It follows a script through real tool calls; with ANTHROPIC_API_KEY set, Claude investigates instead."),
      ),
    ),
    starting.length ? h("span", { class: "starting-parts", role: "status" }, `Starting: ${starting.map((name) => TITLES[name]).join(", ")} …`) : null,
  );
}

function showVitals(element, fleet) {
  if (fleet.refused) return;
  const items = fleet.services.map((service) => {
    const { error_rate: errors } = service.signals;
    const figure = errors?.value ? ` ${(errors.value * 100).toFixed(errors.value < 0.1 ? 1 : 0)} %` : "";
    return h("span", { class: `vital ${service.state}` }, h("i", { class: "dot", "aria-hidden": "true" }), h("span", { class: "vital-name" }, service.name), h("span", { class: "vital-figure" }, figure));
  });
  const words = fleet.services.map((service) => `${service.name} ${STATES[service.state]}`).join(", ");
  refill(element, items);
  element.setAttribute("aria-label", `Fleet: ${words}`);
  element.title = words;
}
