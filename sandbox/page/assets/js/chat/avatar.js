// A person's picture: their initials on a colour of their own; apps have a drawing.

import { h, icon } from "../dom.js";
import { world } from "../store.js";

const COLOURS = 8;

/** The picture of whoever wrote a message, or of a person. */
export function avatar(name, { bot = false, size = "" } = {}) {
  const colour = [...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % COLOURS;
  const inside = bot ? icon(name === world.people.get(world.bot)?.name ? "fleet" : "bell") : initials(name);
  return h("span", { class: `avatar colour-${bot ? "bot" : colour} ${size}`, "aria-hidden": "true" }, inside);
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return ((words[0]?.[0] || "?") + (words.length > 1 ? words.at(-1)[0] : "")).toUpperCase();
}
