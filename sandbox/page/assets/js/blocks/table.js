// table blocks: the first row is the head, as Slack draws it.

import { h } from "../dom.js";
import { problem } from "./problem.js";
import { richText } from "./rich_text.js";

const CELLS = {
  raw_text: (cell) => cell.text,
  raw_number: (cell) => cell.text ?? String(cell.value),
  rich_text: richText,
};

/** A table that scrolls sideways by itself where it is too wide. */
export function table(block) {
  const rows = block.rows.map((cells, number) =>
    h("tr", {}, cells.map((cell, column) => cellOf(cell, number === 0, block.column_settings?.[column]))),
  );
  return h(
    "div",
    { class: "block-table", role: "group", tabindex: "0", "aria-label": "Table" },
    h("table", {}, h("thead", {}, rows[0]), h("tbody", {}, rows.slice(1))),
  );
}

function cellOf(cell, head, settings = {}) {
  const render = CELLS[cell.type];
  const shown = render ? render(cell) : problem(`a cell of type “${cell.type}”`, cell);
  const align = settings?.align || (cell.type === "raw_number" ? "right" : "left");
  const wraps = settings?.is_wrapped ? " wrapped" : "";
  return h(head ? "th" : "td", { class: `align-${align}${wraps}`, ...(head ? { scope: "col" } : {}) }, shown);
}
