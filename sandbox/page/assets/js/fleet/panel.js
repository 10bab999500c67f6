// The place "Fleet": topology, charts, settings, deployments, log lines.

import { get } from "../api.js";
import { Scope } from "../bus.js";
import { h, refill } from "../dom.js";
import { seen } from "../store.js";
import { clockWithSeconds } from "../time.js";
import { chart } from "./chart.js";
import { EnvEditor } from "./editor.js";
import { figure, STATE_WORDS } from "./figures.js";
import { Topology } from "./topology.js";

const LINES = 60;
const LEAST = 180; // seconds that a chart shows, also when less is known

export class FleetPanel {
  #scope = new Scope();
  #charts = new Map();

  constructor() {
    this.topology = new Topology();
    this.editor = new EnvEditor();
    this.services = h("div", { class: "services" });
    this.deployments = h("ol", { class: "deployments" });
    this.missing = h("p", { class: "notice", role: "status", hidden: true });
    this.logs = h("pre", { class: "log-lines", tabindex: "0", "aria-label": "Log lines" });
    this.level = h("select", { class: "select", "aria-label": "Level", onchange: () => this.#readLogs() }, ["", "ERROR", "WARN", "INFO"].map((level) => h("option", { value: level }, level || "All levels")));
    this.logBox = h("details", { class: "card logs-card" }, h("summary", {}, h("h2", {}, "Log lines")), h("div", { class: "log-tools" }, this.level), this.logs);
    this.logBox.addEventListener("toggle", () => this.#readLogs());
    this.element = h(
      "div",
      { class: "fleet page" },
      h("header", { class: "page-head" }, h("h1", {}, "Fleet"), h("p", { class: "muted" }, "Four simulated services with real queues; the figures are Prometheus's.")),
      this.missing,
      h("div", { class: "fleet-grid" }, h("div", { class: "fleet-main" }, h("section", { class: "card topology-card", "aria-label": "Topology" }, h("h2", {}, "Topology"), this.topology.element), this.services, this.logBox), h("div", { class: "fleet-side" }, this.editor.breaking, this.editor.element, h("section", { class: "card deployed", "aria-label": "Deployments" }, h("h2", {}, "Deployments"), this.deployments))),
    );
    this.#scope.on("fleet", (fleet) => this.#show(fleet));
  }

  show() {
    if (seen.fleet) this.#show(seen.fleet);
  }

  #show(fleet) {
    if (!this.element.isConnected) return;
    const why = fleet.refused || fleet.missing;
    this.missing.hidden = !why;
    this.missing.textContent = why || "";
    if (fleet.refused) return;
    if (fleet.history) crop(fleet.history);
    this.topology.show(fleet.services);
    this.editor.show(fleet);
    this.#showServices(fleet);
    this.#showDeployments(fleet.deployments);
    if (this.logBox.open) this.#readLogs();
  }

  #showServices(fleet) {
    for (const service of fleet.services) {
      if (!this.#charts.has(service.name)) {
        const head = h("div", { class: "service-head" });
        const charts = h("div", { class: "charts" });
        const box = h("section", { class: "card service", "aria-label": service.name }, head, charts);
        this.#charts.set(service.name, { head, charts });
        this.services.append(box);
      }
      const { head, charts } = this.#charts.get(service.name);
      refill(head, serviceHead(service, fleet));
      refill(charts, fleet.charted.filter((name) => name in service.signals).map((name) => this.#chart(fleet, service, name)));
    }
  }

  #chart({ history, signals, deployments }, service, name) {
    const { value, state } = service.signals[name];
    const { title, unit, warning, critical } = signals[name];
    const start = history?.start || 0;
    const step = history?.step || 5;
    const points = history?.points[name][service.name] || [null, value ?? null];
    const marks = deployments
      .filter((each) => each.service === service.name && each.kind !== "start")
      .map((each) => Date.parse(each.time) / 1000)
      .filter((at) => at > start && history);
    return chart({ title, service: service.name, unit, points, start, step, warning, critical, marks, state });
  }

  #showDeployments(all) {
    const made = all.filter((each) => each.kind !== "start");
    refill(this.deployments, made.length ? made.map(deployment) : h("li", { class: "muted" }, "None since the start."));
  }

  async #readLogs() {
    if (!this.logBox.open) return;
    const atEnd = this.logs.scrollHeight - this.logs.scrollTop - this.logs.clientHeight < 40;
    try {
      const found = await get("/api/fleet/logs", { limit: String(LINES), ...(this.level.value ? { level: this.level.value } : {}) });
      refill(this.logs, found.logs.map(logLine));
    } catch (error) {
      this.logs.textContent = error.message;
    }
    if (atEnd) this.logs.scrollTop = this.logs.scrollHeight;
  }
}

/** Leave out the time before the first figure of any chart, so that a young demo's charts are not empty. */
function crop(history) {
  const lines = Object.values(history.points).flatMap((services) => Object.values(services));
  if (!lines.length) return;
  const known = lines.map((line) => line.findIndex((value) => value !== null)).filter((number) => number >= 0);
  const first = Math.min(Math.min(...known), lines[0].length - LEAST / history.step);
  if (first <= 0) return;
  history.start += first * history.step;
  for (const services of Object.values(history.points)) {
    for (const name of Object.keys(services)) services[name] = services[name].slice(first);
  }
}

function serviceHead(service, { signals }) {
  const more = ["requests", "cpu", "memory", "db_waiting", "restarts"].filter((name) => service.signals[name]?.value !== null && service.signals[name]);
  return [
    h("h2", {}, h("i", { class: `dot ${service.state}`, "aria-hidden": "true" }), service.name, h("span", { class: `state-word ${service.state}` }, STATE_WORDS[service.state])),
    h("p", { class: "muted" }, `${service.purpose} · ${service.owner}`),
    h("dl", { class: "small-figures" }, more.map((name) => h("div", {}, h("dt", {}, signals[name].title), h("dd", { class: service.signals[name].state }, figure(service.signals[name].value, signals[name].unit))))),
  ];
}

function deployment(each) {
  const changes = Object.entries(each.changes).map(([name, { from, to }]) => h("code", {}, `${name}: ${from ?? "–"} → ${to ?? "–"}`));
  return h("li", {}, h("time", { datetime: each.time }, clockWithSeconds(new Date(each.time))), h("div", {}, h("b", {}, each.service), ` ${each.version}, by ${each.author}`, changes.length ? h("p", {}, changes) : null));
}

function logLine(line) {
  return h("span", { class: `log-line ${line.level.toLowerCase()}` }, `${clockWithSeconds(new Date(line.time))} ${line.level.padEnd(5)} ${line.service}: ${line.message}\n`);
}
