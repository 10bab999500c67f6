// What the app says that it is doing; where it sent several lines, they take turns.

import { h } from "../dom.js";

const TURN = 2500; // milliseconds

/** The line as an element; its turns end when it leaves the page. */
export function statusLine(status, name = "SRE Bot") {
  const words = h("span", {}, sentence(status.status, name));
  const line = h("p", { class: "status-line" }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), words);
  const turns = status.loading_messages || [];
  if (turns.length) {
    let number = 0;
    words.textContent = turns[0];
    const timer = setInterval(() => {
      if (!line.isConnected) clearInterval(timer);
      else words.textContent = turns[(number += 1) % turns.length];
    }, TURN);
  }
  return line;
}

/** Slack writes the app's name before the status: `is thinking…`. */
function sentence(status, name) {
  return /^(is|are)\b/.test(status) ? `${name} ${status}` : status;
}
