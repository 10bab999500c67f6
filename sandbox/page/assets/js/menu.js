// A menu beside a button: arrow keys move, Escape and a click elsewhere close it, the focus goes back.

import { h } from "./dom.js";

let openOne = null;

/** Open a menu of [{label, choose, shown?}] at `anchor`; `name` says what it is for. */
export function openMenu(anchor, items, { name = "More", className = "menu" } = {}) {
  const again = openOne?.anchor === anchor;
  openOne?.close();
  if (again) return;
  const menu = h("div", { class: className, role: "menu", "aria-label": name });
  const close = (back = true) => {
    menu.remove();
    removeEventListener("pointerdown", elsewhere, true);
    anchor.removeAttribute("aria-expanded");
    openOne = null;
    if (back && anchor.isConnected) anchor.focus();
  };
  const elsewhere = (event) => {
    if (!menu.contains(event.target) && !anchor.contains(event.target)) close(false);
  };
  for (const item of items) {
    const attributes = { type: "button", role: "menuitem", tabindex: "-1", "aria-label": item.shown ? item.label : null, title: item.shown ? item.label : null };
    menu.append(h("button", { ...attributes, class: item.danger ? "danger" : null, onclick: () => (close(), item.choose()) }, item.shown || item.label));
  }
  menu.addEventListener("keydown", (event) => steer(event, menu, close));
  anchor.setAttribute("aria-expanded", "true");
  document.body.append(menu);
  place(menu, anchor);
  addEventListener("pointerdown", elsewhere, true);
  openOne = { anchor, close };
  menu.firstElementChild?.focus();
}

const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

function steer(event, menu, close) {
  const items = [...menu.children];
  if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    event.stopPropagation();
    close();
  } else if (event.key in STEPS) {
    event.preventDefault();
    const next = items.indexOf(document.activeElement) + STEPS[event.key];
    items[(next + items.length) % items.length].focus();
  } else if (event.key === "Home" || event.key === "End") {
    event.preventDefault();
    items.at(event.key === "Home" ? 0 : -1).focus();
  }
}

function place(menu, anchor) {
  const at = anchor.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  const below = at.bottom + size.height + 8 < innerHeight;
  menu.style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - size.height - 4)}px`;
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
}
