// Pictures, files and the older attachments of a message.

import { h, icon } from "../dom.js";
import { dateOf, fullTime } from "../time.js";
import { link } from "./mentions.js";
import { mrkdwn } from "./mrkdwn.js";

const ID = /\/files\/(F[0-9A-Z]+)/;

/** A picture of an image block, an accessory or a context. Those that would come from elsewhere are links. */
export function picture(element, size) {
  const id = element.slack_file?.id || ID.exec(element.slack_file?.url || element.image_url || "")?.[1];
  if (id) return h("img", { class: `picture ${size}`, src: `/api/slack/files/${id}`, alt: element.alt_text, loading: "lazy" });
  return h(
    "span",
    { class: `picture-elsewhere ${size}` },
    icon("file"),
    link(element.image_url || element.slack_file?.url || "", element.alt_text),
  );
}

/** A file below a message: a picture is shown, anything else is a line that downloads it. */
export function file(record) {
  const href = `/api/slack/files/${record.id}`;
  const words = `${record.title || record.name}`;
  if (/^image\/(png|jpeg|gif|webp)$/.test(record.mimetype)) {
    const alt = record.alt_txt || words;
    const shown = h("img", { class: "picture full", src: href, alt, loading: "lazy" });
    return h("figure", { class: "file-picture" }, h("figcaption", {}, words), h("a", { href, target: "_blank", rel: "noopener" }, shown));
  }
  const size = `${record.filetype} · ${bytes(record.size)}`;
  return h("a", { class: "file", href, download: record.name }, icon("file"), h("span", {}, h("b", {}, words), h("small", {}, size)));
}

function bytes(count) {
  return count < 1024 ? `${count} B` : count < 1024 ** 2 ? `${(count / 1024).toFixed(1)} kB` : `${(count / 1024 ** 2).toFixed(1)} MB`;
}

const NAMED = { good: "#2a9d6f", warning: "#d9930d", danger: "#d23b48" };

/** An attachment as older apps send it; `renderBlock` shows the blocks in it. */
export function attachment(given, blocks) {
  const box = h(
    "div",
    { class: "attachment" },
    given.pretext && h("div", { class: "pretext" }, mrkdwn(given.pretext)),
    given.author_name && h("div", { class: "attachment-author" }, given.author_name),
    given.title && h("div", { class: "attachment-title" }, given.title_link ? link(given.title_link, given.title) : given.title),
    given.text && h("div", { class: "words" }, mrkdwn(given.text)),
    given.fields && h("div", { class: "fields" }, given.fields.map((each) => h("div", {}, h("b", {}, each.title), h("br"), mrkdwn(each.value || "")))),
    blocks,
    given.image_url && picture({ image_url: given.image_url, alt_text: given.fallback || "A picture" }, "full"),
    given.footer && h("div", { class: "attachment-footer" }, given.footer, given.ts && ` · ${fullTime(dateOf(given.ts))}`),
    !given.text && !given.title && !given.blocks && given.fallback && h("div", {}, given.fallback),
  );
  const color = NAMED[given.color] || (/^#?[0-9a-f]{6}$/i.test(given.color || "") ? `#${given.color.replace("#", "")}` : "");
  if (color) box.style.borderInlineStartColor = color;
  return box;
}
