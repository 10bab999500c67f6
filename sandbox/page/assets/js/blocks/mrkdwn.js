// Slack's own markup. It is read by hand, one character after the other, and becomes elements, never markup.

import { h } from "../dom.js";
import { EMOJI, withEmoji } from "./emoji.js";
import { control, link, unescape } from "./mentions.js";

const STYLES = { "*": "strong", _: "em", "~": "s" };
const EDGE = /[\s\p{P}\p{S}\u200b\u2060]/u;
const URL = /^https?:\/\/[^\s<>|]*[^\s<>|.,;:!?)\]'"*_~`]/;

/** The children of a mrkdwn text: paragraphs' words, quotes and preformatted parts. `verbatim` makes no links. */
export function mrkdwn(text, verbatim = false) {
  return text.split(/```/).flatMap((part, number, all) => {
    const fenced = number % 2 === 1 && number < all.length - 1;
    if (fenced) return [h("pre", { tabindex: "0" }, h("code", {}, codeOf(part)))];
    return lines(number % 2 === 1 ? `\`\`\`${part}` : part, verbatim);
  });
}

/** A text object: mrkdwn, or plain text with emoji. */
export function textOf(object) {
  if (object.type === "mrkdwn") return mrkdwn(object.text, object.verbatim);
  return [object.emoji === false ? object.text : withEmoji(object.text)];
}

/** A text object's words, for a label. */
export function wordsOf(object) {
  return h("span", {}, textOf(object)).textContent;
}

function codeOf(text) {
  const inner = text.replace(/^\n/, "").replace(/\n$/, "");
  return unescape(inner.replace(/<(https?:[^|>]+)(?:\|([^>]*))?>/g, (_, url, label) => label || url));
}

function lines(text, verbatim) {
  const found = [];
  let quoted = [];
  const endQuote = () => {
    if (quoted.length) found.push(h("blockquote", {}, inlineLines(quoted, verbatim)));
    quoted = [];
  };
  let plain = [];
  const endPlain = () => {
    if (plain.some((line) => line.trim())) found.push(...inlineLines(plain, verbatim));
    plain = [];
  };
  for (const line of text.split("\n")) {
    const quote = /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (quote) {
      endPlain();
      quoted.push(quote[1]);
    } else {
      endQuote();
      plain.push(line);
    }
  }
  endQuote();
  endPlain();
  return found;
}

function inlineLines(all, verbatim) {
  return all.flatMap((line, number) => [number ? h("br") : null, ...inline(line, verbatim)]);
}

function inline(text, verbatim) {
  const found = [];
  let pending = "";
  const flush = () => {
    if (pending) found.push(unescape(pending));
    pending = "";
  };
  let at = 0;
  while (at < text.length) {
    const match = special(text, at, verbatim);
    if (match) {
      flush();
      found.push(match.node);
      at += match.length;
    } else {
      pending += text[at];
      at += 1;
    }
  }
  flush();
  return found;
}

/** What begins at a place of the text and is no plain character: {node, length}; null for nothing. */
function special(text, at, verbatim) {
  const rest = text.slice(at);
  switch (text[at]) {
    case "<": {
      const match = /^<([^<>\n]+)>/.exec(rest);
      return match && { node: control(match[1]), length: match[0].length };
    }
    case "`": {
      const match = /^`([^`\n]+)`/.exec(rest);
      return match && { node: h("code", {}, unescape(match[1])), length: match[0].length };
    }
    case ":": {
      const match = /^:([a-z0-9_+'-]+):/.exec(rest);
      return match && EMOJI.has(match[1]) ? { node: EMOJI.get(match[1]), length: match[0].length } : null;
    }
    case "*":
    case "_":
    case "~":
      return styled(text, at, verbatim);
    case "h": {
      const match = verbatim || (at && /\w/.test(text[at - 1])) ? null : URL.exec(rest);
      return match && { node: link(unescape(match[0])), length: match[0].length };
    }
    default:
      return null;
  }
}

/** `*bold*` and its like: between edges of words, with no space inside its marks. */
function styled(text, at, verbatim) {
  const mark = text[at];
  if ((at && !EDGE.test(text[at - 1])) || /\s|^$/.test(text[at + 1] || "") || text[at + 1] === mark) return null;
  let end = text.indexOf(mark, at + 2);
  while (end > 0 && (/\s/.test(text[end - 1]) || (end + 1 < text.length && !EDGE.test(text[end + 1])))) {
    end = text.indexOf(mark, end + 1);
  }
  if (end < 0) return null;
  const inner = inline(text.slice(at + 1, end), verbatim);
  return { node: h(STYLES[mark], {}, inner), length: end + 1 - at };
}
