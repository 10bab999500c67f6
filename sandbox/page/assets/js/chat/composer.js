// Where people write: Enter sends, Shift and Enter begins a line; files can be attached, pasted or dropped.

import { order } from "../api.js";
import { h, icon, iconButton } from "../dom.js";
import { toast } from "../notices.js";
import { me, world } from "../store.js";
import { Completion } from "./completion.js";

const drafts = new Map();
const MOST_BYTES = 8 * 1024 * 1024;
const MOST_HEIGHT = 220; // pixels

/** The composer of a channel, or of a thread in it. */
export class Composer {
  #files = [];

  constructor({ channel, thread = null, label }) {
    this.channel = channel;
    this.thread = thread;
    this.key = `${channel}/${thread || ""}`;
    const conversation = world.conversations.get(channel);
    this.field = h("textarea", { class: "composer-field", rows: "1", "aria-label": label, placeholder: label, value: drafts.get(this.key) || "" });
    this.completion = new Completion(this.field, { members: conversation.members, commands: Boolean(thread) || conversation.is_im });
    this.chosen = h("div", { class: "composer-files" });
    this.picker = h("input", { type: "file", multiple: true, hidden: true, onchange: () => this.#attach([...this.picker.files]) });
    this.send = h("button", { type: "submit", class: "icon-button send", "aria-label": "Send", title: "Send" }, icon("send"));
    const mention = h("button", { type: "button", class: "icon-button", "aria-label": "Mention somebody", title: "Mention somebody", onclick: () => this.#at() }, "@");
    const attach = iconButton("clip", "Attach files", () => this.picker.click());
    const foot = h("div", { class: "composer-foot" }, attach, mention, h("span", { class: "composer-hint", "aria-hidden": "true" }, "Enter sends · Shift+Enter for a new line"), this.send);
    this.element = h("form", { class: "composer", onsubmit: (event) => this.#submit(event) }, this.completion.list, this.field, this.chosen, this.picker, foot);
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.field.addEventListener("input", () => this.#changed());
    this.field.addEventListener("paste", (event) => event.clipboardData.files.length && this.#attach([...event.clipboardData.files]));
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#attach([...event.dataTransfer.files]);
    });
    this.#changed();
  }

  focus() {
    this.field.focus({ preventScroll: true });
  }

  /** Put words in the field, as a suggested prompt does, and send them. */
  say(text) {
    this.field.value = text;
    return this.#submit();
  }

  #key(event) {
    if (this.completion.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.element.requestSubmit();
    }
  }

  #changed() {
    drafts.set(this.key, this.field.value);
    this.send.disabled = !this.field.value.trim() && !this.#files.length;
    if (CSS.supports("field-sizing: content") || !this.field.isConnected) return;
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, MOST_HEIGHT)}px`;
  }

  #at() {
    const { value, selectionStart } = this.field;
    const space = selectionStart && !/\s/.test(value[selectionStart - 1]) ? " " : "";
    this.field.setRangeText(`${space}@`, selectionStart, selectionStart, "end");
    this.focus();
    this.field.dispatchEvent(new Event("input"));
  }

  async #attach(files) {
    for (const file of files) {
      if (file.size > MOST_BYTES) toast(`${file.name} is larger than 8 MB, which is more than the sandbox takes.`);
      else this.#files.push({ name: file.name, mimetype: file.type || "application/octet-stream", base64: await base64Of(file) });
    }
    this.picker.value = "";
    this.#showFiles();
  }

  #showFiles() {
    const chips = this.#files.map((file, number) =>
      h("span", { class: "chip" }, icon("file"), file.name, iconButton("close", `Do not attach ${file.name}`, () => (this.#files.splice(number, 1), this.#showFiles()))),
    );
    this.chosen.replaceChildren(...chips);
    this.#changed();
  }

  async #submit(event) {
    event?.preventDefault();
    const text = this.field.value.trim();
    const files = this.#files;
    if (!text && !files.length) return;
    this.field.value = "";
    this.#files = [];
    this.#showFiles();
    const message = { channel: this.channel, user: me().id, text, ...(this.thread ? { thread_ts: this.thread } : {}), ...(files.length ? { files } : {}) };
    if (await order("/api/slack/messages", message)) return;
    this.field.value ||= text; // what was refused is not lost
    this.#files = files;
    this.#showFiles();
  }
}

async function base64Of(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}
