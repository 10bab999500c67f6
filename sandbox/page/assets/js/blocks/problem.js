// What the page cannot show is never left out: it is shown as an error, with everything that was sent.

import { h } from "../dom.js";

/** A box that says what is missing, and holds the JSON. */
export function problem(what, json) {
  return h(
    "div",
    { class: "problem", role: "note", "aria-label": "Not shown" },
    h("strong", {}, `This page cannot show ${what}.`),
    h("details", {}, h("summary", {}, "What was sent"), h("pre", { tabindex: "0" }, JSON.stringify(json, null, 2))),
  );
}
