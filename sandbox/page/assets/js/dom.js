// Builds elements. Everything that is shown becomes text nodes or attributes; nothing here parses markup.

const PROPERTIES = new Set(["value", "checked", "selected", "disabled", "indeterminate", "open"]);

/** An element: attributes by name, listeners as `onclick`; null, undefined and false leave an attribute out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  return fill(element, children);
}

/** An SVG element. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  return fill(element, children);
}

/** Append children, however nested; what is null, undefined or false is left out. */
export function fill(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** Put other children in an element. */
export function refill(element, ...children) {
  element.replaceChildren();
  return fill(element, children);
}

/** Words for screen readers only. */
export function unseen(text) {
  return h("span", { class: "unseen" }, text);
}

const ICONS = {
  chat: "M4 5h16v11H9l-5 4z",
  fleet: "M3 13h4l3-8 4 14 3-8h4",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
  book: "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11",
  hash: "M9 4 7 20M17 4l-2 16M4 9h16M3 15h16",
  lock: "M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3",
  close: "M6 6l12 12M18 6 6 18",
  back: "M14 5l-7 7 7 7",
  reply: "M4 5h16v10H10l-4 4v-4H4zM8 9h8M8 12h5",
  smile: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M9 10v.5M15 10v.5M8.5 14.5a4.5 4.5 0 0 0 7 0",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  clip: "M8 12l6-6a3 3 0 0 1 4.5 4.5L10 19a5 5 0 0 1-7-7l8-8",
  send: "M4 12 20 4l-5 16-3-7z",
  more: "M5 12h.1M12 12h.1M19 12h.1",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5",
  up: "M7 21H4V11h3zM7 11l4-8c2 0 3 1 2.6 3L13 9h5.5c1.300 0 2.200 1.200 1.900 2.500l-1.700 7c-.2.900-1 1.500-1.900 1.500H7",
  down: "M7 3H4v10h3zM7 13l4 8c2 0 3-1 2.6-3L13 15h5.5c1.300 0 2.200-1.200 1.900-2.500l-1.700-7C18.500 4.600 17.700 4 16.800 4H7",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  stop: "M6 6h12v12H6z",
  check: "M5 13l4 4L19 7",
  arrow: "M12 5v14M6 13l6 6 6-6",
};

/** A line drawing, hidden from screen readers: what it means is said in words beside it. */
export function icon(name) {
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: ICONS[name] }));
}

/** A button that shows a drawing only; `label` is its name. */
export function iconButton(name, label, onclick, attributes = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...attributes }, icon(name));
}
