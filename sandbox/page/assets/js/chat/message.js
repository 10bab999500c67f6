// One message. It is made once and changed in place: only blocks that are different are made anew, so that a stream
// does not disturb what is being read, opened or focused.

import { order } from "../api.js";
import { emojiOf } from "../blocks/emoji.js";
import { attachment, file } from "../blocks/files.js";
import { renderBlock } from "../blocks/index.js";
import { mrkdwn } from "../blocks/mrkdwn.js";
import { h, icon, unseen } from "../dom.js";
import { toast } from "../notices.js";
import { hash } from "../routes.js";
import { dismiss, logOf, me, statusOf } from "../store.js";
import { clock, dateOf, dayOf, fullTime, shortClock } from "../time.js";
import { avatar } from "./avatar.js";
import { statusLine } from "./status.js";

const PAUSE = 300; // seconds after which a writer's name is shown again

/** A message on screen. `place` is {channel, inThread}. */
export class MessageView {
  #place;
  #made = [];
  #content = h("div", { class: "content" });
  #day = h("div", { class: "day" });

  constructor(message, place) {
    this.#place = place;
    this.element = h("li", { class: "message", tabindex: "-1", "data-ts": message.ts });
    this.element.append(this.#day, h("div", { class: "message-row" }, h("div", { class: "gutter" }), this.#content));
    this.update(message);
  }

  /** Show the message as it is now. */
  update(message) {
    this.message = message;
    const { element } = this;
    element.classList.toggle("ephemeral", Boolean(message.ephemeral_to));
    element.classList.toggle("streaming", message.stream === "open");
    element.setAttribute("aria-label", `${message.name}, ${fullTime(dateOf(message.ts))}`);
    element.querySelector(".gutter").replaceChildren(this.#gutter());
    this.#reconcile();
  }

  /** Whether it goes on without a name below the one before; and the day, where a new one begins. */
  follow(before) {
    const { message } = this;
    const newDay = !before || dayOf(dateOf(before.ts)) !== dayOf(dateOf(message.ts));
    const same = before && before.name === message.name && !before.ephemeral_to && !message.ephemeral_to;
    const compact = Boolean(same && !newDay && message.ts - before.ts < PAUSE && before.subtype !== "tombstone");
    this.element.classList.toggle("compact", compact);
    this.element.classList.toggle("new-day", newDay);
    if (newDay && !this.#place.inThread) this.#day.replaceChildren(h("h2", {}, dayOf(dateOf(message.ts))));
    else this.#day.replaceChildren();
  }

  #gutter() {
    const { message } = this;
    const date = dateOf(message.ts);
    return h("div", {}, avatar(message.name, { bot: Boolean(message.bot) }), h("time", { class: "gutter-time", datetime: date.toISOString(), "aria-hidden": "true" }, shortClock(date)));
  }

  #reconcile() {
    const wanted = this.#parts();
    const before = new Map(this.#made.map((part) => [part.key, part.node]));
    this.#made = wanted.map(({ key, make }) => ({ key, node: before.get(key) || make() }));
    const nodes = this.#made.map((part) => part.node);
    nodes.forEach((node, number) => {
      if (this.#content.children[number] !== node) this.#content.insertBefore(node, this.#content.children[number] || null);
    });
    while (this.#content.children.length > nodes.length) this.#content.lastElementChild.remove();
  }

  /** What the message consists of, from top to bottom: a key that changes with what is shown, and how to make it. */
  #parts() {
    const { message } = this;
    const parts = [["meta", [message.name, message.bot, message.ephemeral_to], () => this.#meta()]];
    const context = { act: (element, block, value) => this.#act(element, value), level: this.#place.inThread ? 2 : 3 };
    message.blocks.forEach((block, number) => parts.push([`block ${number}`, block, () => renderBlock(block, context)]));
    if (!message.blocks.length && message.text) parts.push(["text", message.text, () => this.#text()]);
    message.attachments.forEach((each, number) =>
      parts.push([`attachment ${number}`, each, () => attachment(each, (each.blocks || []).map((block) => renderBlock(block, context)))]),
    );
    message.files.forEach((each) => parts.push([`file ${each.id}`, each, () => file(each)]));
    const marks = [message.edited && !message.stream, message.stream];
    if (marks.some(Boolean)) parts.push(["marks", marks, () => this.#marks()]);
    const reactions = Object.entries(message.reactions || {});
    if (reactions.length) parts.push(["reactions", [reactions, me().id], () => this.#reactions(reactions)]);
    const foot = this.#footKey();
    if (foot) parts.push(["foot", foot, () => this.#foot()]);
    return parts.map(([name, value, make]) => ({ key: `${name} ${JSON.stringify(value)}`, make }));
  }

  #meta() {
    const { message } = this;
    const date = dateOf(message.ts);
    const only = message.ephemeral_to && h("p", { class: "only-you" }, icon("eye"), "Only visible to you", this.#dismissal());
    const name = h("span", { class: "author" }, message.name);
    const badge = message.bot && h("span", { class: "app-badge" }, "APP");
    return h("div", { class: only ? "meta private" : "meta" }, only, name, badge, h("time", { class: "when", datetime: date.toISOString(), title: fullTime(date) }, clock(date)));
  }

  #dismissal() {
    return h("button", { type: "button", class: "link-button", onclick: () => dismiss(this.#place.channel, this.message) }, "Dismiss", unseen(" this message"));
  }

  #text() {
    const shown = this.message.subtype === "tombstone" ? h("em", {}, this.message.text) : mrkdwn(this.message.notification ?? this.message.text);
    return h("div", { class: "words" }, shown);
  }

  #marks() {
    const { message } = this;
    const words = [];
    if (message.edited && !message.stream) words.push(h("span", { class: "mark" }, "(edited)"));
    if (message.stream === "stopped_by_user") words.push(h("span", { class: "mark" }, "Somebody stopped this answer."));
    if (message.stream === "open") {
      const stop = () => order("/api/slack/streams/stop", { channel: this.#place.channel, ts: message.ts, user: me().id });
      words.push(h("span", { class: "cursor", "aria-hidden": "true" }), h("button", { type: "button", class: "button small", onclick: stop }, icon("stop"), "Stop"));
    }
    return h("div", { class: "marks" }, words);
  }

  #reactions(all) {
    return h("div", { class: "reactions" }, all.map(([name, users]) => {
      const mine = users.includes(me().id);
      const label = `${name.replaceAll("_", " ")}, ${users.length} ${users.length === 1 ? "person" : "people"}`;
      const change = () => this.react(name, mine);
      return h("button", { type: "button", class: "reaction", "aria-pressed": String(mine), "aria-label": label, title: `:${name}:`, onclick: change }, emojiOf(name), h("span", {}, String(users.length)));
    }));
  }

  /** React as whoever is at the keyboard, or take it back. */
  react(name, remove = false) {
    return order("/api/slack/reactions", { channel: this.#place.channel, ts: this.message.ts, user: me().id, name, remove });
  }

  #footKey() {
    const { message } = this;
    if (this.#place.inThread) return null;
    const replies = [...(logOf(this.#place.channel).replies.get(message.ts) || [])];
    const status = statusOf(this.#place.channel, message.ts);
    return replies.length || status ? [replies, status?.status] : null;
  }

  #foot() {
    const { message } = this;
    const replies = [...(logOf(this.#place.channel).replies.get(message.ts) || [])].sort();
    const status = statusOf(this.#place.channel, message.ts);
    const names = [...new Set(replies.map(([, name]) => name))].slice(0, 4);
    const last = replies.at(-1);
    const link = last && h(
      "a",
      { class: "thread-link", href: hash(["chat", this.#place.channel, message.ts]) },
      names.map((name) => avatar(name, { bot: name === "SRE Bot", size: "small" })),
      h("b", {}, `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`),
      h("span", {}, `Last reply ${clock(dateOf(last[0]))}`),
    );
    return h("div", { class: "foot" }, link, status && statusLine(status));
  }

  async #act(element, value) {
    const { message } = this;
    const body = { channel: this.#place.channel, ts: message.ts, user: me().id, action_id: element.action_id };
    const answer = await order("/api/slack/actions", value === undefined ? body : { ...body, value });
    if (answer && !answer.delivered) toast("Nobody took the click: the bot is not connected.");
  }
}
