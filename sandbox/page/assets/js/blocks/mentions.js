// Names and links inside a text: people, groups, channels, everybody, addresses, dates.

import { h } from "../dom.js";
import { hash, resolve } from "../routes.js";
import { me, world } from "../store.js";
import { formatDate, fullTime } from "../time.js";

/** A person's name as a chip; it stands out where it is the reader's own. */
export function person(id) {
  const name = world.people.get(id)?.name || id;
  return h("span", { class: id === me()?.id ? "mention mine" : "mention" }, `@${name}`);
}

/** A user group's name; the ids are all that the workspace has. */
export function group(id, label = "") {
  const mine = world.usergroups[id]?.includes(me()?.id);
  return h("span", { class: mine ? "mention mine" : "mention" }, label || `@${id}`);
}

/** @here, @channel, @everyone: all of them mean the reader. */
export function everybody(range) {
  return h("span", { class: "mention mine" }, `@${range}`);
}

/** A channel, as a link to it where the reader is in it. */
export function channel(id) {
  const found = world.conversations.get(id);
  const name = `#${found?.name || id}`;
  if (!found?.members.includes(me()?.id)) return h("span", { class: "mention" }, name);
  return h("a", { class: "mention", href: hash(["chat", id]) }, name);
}

/** A link; an address that leads nowhere safe is shown as text. */
export function link(url, label, attributes = {}) {
  const target = resolve(url);
  const words = label || url;
  if (!target) return h("span", { title: url }, words);
  const outside = target.inside ? {} : { target: "_blank", rel: "noopener noreferrer" };
  return h("a", { href: target.href, ...outside, ...attributes }, words);
}

/** A date in the reader's own time zone. */
export function date(seconds, format, fallback, url) {
  const moment = new Date(Number(seconds) * 1000);
  const known = Number.isFinite(moment.getTime());
  const words = formatDate(seconds, format, fallback);
  const shown = h("time", known ? { datetime: moment.toISOString(), title: fullTime(moment) } : {}, words);
  return url ? link(url, shown) : shown;
}

const DATE = /^date\^(\d+)\^([^^|]+)(?:\^([^|]+))?$/;

/** What stands between < and > in mrkdwn, already without them. */
export function control(text) {
  const [target, ...rest] = text.split("|");
  const label = rest.join("|");
  if (target.startsWith("@")) return person(target.slice(1));
  if (target.startsWith("#")) return channel(target.slice(1));
  if (!target.startsWith("!")) return link(unescape(target), unescape(label));
  const name = target.slice(1);
  const moment = DATE.exec(name);
  if (moment) return date(moment[1], unescape(moment[2]), unescape(label), moment[3]);
  if (name.startsWith("subteam^")) return group(name.slice(8), unescape(label));
  return everybody(name);
}

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

/** Slack's three entities undone. */
export function unescape(text) {
  return text.replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity]);
}
