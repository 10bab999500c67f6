// A thread beside its channel: the message it hangs below, the replies, the status line, a composer.

import { Scope } from "../bus.js";
import { h, icon, refill } from "../dom.js";
import { hash } from "../routes.js";
import { loadThread, statusOf, visible, world } from "../store.js";
import { backTo } from "./conversation.js";
import { Composer } from "./composer.js";
import { MessageList } from "./message_list.js";
import { statusLine } from "./status.js";

export class Thread {
  #scope = new Scope();
  #messages = null;

  constructor(channel, ts, { back }) {
    Object.assign(this, { channel, ts });
    const conversation = world.conversations.get(channel);
    const name = conversation.is_im ? "Direct message" : `#${conversation.name}`;
    const close = h("a", { class: "icon-button close", href: hash(back), "aria-label": "Close the thread", title: "Close the thread" }, icon("close"));
    const head = h("header", { class: "pane-head" }, backTo(back, "Back to the channel"), h("h1", {}, "Thread"), h("p", { class: "pane-about" }, name), close);
    this.list = new MessageList({ channel, inThread: true }, "Thread");
    this.status = h("div", { class: "status", role: "status" });
    this.element = h("section", { class: "thread pane", "aria-label": "Thread" }, head, this.list.element, this.status);
    if (!conversation.is_archived) {
      this.composer = new Composer({ channel, thread: ts, label: "Reply in the thread" });
      this.element.append(h("div", { class: "conversation-foot" }, this.composer.element));
    }
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) location.hash = hash(back);
    });
    this.#scope.on("messages", (data) => this.#take(data));
    this.#scope.on("status", (data) => data.channel === channel && data.ts === ts && this.#showStatus());
    this.#load();
  }

  destroy() {
    this.#scope.end();
    this.list.destroy();
  }

  async #load() {
    try {
      this.#messages = await loadThread(this.channel, this.ts);
    } catch (error) {
      refill(this.list.scroller, h("p", { class: "empty" }, error.message));
      return;
    }
    this.#show();
    this.#showStatus();
  }

  #show() {
    if (this.#messages.size) this.list.show(visible(this.#messages));
    else refill(this.list.scroller, h("p", { class: "empty" }, "This message is not here any more."));
  }

  #take({ channel, thread_ts: parent, message }) {
    if (channel !== this.channel || parent !== this.ts || !this.#messages) return;
    if (!message || !this.list.change(message)) this.#show();
  }

  #showStatus() {
    const status = statusOf(this.channel, this.ts);
    refill(this.status, status && statusLine(status, world.people.get(world.bot).name));
  }
}
