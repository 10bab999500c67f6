"""What Slack makes of Markdown: blocks and a mrkdwn text.

`markdown_text` is stored converted, because that is what read-back returns: an app that compares what it
sent with what it reads must compare something else than its own Markdown.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from sandbox.slack.mentions import CONTROL
from sandbox.slack.rendering import as_mrkdwn

Json = dict[str, Any]
_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_STYLES = {"strong": "bold", "em": "italic", "s": "strike"}
HEADER_MOST = 150


def convert(markdown: str) -> tuple[str, list[Json]]:
    """Markdown -> (the mrkdwn text, the blocks) that Slack stores instead of it."""
    blocks = _Builder().build(_PARSER.parse(markdown))
    return as_mrkdwn(blocks), blocks


@dataclass
class _Builder:
    """Walks the parser's tokens once; neighbouring text shares a rich_text block."""

    blocks: list[Json] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)  # the styles of the lists around the present token
    quotes: int = 0
    heading: bool = False
    in_table: bool = False
    rows: list[list[Json]] = field(default_factory=list)

    def build(self, tokens: list[Token]) -> list[Json]:
        for token in tokens:
            self._take(token)
        return self.blocks

    def _take(self, token: Token) -> None:
        match token.type:
            case "inline":
                self._inline(token)
            case "fence" | "code_block":
                text = [{"type": "text", "text": token.content.rstrip("\n") or " "}]
                self._rich({"type": "rich_text_preformatted", "elements": text})
            case "hr":
                self.blocks.append({"type": "divider"})
            case "table_open":
                self.in_table, self.rows = True, []
                self.blocks.append({"type": "table", "rows": self.rows})
            case "table_close":
                self.in_table = False
            case "tr_open":
                self.rows.append([])
            case _:
                self._nest(token)

    def _nest(self, token: Token) -> None:
        match token.type:
            case "heading_open" | "heading_close":
                self.heading = token.nesting == 1
            case "blockquote_open" | "blockquote_close":
                self.quotes += token.nesting
            case "bullet_list_open" | "ordered_list_open":
                self.lists.append(token.type.removesuffix("_list_open"))
            case "bullet_list_close" | "ordered_list_close":
                self.lists.pop()

    def _inline(self, token: Token) -> None:
        elements = _inline_elements(token.children or [])
        plain = "".join(element.get("text", "") for element in elements)
        if self.in_table:
            self.rows[-1].append({"type": "raw_text", "text": plain or " "})
        elif self.heading and 0 < len(plain) <= HEADER_MOST:
            self.blocks.append({"type": "header", "text": {"type": "plain_text", "text": plain, "emoji": True}})
        elif self.lists:
            self._list_item(elements)
        else:
            self._rich({"type": "rich_text_quote" if self.quotes else "rich_text_section", "elements": elements})

    def _list_item(self, elements: list[Json]) -> None:
        style, indent = self.lists[-1], len(self.lists) - 1
        last = self.blocks[-1]["elements"][-1] if self.blocks and self.blocks[-1]["type"] == "rich_text" else {}
        item = {"type": "rich_text_section", "elements": elements}
        if last.get("type") == "rich_text_list" and (last["style"], last["indent"]) == (style, indent):
            last["elements"].append(item)
        else:
            self._rich({"type": "rich_text_list", "style": style, "indent": indent, "elements": [item]})

    def _rich(self, element: Json) -> None:
        if not self.blocks or self.blocks[-1]["type"] != "rich_text":
            self.blocks.append({"type": "rich_text", "elements": []})
        self.blocks[-1]["elements"].append(element)


def _inline_elements(tokens: list[Token]) -> list[Json]:
    elements: list[Json] = []
    style: dict[str, bool] = {}
    url = ""
    for token in tokens:
        name = token.type.removesuffix("_open").removesuffix("_close")
        if name in _STYLES:
            style = {**style, _STYLES[name]: True} if token.nesting == 1 else _without(style, _STYLES[name])
        elif name == "link":
            url = str(token.attrs.get("href", "")) if token.nesting == 1 else ""
        elif token.type == "image":
            elements.append({"type": "link", "url": str(token.attrs["src"]), "text": token.content or "image"})
        elif token.type in ("softbreak", "hardbreak"):
            elements.append({"type": "text", "text": "\n"})
        elif token.content:
            code = {"code": True} if token.type == "code_inline" else {}
            elements += _leaf(token.content, {**style, **code}, url)
    return elements


def _without(style: dict[str, bool], name: str) -> dict[str, bool]:
    return {key: value for key, value in style.items() if key != name}


def _leaf(text: str, style: dict[str, bool], url: str) -> list[Json]:
    styled = {"style": style} if style else {}
    if url:
        return [{"type": "link", "url": url, "text": text, **styled}]
    if style.get("code"):
        return [{"type": "text", "text": text, **styled}]
    elements: list[Json] = []
    end = 0
    for match in CONTROL.finditer(text):
        if match.start() > end:
            elements.append({"type": "text", "text": text[end : match.start()], **styled})
        elements.append(_mention(match.group(1)))
        end = match.end()
    if end < len(text):
        elements.append({"type": "text", "text": text[end:], **styled})
    return elements


def _mention(control: str) -> Json:
    if control.startswith("@"):
        return {"type": "user", "user_id": control[1:]}
    if control.startswith("!subteam"):
        return {"type": "usergroup", "usergroup_id": control.partition("^")[2]}
    return {"type": "broadcast", "range": control[1:]}


def rich_text_of(text: str) -> list[Json]:
    """The rich_text block that Slack's clients make of what a person types (wire text, escaped)."""
    elements = [_unescaped(element) for element in _leaf(text, {}, "")]
    section = {"type": "rich_text_section", "elements": elements}
    return [{"type": "rich_text", "block_id": "typed", "elements": [section]}] if elements else []


def _unescaped(element: Json) -> Json:
    return {**element, "text": html.unescape(element["text"])} if "text" in element else element
