// Dialogs: a confirmation that an app asks for, one of the page's own, and the modals that an app opens.

import { order } from "./api.js";
import { faultOf } from "./blocks/fields.js";
import { renderBlock } from "./blocks/index.js";
import { textOf, wordsOf } from "./blocks/mrkdwn.js";
import { h, iconButton } from "./dom.js";
import { me } from "./store.js";

/** Show a dialog until it is closed; gives what it was closed with. The focus goes back to where it was. */
function show(dialog) {
  const before = document.activeElement;
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      resolve(dialog.returnValue);
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close("");
    });
    dialog.showModal();
  });
}

let last = 0;

function frame(title, body, buttons, attributes = {}) {
  const id = `dialog-${(last += 1)}`;
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": id, ...attributes });
  const close = iconButton("close", "Close", () => dialog.close(""));
  dialog.append(h("div", { class: "dialog-head" }, h("h2", { id }, title), close), h("div", { class: "dialog-body" }, body), h("div", { class: "dialog-foot" }, buttons));
  return dialog;
}

function closing(label, value, name) {
  return h("button", { type: "button", class: `button ${name}`, onclick: (event) => event.target.closest("dialog").close(value) }, label);
}

/** A Block Kit confirm object; true when the person confirms. */
export async function confirmWith(asked) {
  const yes = closing(wordsOf(asked.confirm), "yes", asked.style || "primary");
  yes.autofocus = true;
  const buttons = [closing(wordsOf(asked.deny), "", ""), yes];
  return (await show(frame(wordsOf(asked.title), h("div", { class: "words" }, textOf(asked.text)), buttons, { role: "alertdialog" }))) === "yes";
}

/** A question of the page's own. */
export function ask(title, text, confirm, style = "primary") {
  const plain = (words) => ({ type: "plain_text", text: words });
  return confirmWith({ title: plain(title), text: plain(text), confirm: plain(confirm), deny: plain("Cancel"), style });
}

/** A modal that the app opened for whoever is at the keyboard. */
export async function openModal(view) {
  const context = { fields: [], act: () => undefined, level: 3 };
  const blocks = view.blocks.map((block) => renderBlock(block, context));
  const form = h("form", { class: "modal-form", novalidate: true }, blocks);
  const close = closing(view.close ? wordsOf(view.close) : "Cancel", "", "");
  const submit = view.submit || context.fields.length ? h("button", { type: "submit", class: "button primary" }, view.submit ? wordsOf(view.submit) : "Submit") : null;
  const dialog = frame(wordsOf(view.title), form, [close, submit]);
  if (submit) {
    form.id = `${dialog.getAttribute("aria-labelledby")}-form`;
    submit.setAttribute("form", form.id);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(dialog, context.fields, submit);
    });
  }
  if ((await show(dialog)) !== "submitted") await order("/api/slack/modals/close", { user: me().id });
}

async function send(dialog, fields, submit) {
  const values = {};
  let first = null;
  for (const { block, shown, fault } of fields) {
    const value = shown.read();
    fault.textContent = faultOf(block, value);
    if (fault.textContent) first ||= shown.node;
    else if (value?.length) values[block.block_id] = value;
  }
  if (first) {
    first.focus();
    return;
  }
  submit.disabled = true;
  const sent = await order("/api/slack/modals", { user: me().id, values });
  submit.disabled = false;
  if (sent) dialog.close("submitted");
}
