"""Markdown as Confluence's storage format, which is XHTML with elements of its own that act (macros, mentions).

Every element is made by the standard library's tree builder from a parser's tokens, and every character of the text
passes through its escaping: no text, whoever wrote it, becomes markup. The builder knows XML's escaping rules and
nothing more, which is all that is needed; an HTML builder would leave `<br>` open, and XML is what Confluence reads.

Refused: HTML, images and reference links (shown as they were typed), links to anything but http, https and mailto, and
any conversion that would lose a word: such a text is shown as it was typed.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2
_WORD = re.compile(r"[^\W_]+")
_LINK = re.compile(r"(?:https?://|mailto:)[!-~]+", re.IGNORECASE)

_TAGS = {
    **dict.fromkeys(("h4", "h5", "h6"), "h6"),
    "h1": "h3",
    "h2": "h4",
    "h3": "h5",
    "s": "del",
    **{tag: tag for tag in ("p", "ul", "ol", "li", "blockquote", "strong", "em")},
    **{tag: tag for tag in ("table", "thead", "tbody", "tr", "th", "td")},
}
"""What becomes of Markdown's elements; headings go below the page's own, which are h2."""


def clean(text: str) -> str:
    """`text` without the characters that XML cannot hold, and with one kind of line end."""
    return _NOT_XML.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n").strip()


def render_markdown(markdown: str) -> ET.Element:
    """A `div` that holds the text; nothing in it but elements of XHTML."""
    text = clean(markdown)
    tokens = _parser().parse(text)
    rendered = _Writer().write(tokens)
    return rendered if _keeps_every_word(text, tokens, rendered) else _as_typed(text)


def serialize(element: ET.Element) -> str:
    """The storage format of an element's children: XHTML without a root, as Confluence takes it."""
    return "".join(ET.tostring(child, encoding="unicode", short_empty_elements=True) for child in element)


@cache
def _parser() -> "MarkdownIt":
    # Imported on first use: the tool server's start is time that every conversation waits for.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # Entities stay as typed; a reference's definition would vanish from the page.
    parser.disable(["reference", "image", "entity"])
    # Addresses stay as typed, and `_Writer` alone decides which of them become links.
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005
    return parser


class _Writer:
    """Walks tokens and builds elements."""

    def __init__(self) -> None:
        self._builder = ET.TreeBuilder()
        self._open_links: list[str] = []  # addresses that are shown as text after their label; "" for real links

    def write(self, tokens: Sequence["Token"]) -> ET.Element:
        """The tokens as one `div`."""
        self._builder.start("div", {})
        self._write_all(tokens)
        self._builder.end("div")
        return self._builder.close()

    def _write_all(self, tokens: Sequence["Token"]) -> None:
        for token in tokens:
            if token.type == "inline":
                self._write_all(token.children or ())
            elif token.type in ("link_open", "link_close"):
                self._write_link(token)
            elif token.nesting:
                self._write_edge(token)
            else:
                self._write_leaf(token)

    def _write_edge(self, token: "Token") -> None:
        if token.hidden:  # the paragraphs of a tight list
            return
        tag = _TAGS[token.tag]
        if token.nesting < 0:
            self._builder.end(tag)
        else:
            start = token.attrs.get("start") if tag == "ol" else None
            self._builder.start(tag, {"start": str(start)} if start is not None else {})

    def _write_leaf(self, token: "Token") -> None:
        if token.type in ("softbreak", "hardbreak"):  # a timeline is often one event a line
            self._element("br")
        elif token.type == "hr":
            self._element("hr")
        elif token.type == "code_inline":
            self._element("code", token.content)
        elif token.type in ("fence", "code_block"):
            if token.info.strip():
                self._element("p", token.info.strip())
            self._element("pre", token.content)
        else:
            self._builder.data(token.content)

    def _write_link(self, token: "Token") -> None:
        if token.nesting > 0:
            address = str(token.attrs.get("href", ""))
            linked = _LINK.fullmatch(address)
            self._open_links.append("" if linked else address)
            if linked:
                self._builder.start("a", {"href": address})
        elif address := self._open_links.pop():
            self._builder.data(f" ({address})")
        else:
            self._builder.end("a")

    def _element(self, tag: str, text: str = "") -> None:
        self._builder.start(tag, {})
        self._builder.data(text)
        self._builder.end(tag)


def _keeps_every_word(text: str, tokens: Sequence["Token"], element: ET.Element) -> bool:
    addresses = (value for inner in element.iter() for value in inner.attrib.values())
    shown = "".join(element.itertext()) + " ".join([*addresses, *_list_numbers(tokens)])
    return all(word in shown for word in set(_WORD.findall(text)))


def _list_numbers(tokens: Sequence["Token"]) -> Iterator[str]:
    """The numbers of ordered lists that a reader will see: lines of `9. Nov` and `12. Nov` would be counted 9, 10."""
    counted: list[tuple[int, int]] = []  # of each open list: its first number, and the next
    for token in tokens:
        if token.type in ("ordered_list_open", "bullet_list_open"):
            start = int(token.attrs.get("start", 1))
            counted.append((start, start))
        elif token.type in ("ordered_list_close", "bullet_list_close"):
            counted.pop()
        elif token.type == "list_item_open" and token.info:
            start, number = counted[-1]
            counted[-1] = start, number + 1
            if int(token.info) in (start, number):  # `1.` before every item is how lazy lists are written
                yield token.info


def _as_typed(text: str) -> ET.Element:
    root = ET.Element("div")
    for block in re.split(r"\n\s*\n", text):
        paragraph = ET.SubElement(root, "p")
        first, *others = block.split("\n")
        paragraph.text = first
        for line in others:
            ET.SubElement(paragraph, "br").tail = line
    return root
