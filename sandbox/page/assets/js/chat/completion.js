// Completion while somebody writes: @people, #channels, :emoji:, and after a / at the beginning what the bot understands
// as words in a thread. A list beside the text field, steered from the field.

import { h, icon } from "../dom.js";
import { announce } from "../notices.js";
import { myConversations, world } from "../store.js";
import { EMOJI } from "../blocks/emoji.js";
import { avatar } from "./avatar.js";

const MOST = 8;
const WORD = /(^|[\s(])([@#:])([^\s@#:]*(?: [^\s@#:]+)?)$/;
const SLASH = /^\/(\w*)$/;

const COMMANDS = [
  ["stop", "End what the bot is doing in this thread"],
  ["catch up", "Have it told what happened in this thread so far"],
  ["approve ", "Approve a proposal: approve and its number"],
  ["reject ", "Reject a proposal: reject, its number and why"],
];

const SOURCES = {
  "@": (members) =>
    [...world.people.values()]
      .filter((person) => members.includes(person.id))
      .map((person) => ({ words: person.name, about: person.real_name === person.name ? "" : person.real_name, insert: `@${person.name} `, shown: avatar(person.name, { bot: person.is_bot, size: "small" }) })),
  "#": () => myConversations().filter((each) => each.name).map((each) => ({ words: each.name, about: "", insert: `#${each.name} `, shown: icon("hash") })),
  ":": () => [...EMOJI].map(([name, character]) => ({ words: name, about: "", insert: `:${name}: `, shown: character })),
};

let last = 0;

/** Completion for one text field; `members` are the ids of those who can be mentioned. */
export class Completion {
  #field;
  #members;
  #items = [];
  #chosen = 0;
  #from = 0;

  constructor(field, { members, commands }) {
    this.#field = field;
    this.#members = members;
    this.commands = commands;
    this.id = `completion-${(last += 1)}`;
    this.list = h("ul", { class: "completion", role: "listbox", id: this.id, "aria-label": "Suggestions", hidden: true });
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.id);
    field.addEventListener("input", () => this.#look());
    field.addEventListener("blur", () => this.#close());
    field.addEventListener("click", () => this.#look());
  }

  /** Take a key; true where it was meant for the list. */
  key(event) {
    if (this.list.hidden) return false;
    const count = this.#items.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.#choose((this.#chosen + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
    } else if (event.key === "Enter" || event.key === "Tab") {
      this.#take(this.#items[this.#chosen]);
    } else if (event.key === "Escape") {
      this.#close();
    } else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  #look() {
    const before = this.#field.value.slice(0, this.#field.selectionStart);
    const slash = this.commands && SLASH.exec(before);
    const word = WORD.exec(before);
    if (slash) {
      this.#from = 0;
      this.#offer(COMMANDS.filter(([words]) => words.startsWith(slash[1])).map(([words, about]) => ({ words: words.trim(), about, insert: words, shown: "/" })));
    } else if (word) {
      this.#from = before.length - word[3].length - 1;
      this.#offer(matching(SOURCES[word[2]](this.#members), word[3].toLowerCase(), word[2]));
    } else this.#close();
  }

  #offer(items) {
    this.#items = items.slice(0, MOST);
    if (!this.#items.length) {
      this.#close();
      return;
    }
    this.list.replaceChildren(...this.#items.map((item, number) => this.#option(item, number)));
    if (this.list.hidden) announce(`${this.#items.length} suggestions`);
    this.list.hidden = false;
    this.#choose(0);
  }

  #option(item, number) {
    const option = h("li", { role: "option", id: `${this.id}-${number}`, "aria-selected": "false" }, h("span", { class: "completion-shown" }, item.shown), h("b", {}, item.words), item.about && h("small", {}, item.about));
    option.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.#take(item);
    });
    return option;
  }

  #choose(number) {
    this.#chosen = number;
    [...this.list.children].forEach((option, each) => option.setAttribute("aria-selected", String(each === number)));
    this.#field.setAttribute("aria-activedescendant", `${this.id}-${number}`);
  }

  #take(item) {
    const { value, selectionStart } = this.#field;
    this.#field.value = value.slice(0, this.#from) + item.insert + value.slice(selectionStart);
    const caret = this.#from + item.insert.length;
    this.#field.setSelectionRange(caret, caret);
    this.#close();
    this.#field.dispatchEvent(new Event("input"));
    this.#close();
  }

  #close() {
    this.list.hidden = true;
    this.#field.removeAttribute("aria-activedescendant");
  }
}

/** Items that begin with what was typed, then those with it at the beginning of a later word. */
function matching(items, typed, kind) {
  if (kind === ":" && typed.length < 2) return [];
  const starts = (item) => item.words.toLowerCase().startsWith(typed);
  const later = (item) => `${item.words} ${item.about}`.toLowerCase().split(/\s+/).some((word) => word.startsWith(typed));
  const complete = typed && items.some((item) => `${item.words} `.toLowerCase() === typed);
  if (complete) return [];
  return [...items.filter(starts), ...items.filter((item) => !starts(item) && later(item))];
}
