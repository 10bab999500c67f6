// What can be filled in: text, menus, choices. Used in modals, and for the menus on messages.

import { h } from "../dom.js";
import { world } from "../store.js";
import { textOf, wordsOf } from "./mrkdwn.js";
import { problem } from "./problem.js";

let last = 0;
const newId = () => `field-${(last += 1)}`;

const FIELDS = {
  plain_text_input: textInput,
  static_select: select,
  users_select: people,
  multi_static_select: choices("checkbox"),
  checkboxes: choices("checkbox"),
  radio_buttons: choices("radio"),
};

/** A field as {node, read()}; `label` names it where no <label> does. */
export function field(element, label = "") {
  const make = FIELDS[element.type];
  if (make) return make(element, label || (element.placeholder ? wordsOf(element.placeholder) : "Choose"));
  return { node: problem(`a field of type “${element.type}”`, element), read: () => undefined };
}

/** An input block; `context.fields` learns how it is read, and what is wrong with it. */
export function input(block, context) {
  const id = newId();
  const label = wordsOf(block.label);
  const shown = field(block.element, label);
  const hint = block.hint && h("p", { class: "hint", id: `${id}-hint` }, textOf(block.hint));
  const fault = h("p", { class: "fault", id: `${id}-fault`, "aria-live": "polite" });
  const optional = block.optional ? h("span", { class: "optional" }, " (optional)") : null;
  const single = shown.node.matches("input, textarea, select");
  if (single) {
    shown.node.id = id;
    shown.node.removeAttribute("aria-label");
    shown.node.setAttribute("aria-describedby", [hint && `${id}-hint`, `${id}-fault`].filter(Boolean).join(" "));
    if (!block.optional) shown.node.setAttribute("aria-required", "true");
  }
  context.fields?.push({ block, shown, fault });
  const title = single ? h("label", { for: id, class: "field-label" }, label, optional) : h("p", { class: "field-label", "aria-hidden": "true" }, label, optional);
  return h("div", { class: "block-input" }, title, shown.node, hint, fault);
}

/** What is wrong with a field's value, in words; empty where nothing is. */
export function faultOf(block, value) {
  const { min_length: least, max_length: most } = block.element;
  if (!value?.length) return block.optional ? "" : "Please fill this in.";
  if (least && value.length < least) return `Please write at least ${least} characters.`;
  if (most && value.length > most) return `Please write at most ${most} characters: there are ${value.length}.`;
  return "";
}

function textInput(element, label) {
  const common = { "aria-label": label, value: element.initial_value || "", placeholder: element.placeholder?.text, maxlength: element.max_length, class: "text-input" };
  const node = element.multiline ? h("textarea", { ...common, rows: "4" }) : h("input", { ...common, type: "text" });
  return { node, read: () => node.value };
}

function select(element, label) {
  return selection(label, element.options.map((option) => [option.value, wordsOf(option.text)]), element.initial_option?.value, element);
}

function people(element, label) {
  const members = [...world.people.values()].filter((person) => !person.is_bot);
  return selection(label, members.map((person) => [person.id, person.name]), element.initial_user, element);
}

function selection(label, options, first, element) {
  const empty = h("option", { value: "" }, element.placeholder?.text || "Choose …");
  const node = h("select", { "aria-label": label, class: "select" }, empty, options.map(([value, words]) => h("option", { value }, words)));
  node.value = first || "";
  return { node, read: () => node.value };
}

function choices(type) {
  return (element, label) => {
    const name = newId();
    const first = [element.initial_option, ...(element.initial_options || [])].filter(Boolean).map((option) => option.value);
    const boxes = element.options.map((option) => h("input", { type, name, value: option.value, checked: first.includes(option.value) }));
    const lines = element.options.map((option, number) =>
      h("label", { class: "choice" }, boxes[number], h("span", {}, textOf(option.text), option.description && h("small", {}, textOf(option.description)))),
    );
    const node = h("fieldset", { class: "choices" }, h("legend", { class: "unseen" }, label), lines);
    const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
    return { node, read: () => (type === "radio" ? chosen()[0] || "" : chosen()) };
  };
}
