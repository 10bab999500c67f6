// rich_text blocks: sections, lists, preformatted text, quotes, and the elements inside a line.

import { h } from "../dom.js";
import { emojiOf, withEmoji } from "./emoji.js";
import { channel, date, everybody, group, link, person } from "./mentions.js";
import { problem } from "./problem.js";

const STYLES = { bold: "strong", italic: "em", strike: "s", underline: "u", highlight: "mark", client_highlight: "mark" };

/** The parts of a rich_text block. */
export function richText(block) {
  return h("div", { class: "rich" }, block.elements.map(part));
}

const PARTS = {
  rich_text_section: (element) => h("div", { class: "rich-section" }, line(element.elements)),
  rich_text_quote: (element) => h("blockquote", {}, line(element.elements)),
  rich_text_preformatted: preformatted,
  rich_text_list: list,
};

function part(element) {
  const render = PARTS[element.type];
  return render ? render(element) : problem(`a part of type “${element.type}” in a rich_text block`, element);
}

function preformatted(element) {
  const language = element.language ? { "data-language": element.language } : {};
  return h("pre", { tabindex: "0", ...language }, h("code", {}, line(element.elements)));
}

function list(element) {
  const indent = Math.min(element.indent || 0, 6);
  const tag = element.style === "ordered" ? "ol" : "ul";
  const start = element.offset ? { start: element.offset + 1 } : {};
  const items = element.elements.map((item) => h("li", {}, line(item.elements)));
  return h(tag, { class: `rich-list indent-${indent}${element.border ? " bordered" : ""}`, ...start }, items);
}

const INLINE = {
  text: (element) => (element.style?.code ? element.text : withEmoji(element.text)),
  link: (element) => link(element.url, element.text),
  emoji: (element) => emojiCharacter(element),
  user: (element) => person(element.user_id),
  usergroup: (element) => group(element.usergroup_id),
  channel: (element) => channel(element.channel_id),
  broadcast: (element) => everybody(element.range),
  date: (element) => date(element.timestamp, element.format, element.fallback, element.url),
  color,
};

function line(elements) {
  return elements.map((element) => {
    const render = INLINE[element.type];
    if (!render) return problem(`an element of type “${element.type}” in a line`, element);
    return withStyle(render(element), element.style);
  });
}

function withStyle(node, style = {}) {
  let shown = style.code ? h("code", {}, node) : node;
  for (const [name, tag] of Object.entries(STYLES)) {
    if (style[name]) shown = h(tag, {}, shown);
  }
  return shown;
}

function emojiCharacter(element) {
  if (!element.unicode) return emojiOf(element.name);
  const points = element.unicode.split("-").map((point) => parseInt(point, 16));
  return points.every((point) => point > 0 && point < 0x110000) ? String.fromCodePoint(...points) : emojiOf(element.name);
}

function color(element) {
  const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.backgroundColor = element.value;
  return h("span", { class: "color" }, swatch, element.value);
}
