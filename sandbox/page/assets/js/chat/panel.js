// The place "Chat": the list of conversations, one of them, and a thread beside it.

import { Scope } from "../bus.js";
import { h } from "../dom.js";
import { openModal } from "../dialog.js";
import { go } from "../routes.js";
import { me, myConversations, world } from "../store.js";
import { Conversation, countUnread } from "./conversation.js";
import { appHeader, Home, openTab } from "./home.js";
import { Sidebar } from "./sidebar.js";
import { Thread } from "./thread.js";

export class ChatPanel {
  #scope = new Scope();
  #shown = { conversation: "", thread: "" };
  #conversation = null;
  #thread = null;

  constructor() {
    this.sidebar = new Sidebar();
    this.element = h("div", { class: "chat" }, this.sidebar.element);
    this.#scope.on("happened", countUnread(() => this.#open()));
    this.#scope.on("modal", ({ user, view }) => user === me().id && openModal(view));
    this.#scope.on("me", () => this.#again());
  }

  /** Show what the address says: ["chat", channel?, thread?] or ["app", tab, thread?]. */
  show([kind, id, thread]) {
    if (kind === "chat" && id && id === directWithApp()) {
      this.show(["app", "messages", thread]); // a thread of the direct messages, as links name it
      return;
    }
    const channel = kind === "app" ? directWithApp() : this.#channel(id);
    if (!channel) return;
    if (kind === "chat" && !id && innerWidth > 720) {
      go(["chat", channel], { replace: true });
      return;
    }
    this.element.dataset.pane = thread ? "thread" : id ? "conversation" : "list";
    this.sidebar.show(kind === "app" ? ["app", id] : ["chat", channel]);
    this.#showConversation(kind === "app" ? `app/${id}` : channel, kind, id, channel);
    this.#showThread(channel, thread, kind === "app" ? ["app", id] : ["chat", channel]);
  }

  #open() {
    return this.element.isConnected && this.#conversation?.channel ? [this.#conversation.channel] : [];
  }

  #channel(id) {
    const mine = myConversations();
    if (mine.some((each) => each.id === id)) return id;
    const first = mine.find((each) => each.members.includes(world.bot) && !each.is_im) || mine[0];
    if (id) go(["chat", first.id], { replace: true });
    return id ? null : first.id;
  }

  #showConversation(key, kind, tab, channel) {
    if (key === this.#shown.conversation) return;
    this.#shown.conversation = key;
    this.#conversation?.destroy();
    this.#conversation?.element.remove();
    if (kind === "app" && tab !== "messages") this.#conversation = new Home();
    else {
      this.#conversation = new Conversation(channel, { header: kind === "app" ? appHeader("messages") : null });
      if (kind === "app") openTab("messages");
    }
    this.sidebar.element.after(this.#conversation.element);
    if (matchMedia("(hover: hover)").matches) this.#conversation.composer?.focus();
  }

  #showThread(channel, ts, back) {
    const key = ts ? `${channel}/${ts}` : "";
    if (key === this.#shown.thread) return;
    this.#shown.thread = key;
    this.#thread?.destroy();
    this.#thread?.element.remove();
    this.#thread = ts ? new Thread(channel, ts, { back }) : null;
    if (this.#thread) {
      this.element.append(this.#thread.element);
      if (matchMedia("(hover: hover)").matches) this.#thread.composer?.focus();
    }
  }

  /** Somebody else is at the keyboard: everything is shown as they see it. */
  #again() {
    this.#shown = { conversation: "", thread: "" };
    dispatchEvent(new HashChangeEvent("hashchange"));
  }
}

function directWithApp() {
  return myConversations().find((each) => each.is_im)?.id;
}
