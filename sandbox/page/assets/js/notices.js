// What is said beside the page itself: errors for everybody, happenings for screen readers.

import { h, iconButton } from "./dom.js";

const SHOWN = 8000; // milliseconds; it can be closed earlier, and stays while the pointer is on it

/** Show a sentence for a while. */
export function toast(sentence, kind = "error") {
  const box = h("div", { class: `toast ${kind}` }, h("p", {}, sentence));
  box.append(iconButton("close", "Close this notice", () => box.remove()));
  document.getElementById("toasts").append(box);
  const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, SHOWN) : box.remove());
  setTimeout(leave, SHOWN);
}

const KEPT = 20;

/** Say something to screen readers, after what they are saying now. */
export function announce(sentence) {
  const region = document.getElementById("announcer");
  region.append(h("p", {}, sentence));
  while (region.children.length > KEPT) region.firstChild.remove();
}
