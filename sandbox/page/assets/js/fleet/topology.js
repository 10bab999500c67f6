// Who calls whom: a layer for each step of the longest way, with each service's health.

import { h, icon, refill, s } from "../dom.js";
import { STATE_WORDS, figure } from "./figures.js";

export class Topology {
  #services = [];

  constructor() {
    this.lines = s("svg", { class: "edges", "aria-hidden": "true" });
    this.nodes = h("ul", { class: "nodes", "aria-label": "Services and what they depend on" });
    this.element = h("div", { class: "topology" }, this.lines, this.nodes);
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  /** Show the services as they are now. */
  show(services) {
    const first = this.#services.map((service) => service.name).join() !== services.map((service) => service.name).join();
    this.#services = services;
    if (first) this.#place();
    services.forEach((service, number) => {
      const node = this.nodes.children[number];
      node.firstElementChild.className = `node ${service.state}`;
      const { error_rate: errors, latency_p99: latency } = service.signals;
      const more = [errors && `${figure(errors.value, "ratio")} errors`, latency && `P99 ${figure(latency.value, "ms")}`].filter(Boolean);
      refill(node.querySelector(".node-state"), STATE_WORDS[service.state]);
      refill(node.querySelector(".node-figures"), more.join(" · "));
    });
    this.#draw();
  }

  #place() {
    const depth = depths(this.#services);
    const last = Math.max(...depth.values()) || 1;
    const nodes = this.#services.map((service) => {
      const layer = depth.get(service.name);
      const node = h("li", {}, h("div", { class: "node" }, h("b", {}, service.name), h("span", { class: "node-state" }), h("span", { class: "node-figures" }), h("span", { class: "unseen" }, service.depends_on.length ? ` depends on ${service.depends_on.join(", ")}` : " depends on nothing")));
      const middle = layer === 0 || layer === last;
      node.style.left = `clamp(var(--node-room), ${13 + (layer / last) * 76}%, 100% - var(--node-room))`;
      node.style.top = middle ? "50%" : layer % 2 ? "17%" : "83%";
      return node;
    });
    refill(this.nodes, nodes);
  }

  #draw() {
    const frame = this.element.getBoundingClientRect();
    if (!frame.width) return;
    this.lines.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
    const boxes = new Map(this.#services.map((service, number) => [service.name, this.nodes.children[number].getBoundingClientRect()]));
    const edges = this.#services.flatMap((service) => service.depends_on.map((to) => this.#edge(boxes.get(service.name), boxes.get(to), frame, this.#services.find((each) => each.name === to))));
    refill(this.lines, s("defs", {}, s("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0 0L8 4L0 8Z" }))), edges);
  }

  #edge(from, to, frame, service) {
    const start = { x: from.left + from.width / 2 - frame.left, y: from.top + from.height / 2 - frame.top };
    const end = { x: to.left + to.width / 2 - frame.left, y: to.top + to.height / 2 - frame.top };
    const a = border(start, end, from);
    const b = border(end, start, to);
    return s("line", { class: `edge ${service.state}`, x1: a.x, y1: a.y, x2: b.x, y2: b.y, "marker-end": "url(#arrow)" });
  }
}

/** Where the way from a box's middle to another point leaves the box. */
function border(middle, other, box) {
  const [dx, dy] = [other.x - middle.x, other.y - middle.y];
  const scale = Math.min(dx ? (box.width / 2 + 5) / Math.abs(dx) : Infinity, dy ? (box.height / 2 + 5) / Math.abs(dy) : Infinity, 1);
  return { x: middle.x + dx * scale, y: middle.y + dy * scale };
}

/** The layer of each service: the longest way to it from one that nobody depends on. */
function depths(services) {
  const depth = new Map(services.map((service) => [service.name, 0]));
  for (let round = 0; round < services.length; round += 1) {
    for (const service of services) {
      for (const to of service.depends_on) depth.set(to, Math.max(depth.get(to), depth.get(service.name) + 1));
    }
  }
  return depth;
}
