// What is on screen is in the address after the `#`, so that Back, reload and links work.
//
//   #/chat/<channel>[/<thread>]   #/app/home   #/app/messages   #/fleet   #/pagerduty[/<id>]   #/confluence[/<id>]

import { parts } from "./store.js";

/** The address as a list of words; none of them is anything but a name or a number. */
export function current() {
  return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
}

/** Go somewhere; `replace` leaves no step for Back. */
export function go(words, { replace = false } = {}) {
  const address = hash(words);
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The address of a place, for a link. */
export function hash(words) {
  return `#/${words.map(encodeURIComponent).join("/")}`;
}

const PERMALINK = /^\/archives\/([A-Z0-9]+)\/p(\d{10})(\d{6})$/;

/** What a link leads to: {href, inside}. Links of the stand-ins lead to the page's own view of the thing; null: none. */
export function resolve(url) {
  let target;
  try {
    target = new URL(url);
  } catch {
    return null;
  }
  if (!["http:", "https:", "mailto:"].includes(target.protocol)) return null;
  const inside = insideOf(target);
  return inside ? { href: hash(inside), inside: true } : { href: target.href, inside: false };
}

function insideOf(target) {
  const links = parts.links || {};
  const message = PERMALINK.exec(target.pathname);
  if (message && target.origin === links.slack) {
    const ts = target.searchParams.get("thread_ts") || `${message[2]}.${message[3]}`;
    return ["chat", message[1], ts];
  }
  const page = /^\/wiki\/spaces\/[^/]+\/pages\/(\d+)/.exec(target.pathname);
  if (page && target.origin === links.confluence) return ["confluence", page[1]];
  const incident = /^\/incidents\/([A-Z0-9]+)$/.exec(target.pathname);
  if (incident && target.hostname.endsWith(".pagerduty.example")) return ["pagerduty", incident[1]];
  return null;
}
