// The list of conversations, and who is at the keyboard.

import { Scope } from "../bus.js";
import { h, icon, refill, unseen } from "../dom.js";
import { hash } from "../routes.js";
import { actAs, me, myConversations, unread, world } from "../store.js";
import { avatar } from "./avatar.js";

/** The sidebar; `place` says what is open: [kind, id]. */
export class Sidebar {
  #scope = new Scope();
  #place = [];

  constructor() {
    this.lists = h("nav", { class: "sidebar-lists", "aria-label": "Conversations" });
    this.person = h("div", { class: "acting" });
    this.element = h("div", { class: "sidebar" }, h("h1", { class: "workspace" }, "Sandbox workspace"), this.lists, this.person);
    this.#scope.on("unread", () => this.#render());
    this.#scope.on("me", () => this.#render());
    this.#render();
  }

  show(place) {
    this.#place = place;
    this.#render();
  }

  #render() {
    const mine = myConversations();
    const channels = mine.filter((each) => !each.is_im);
    const direct = mine.find((each) => each.is_im);
    const apps = direct && [this.#item("home", ["app", "home"], avatar(botName(), { bot: true, size: "small" }), botName(), direct.id)];
    refill(this.lists, section("Channels", channels.map((each) => this.#channel(each))), apps && section("Apps", apps));
    refill(this.person, avatar(me().name, { size: "medium" }), this.#switch());
  }

  #channel(channel) {
    const drawing = icon(channel.is_private ? "lock" : "hash");
    return this.#item(channel.id, ["chat", channel.id], drawing, channel.name, channel.id, channel.is_archived);
  }

  #item(id, words, drawing, name, conversation, faded = false) {
    const [kind, open] = this.#place;
    const here = kind === words[0] && (kind === "app" || open === id);
    const count = unread.get(conversation) || 0;
    const badge = count ? h("span", { class: "badge" }, String(count), unseen(" unread")) : null;
    const name_ = h("span", { class: "item-name" }, name);
    const classes = ["item", here && "here", count && "unread", faded && "faded"].filter(Boolean).join(" ");
    return h("li", {}, h("a", { class: classes, href: hash(words), "aria-current": here ? "page" : null }, drawing, name_, badge));
  }

  #switch() {
    const people = [...world.people.values()].filter((person) => !person.is_bot && myPlaces(person));
    const options = people.map((person) => h("option", { value: person.id, selected: person.id === me().id }, `${person.name}${role(person)}`));
    const change = (event) => actAs(event.target.value);
    return h("label", { class: "acting-label" }, h("span", {}, "You act as"), h("select", { class: "acting-select", onchange: change }, options));
  }
}

const myPlaces = (person) => [...world.conversations.values()].some((each) => each.members.includes(person.id));

/** The app's name in this workspace. */
export function botName() {
  return world.people.get(world.bot)?.name || "App";
}

function role(person) {
  if (world.approvers.includes(person.id)) return " (may approve)";
  if (person.is_guest) return " (guest)";
  return "";
}

function section(title, items) {
  return [h("h2", {}, title), h("ul", {}, items)];
}
