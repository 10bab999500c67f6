// The messages of a channel or a thread: in order, at the end unless somebody scrolled up, arrow keys between them.

import { announce } from "../notices.js";
import { h, icon } from "../dom.js";
import { MessageView } from "./message.js";
import { Toolbar } from "./toolbar.js";

const NEAR = 80; // pixels from the end that count as being there
const AT_ONCE = 120; // messages that are shown before somebody scrolls up

/** A scrolling list; `place` is {channel, inThread}. */
export class MessageList {
  #views = new Map();
  #messages = [];
  #earlier = 0;
  #stuck = true;

  constructor(place, label) {
    this.place = place;
    this.list = h("ol", { class: place.inThread ? "messages alone" : "messages", "aria-label": label });
    this.more = h("button", { type: "button", class: "button earlier", hidden: true, onclick: () => this.#showEarlier() }, "Show earlier messages");
    this.jump = h("button", { type: "button", class: "jump", hidden: true, onclick: () => this.toEnd() }, icon("arrow"), "New messages");
    this.beginning = h("div", { class: "beginning" });
    this.scroller = h("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": label }, this.more, this.beginning, this.list);
    this.element = h("div", { class: "message-list" }, this.scroller, this.jump);
    this.toolbar = new Toolbar(this);
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.list.addEventListener("keydown", (event) => this.#steer(event));
    this.resize = new ResizeObserver(() => this.#stuck && this.#scrollToEnd());
    this.resize.observe(this.list);
    this.resize.observe(this.scroller);
  }

  /** Show these messages, in this order. */
  show(messages) {
    const known = this.#messages.length > 0;
    const fresh = known ? messages.filter((message) => !this.#views.has(message.ts)) : [];
    this.#messages = messages;
    if (!known) this.#earlier = Math.max(0, messages.length - AT_ONCE);
    this.#render();
    for (const message of fresh.slice(-3)) this.#tell(message);
  }

  /** Show one message again, which changed in place; false where it is not here. */
  change(message) {
    const view = this.#views.get(message.ts);
    if (!view) return false;
    const wasStreaming = view.message.stream === "open";
    view.update(message);
    this.#messages = this.#messages.map((each) => (each.ts === message.ts ? message : each));
    if (wasStreaming && message.stream !== "open") this.#tell(message);
    return true;
  }

  /** Draw the foot of a message again: its replies or its status changed. */
  refresh(ts) {
    const view = this.#views.get(ts);
    view?.update(view.message);
  }

  view(ts) {
    return this.#views.get(ts);
  }

  toEnd() {
    this.#stuck = true;
    this.jump.hidden = true;
    this.#scrollToEnd();
  }

  destroy() {
    this.resize.disconnect();
  }

  #render() {
    const shown = this.#messages.slice(this.#earlier);
    this.more.hidden = this.#earlier === 0;
    this.beginning.hidden = this.#earlier > 0;
    const wanted = new Set(shown.map((message) => message.ts));
    for (const [ts, view] of this.#views) {
      if (!wanted.has(ts)) {
        view.element.remove();
        this.#views.delete(ts);
      }
    }
    let before = null;
    let node = this.list.firstElementChild;
    for (const message of shown) {
      let view = this.#views.get(message.ts);
      if (!view) {
        view = new MessageView(message, this.place);
        this.#views.set(message.ts, view);
      } else if (view.message !== message) view.update(message);
      view.follow(before);
      if (node === view.element) node = node.nextElementSibling;
      else this.list.insertBefore(view.element, node);
      before = message;
    }
    const end = this.list.lastElementChild;
    if (end && !this.list.querySelector('.message[tabindex="0"]')) end.tabIndex = 0;
    if (this.#stuck) this.#scrollToEnd();
  }

  #showEarlier() {
    const height = this.scroller.scrollHeight;
    this.#stuck = false;
    this.#earlier = Math.max(0, this.#earlier - AT_ONCE);
    this.#render();
    this.scroller.scrollTop += this.scroller.scrollHeight - height;
  }

  #tell(message) {
    if (!this.#stuck) this.jump.hidden = false;
    if (message.stream !== "open") announce(`${message.name}: ${(message.text || message.notification || "").slice(0, 300)}`);
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.#stuck = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#stuck) this.jump.hidden = true;
  }

  #scrollToEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #steer(event) {
    const at = event.target;
    if (!at.classList.contains("message")) return;
    const next = { ArrowDown: at.nextElementSibling, ArrowUp: at.previousElementSibling, Home: this.list.firstElementChild, End: this.list.lastElementChild }[event.key];
    if (!next) return;
    event.preventDefault();
    at.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}
