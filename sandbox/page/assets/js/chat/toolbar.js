// What can be done with a message: one toolbar for a whole list, at the message under the pointer or with the focus.

import { order } from "../api.js";
import { EMOJI, OFTEN } from "../blocks/emoji.js";
import { ask } from "../dialog.js";
import { h, iconButton } from "../dom.js";
import { openMenu } from "../menu.js";
import { go } from "../routes.js";
import { me } from "../store.js";
import { editInPlace } from "./editing.js";

export class Toolbar {
  #list;
  #view = null;

  constructor(list) {
    this.#list = list;
    this.react = iconButton("smile", "Add a reaction", () => this.#pick(), { "aria-haspopup": "menu" });
    this.reply = iconButton("reply", "Reply in the thread", () => go(["chat", list.place.channel, this.#message().thread_ts || this.#message().ts]));
    this.edit = iconButton("edit", "Edit your message", () => editInPlace(this.#view, list.place));
    this.remove = iconButton("trash", "Delete your message", () => this.#delete());
    this.element = h("div", { class: "toolbar", role: "group", "aria-label": "This message" }, this.react, this.reply, this.edit, this.remove);
    list.list.addEventListener("pointerover", (event) => this.#move(event));
    list.list.addEventListener("focusin", (event) => this.#move(event));
    list.element.addEventListener("pointerleave", () => !this.element.contains(document.activeElement) && this.#leave());
  }

  #leave() {
    this.element.parentElement?.classList.remove("with-toolbar");
    this.element.remove();
  }

  #message() {
    return this.#view.message;
  }

  #move(event) {
    const at = event.target.closest(".message");
    const view = at && this.#list.view(at.dataset.ts);
    if (!view || this.element.contains(event.target)) return;
    if (view.message.ephemeral_to || view.message.subtype === "tombstone") {
      this.#leave();
      return;
    }
    this.#view = view;
    this.reply.hidden = this.#list.place.inThread;
    const own = view.message.user === me().id;
    this.edit.hidden = this.remove.hidden = !own;
    if (this.element.parentElement === at) return;
    this.#leave();
    at.append(this.element);
    at.classList.add("with-toolbar");
  }

  #pick() {
    const view = this.#view;
    const items = OFTEN.map((name) => ({ label: name.replaceAll("_", " "), shown: EMOJI.get(name), choose: () => view.react(name) }));
    openMenu(this.react, items, { name: "Reactions", className: "menu emoji-menu" });
  }

  async #delete() {
    const { ts } = this.#message();
    if (await ask("Delete this message?", "It is gone for everybody.", "Delete", "danger")) {
      await order("/api/slack/messages/delete", { channel: this.#list.place.channel, ts });
    }
  }
}
