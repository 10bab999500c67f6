// One renderer for each type of block that the stand-in lets pass. `context` is
// what controls need (see controls.js), and `level`, that of the headings in this place.

import { h } from "../dom.js";
import { control } from "./controls.js";
import { input } from "./fields.js";
import { picture } from "./files.js";
import { textOf } from "./mrkdwn.js";
import { plan, taskCard } from "./plan.js";
import { problem } from "./problem.js";
import { richText } from "./rich_text.js";
import { table } from "./table.js";

const BLOCKS = {
  header: (block, context) => h(`h${context.level}`, { class: "block-header" }, textOf(block.text)),
  divider: () => h("hr"),
  section,
  context: (block, context) => h("div", { class: "block-context" }, block.elements.map((each) => small(each, context))),
  context_actions: controls("block-context-actions"),
  actions: controls("block-actions"),
  image,
  rich_text: richText,
  table,
  input,
  task_card: taskCard,
  plan,
};

/** The types that this page shows. */
export const KNOWN = Object.keys(BLOCKS);

/** One block as an element; an error box for what is unknown or malformed. */
export function renderBlock(block, context) {
  const render = BLOCKS[block?.type];
  if (!render) return problem(`a block of type “${block?.type}”`, block);
  try {
    const element = render(block, context);
    element.dataset.block = block.type;
    return element;
  } catch (error) {
    return problem(`a malformed block of type “${block.type}” (${error.message})`, block);
  }
}

function section(block, context) {
  const words = [];
  if (block.text) words.push(h("div", { class: "words" }, textOf(block.text)));
  if (block.fields) words.push(h("div", { class: "fields" }, block.fields.map((each) => h("div", {}, textOf(each)))));
  const beside = block.accessory && h("div", { class: "accessory" }, accessory(block, context));
  return h("div", { class: "block-section" }, h("div", { class: "section-words" }, words), beside);
}

function accessory(block, context) {
  return block.accessory.type === "image" ? picture(block.accessory, "thumbnail") : control(block.accessory, block, context);
}

function small(element) {
  if (element.type === "image") return picture(element, "tiny");
  if (["plain_text", "mrkdwn"].includes(element.type)) return h("span", {}, textOf(element));
  return problem(`an element of type “${element.type}” in a context block`, element);
}

function controls(name) {
  return (block, context) => h("div", { class: name }, block.elements.map((each) => control(each, block, context)));
}

function image(block) {
  const title = block.title && h("figcaption", {}, textOf(block.title));
  return h("figure", { class: "block-image" }, title, picture(block, "full"));
}
