// One channel, or the app's messages: heading, list, suggested prompts, composer.

import { Scope } from "../bus.js";
import { h, icon, refill } from "../dom.js";
import { hash } from "../routes.js";
import { loadChannel, logOf, me, unread, visible, world } from "../store.js";
import { emit } from "../bus.js";
import { Composer } from "./composer.js";
import { MessageList } from "./message_list.js";

export class Conversation {
  #scope = new Scope();

  constructor(channel, { header = null } = {}) {
    this.channel = channel;
    const conversation = world.conversations.get(channel);
    this.list = new MessageList({ channel, inThread: false }, conversation.is_im ? "Messages with the app" : `Messages in ${conversation.name}`);
    refill(this.list.beginning, beginning(conversation));
    this.prompts = h("div", { class: "prompts" });
    this.foot = h("div", { class: "conversation-foot" }, this.prompts, this.#writing(conversation));
    this.element = h("section", { class: "conversation pane", "aria-label": conversation.is_im ? "Messages" : conversation.name }, header || heading(conversation), this.list.element, this.foot);
    this.#scope.on("messages", (data) => data.channel === channel && this.#take(data));
    this.#scope.on("status", (data) => data.channel === channel && this.list.refresh(data.ts));
    this.#scope.on("prompts", (data) => data.channel === channel && this.#suggest());
    this.#load();
  }

  destroy() {
    this.#scope.end();
    this.list.destroy();
  }

  async #load() {
    try {
      await loadChannel(this.channel);
    } catch (error) {
      refill(this.list.scroller, h("p", { class: "empty" }, error.message));
      return;
    }
    this.#show();
    this.#suggest();
    this.#read();
  }

  #writing(conversation) {
    if (conversation.is_archived) return h("p", { class: "no-composer" }, "This channel is archived: nobody can write here.");
    const name = conversation.is_im ? `Message ${world.people.get(world.bot).name}` : `Message #${conversation.name}`;
    this.composer = new Composer({ channel: this.channel, label: name });
    return this.composer.element;
  }

  #show() {
    this.list.show(visible(logOf(this.channel).top));
  }

  #take({ ts, thread_ts: parent, message }) {
    if (!message || !this.list.change(message)) this.#show();
    if (parent && parent !== ts) this.list.refresh(parent);
    this.#read();
  }

  #read() {
    if (document.visibilityState === "visible" && unread.delete(this.channel)) emit("unread");
  }

  #suggest() {
    const offered = logOf(this.channel).prompts;
    if (!offered || !this.composer) return;
    const buttons = offered.prompts.map((prompt) => h("button", { type: "button", class: "button prompt", onclick: () => this.composer.say(prompt.message) }, prompt.title));
    refill(this.prompts, offered.title && h("p", {}, offered.title), h("div", { class: "prompt-row" }, buttons));
  }
}

function heading(conversation) {
  const people = conversation.members.length;
  return h(
    "header",
    { class: "pane-head" },
    backTo(["chat"], "All conversations"),
    h("h1", {}, icon(conversation.is_private ? "lock" : "hash"), conversation.name),
    h("p", { class: "pane-about" }, `${people} members${conversation.is_ext_shared ? " · shared with another organization" : ""}${conversation.members.includes(world.bot) ? "" : " · the bot is not here"}`),
  );
}

function beginning(conversation) {
  const app = world.people.get(world.bot).name;
  if (conversation.is_im) return h("p", {}, `This is the very beginning of your direct messages with ${app}. Only the two of you are here.`);
  const here = conversation.members.includes(world.bot);
  const invitation = here ? ["Mention ", h("b", {}, `@${app}`), " to have something looked into, such as “500 errors spiking on api-server”."] : `${app} is not in this channel and reads nothing of it.`;
  return [h("p", { class: "beginning-name" }, `#${conversation.name}`), h("p", {}, "This is the very beginning of the channel. ", invitation)];
}

/** The way back to the list, on a phone. */
export function backTo(words, label) {
  return h("a", { class: "icon-button back", href: hash(words), "aria-label": label, title: label }, icon("back"));
}

/** Count what comes in where nobody looks; `open` gives the conversations on screen. */
export function countUnread(open) {
  return ({ kind, channel, message }) => {
    if (kind !== "message.posted" || message.user === me().id) return;
    if (open().includes(channel) && document.visibilityState === "visible") return;
    if (!world.conversations.get(channel)?.members.includes(me().id)) return;
    unread.set(channel, (unread.get(channel) || 0) + 1);
    emit("unread");
  };
}
