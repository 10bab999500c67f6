// The place "Confluence": pages as a reader sees them. Bodies come as a tree; elements are made by the list below only.

import { get } from "./api.js";
import { link } from "./blocks/mentions.js";
import { problem } from "./blocks/problem.js";
import { Scope } from "./bus.js";
import { h, icon, refill } from "./dom.js";
import { hash } from "./routes.js";
import { seen } from "./store.js";
import { fullTime } from "./time.js";

export class ConfluencePanel {
  #scope = new Scope();
  #open = "";
  #shown = "";

  constructor() {
    this.list = h("ul", { class: "records page-tree" });
    this.article = h("article", { class: "record page-body pane" });
    this.notice = h("p", { class: "notice", role: "status", hidden: true });
    this.title = h("p", { class: "muted" });
    this.element = h("div", { class: "confluence page" }, h("header", { class: "page-head" }, h("h1", {}, "Confluence"), this.title), this.notice, h("div", { class: "records-grid" }, h("nav", { class: "records-side", "aria-label": "Pages" }, this.list), h("div", { class: "records-main" }, this.article)));
    this.#scope.on("confluence", () => this.#show());
  }

  show([, id = ""]) {
    this.#open = id;
    this.element.classList.toggle("one", Boolean(id));
    this.#show();
  }

  #show() {
    const found = seen.confluence;
    if (!found || !this.element.isConnected) return;
    this.notice.hidden = !found.refused;
    this.notice.textContent = found.refused || "";
    if (found.refused) return;
    this.title.textContent = `Space ${found.space.name} (${found.space.key})`;
    const chosen = found.pages.find((page) => page.id === this.#open) || found.pages[0];
    const root = found.pages.filter((page) => !found.pages.some((each) => each.id === page.parent));
    refill(this.list, root.map((page) => this.#branch(page, found.pages, chosen)));
    this.#read(chosen);
  }

  #branch(page, pages, chosen) {
    const here = page === chosen;
    const below = pages.filter((each) => each.parent === page.id);
    const line = h("a", { class: here ? "record-line here" : "record-line", href: hash(["confluence", page.id]), "aria-current": here ? "page" : null }, icon("file"), h("span", {}, page.title));
    return h("li", {}, line, below.length ? h("ul", {}, below.map((each) => this.#branch(each, pages, chosen))) : null);
  }

  async #read(page) {
    const key = page ? `${page.id} ${page.version}` : "";
    if (key === this.#shown) return;
    this.#shown = key;
    try {
      const whole = await get(`/api/confluence/pages/${page.id}`);
      if (key === this.#shown) refill(this.article, this.#page(whole));
    } catch (error) {
      refill(this.article, h("p", { class: "empty" }, error.message));
    }
  }

  #page(page) {
    const when = page.created ? `${fullTime(new Date(page.created * 1000))} · ` : "";
    return [
      h("a", { class: "icon-button back", href: hash(["confluence"]), "aria-label": "All pages" }, icon("back")),
      h("h2", { class: "page-title" }, page.title),
      h("p", { class: "muted" }, `${when}version ${page.version} `, page.labels.map((label) => h("span", { class: "chip" }, label))),
      h("div", { class: "wiki" }, page.body.map((each) => node(each, HIGHEST - highest(page.body)))),
    ];
  }
}

// What a reader sees of an element.
const HEADING = /^h([1-6])$/;
const HIGHEST = 3; // below the title of the page
const LOWEST = 6;
const SAME = new Set("p br hr blockquote pre div span strong em u s del ins sub sup small code kbd samp ul ol li dl dt dd thead tbody tfoot tr th td caption".split(" "));
const SPECIAL = {
  a: (attributes, children) => link(attributes.href, children),
  time: (attributes, children) => h("time", { datetime: attributes.datetime }, children),
  table: (_, children) => h("div", { class: "block-table", role: "group", tabindex: "0", "aria-label": "Table" }, h("table", {}, children)),
  "code-block": (attributes, children) => h("pre", { tabindex: "0", "data-language": attributes.language || null }, h("code", {}, children)),
  panel: (attributes, children) => h("div", { class: `wiki-panel ${attributes.kind}`, role: "note" }, attributes.title && h("b", {}, attributes.title), children),
  expand: (attributes, children) => h("details", {}, h("summary", {}, attributes.title || "More"), children),
  status: (_, children) => h("span", { class: "chip" }, children),
  tasks: (_, children) => h("ul", { class: "wiki-tasks" }, children),
  task: (attributes, children) => h("li", {}, h("span", { class: attributes.done ? "box done" : "box", role: "img", "aria-label": attributes.done ? "Done:" : "To do:" }), h("div", {}, children)),
};

/** An element of the tree; `shift` puts the body's headings below the page's own, whatever they begin with. */
function node(given, shift) {
  if (typeof given === "string") return given;
  const [name, attributes, children] = given;
  const inside = children.map((child) => node(child, shift));
  const heading = HEADING.exec(name);
  if (heading) return h(`h${Math.min(Number(heading[1]) + shift, LOWEST)}`, {}, inside);
  if (SPECIAL[name]) return SPECIAL[name](attributes, inside);
  if (SAME.has(name)) return h(name, attributes, inside);
  return [problem(`“${attributes.name}” of this page`, given), inside];
}

/** The level of the highest heading in a tree. */
function highest(nodes) {
  return Math.min(LOWEST, ...nodes.filter(Array.isArray).map(([name, , children]) => Number(HEADING.exec(name)?.[1] || highest(children))));
}
