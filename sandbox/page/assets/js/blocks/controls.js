// What people can use on a message or a Home: buttons and menus. `context.act(element, block, value)` does it.

import { confirmWith } from "../dialog.js";
import { h, icon } from "../dom.js";
import { openMenu } from "../menu.js";
import { resolve } from "../routes.js";
import { me } from "../store.js";
import { field } from "./fields.js";
import { textOf, wordsOf } from "./mrkdwn.js";
import { problem } from "./problem.js";

const CONTROLS = {
  button,
  workflow_button: button,
  icon_button: iconButton,
  feedback_buttons: feedback,
  overflow,
  static_select: menu,
  users_select: menu,
  multi_static_select: menu,
  radio_buttons: menu,
  checkboxes: menu,
};

/** A control as an element. */
export function control(element, block, context) {
  const render = CONTROLS[element.type];
  return render ? render(element, block, context) : problem(`a control of type “${element.type}”`, element);
}

/** Ask first where the app wants it, then do it; the control rests meanwhile. */
async function use(node, element, block, context, value) {
  if (node.getAttribute("aria-disabled") === "true") return;
  if (element.confirm && !(await confirmWith(element.confirm))) return;
  node.setAttribute("aria-disabled", "true");
  node.classList.add("busy");
  try {
    await context.act(element, block, value);
  } finally {
    node.removeAttribute("aria-disabled");
    node.classList.remove("busy");
  }
}

function button(element, block, context) {
  const style = element.style ? ` ${element.style}` : "";
  const node = h("button", { type: "button", class: `button${style}`, "aria-label": labelOf(element) }, textOf(element.text));
  node.addEventListener("click", async () => {
    const target = element.url && resolve(element.url);
    if (target?.inside) location.hash = target.href;
    else if (target) open(target.href, "_blank", "noopener,noreferrer");
    await use(node, element, block, context, element.value);
  });
  return node;
}

/** Slack reads an accessibility_label instead of the text; the text is kept in it, for who speaks what they see. */
function labelOf(element) {
  const label = element.accessibility_label;
  const text = wordsOf(element.text);
  return !label || label.includes(text) ? label : `${text}: ${label}`;
}

function iconButton(element, block, context) {
  if (element.visible_to_user_ids && !element.visible_to_user_ids.includes(me().id)) return h("span", { hidden: true });
  const label = element.accessibility_label || element.text.text;
  const node = h("button", { type: "button", class: "icon-button", "aria-label": label, title: element.text.text }, icon(element.icon));
  node.addEventListener("click", () => use(node, element, block, context, element.value));
  return node;
}

function feedback(element, block, context) {
  const one = (given, drawing) => {
    const label = given.accessibility_label || given.text.text;
    const attributes = { type: "button", class: "icon-button", "aria-label": label, title: given.text.text, "aria-pressed": "false" };
    const node = h("button", attributes, icon(drawing));
    node.addEventListener("click", async () => {
      await use(node, element, block, context, given.value);
      for (const each of group.children) each.setAttribute("aria-pressed", String(each === node));
    });
    return node;
  };
  const group = h("div", { class: "feedback", role: "group", "aria-label": "Feedback" });
  group.append(one(element.positive_button, "up"), one(element.negative_button, "down"));
  return group;
}

function overflow(element, block, context) {
  const node = h("button", { type: "button", class: "icon-button", "aria-label": "More", "aria-haspopup": "menu" }, icon("more"));
  const items = element.options.map((option) => ({
    label: wordsOf(option.text),
    choose: () => use(node, element, block, context, option.value),
  }));
  node.addEventListener("click", () => openMenu(node, items));
  return node;
}

function menu(element, block, context) {
  const shown = field(element, block.text ? wordsOf(block.text) : "");
  shown.node.addEventListener("change", () => {
    const value = shown.read();
    if (value && value.length) use(shown.node, element, block, context, value);
  });
  return shown.node;
}
