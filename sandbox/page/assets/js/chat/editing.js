// A person edits a message of their own where it stands.

import { order } from "../api.js";
import { h } from "../dom.js";

/** Put a field in the message's place until it is saved or left. */
export function editInPlace(view, place) {
  const content = view.element.querySelector(".content");
  const box = h("textarea", { class: "text-input", rows: "3", "aria-label": "Edit the message", value: view.message.text });
  const leave = () => {
    form.remove();
    content.hidden = false;
    view.element.focus();
  };
  const save = async (event) => {
    event?.preventDefault();
    if (!box.value.trim()) return;
    if (await order("/api/slack/messages/edit", { channel: place.channel, ts: view.message.ts, text: box.value })) leave();
  };
  const buttons = h("div", { class: "editing-buttons" }, h("button", { type: "button", class: "button small", onclick: leave }, "Cancel"), h("button", { type: "submit", class: "button small primary" }, "Save"));
  const form = h("form", { class: "editing", onsubmit: save }, box, buttons);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
    if (event.key === "Enter" && !event.shiftKey) save(event);
  });
  content.hidden = true;
  content.after(form);
  box.focus();
}
