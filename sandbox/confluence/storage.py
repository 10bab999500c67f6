"""Storage format: what Confluence accepts of it, gives back of it, and shows of it.

Confluence takes well-formed XHTML with the elements of its own namespaces, drops or refuses what could act in a
reader's browser, and stores the rest rewritten. Here all that could act is refused, so that an app that relies on
Confluence's mercy fails its tests.
"""

from __future__ import annotations

import re
from html.entities import codepoint2name, name2codepoint
from xml.etree import ElementTree as ET

ELEMENTS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "div", "span"),
    *("strong", "em", "u", "s", "del", "ins", "sub", "sup", "small", "code", "kbd", "samp", "a", "time"),
    *("ul", "ol", "li", "dl", "dt", "dd"),
    *("table", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td", "caption"),
}
OWN_ELEMENTS = {
    *("structured-macro", "parameter", "rich-text-body", "plain-text-body"),
    *("task-list", "task", "task-id", "task-uuid", "task-status", "task-body"),
    *("link", "link-body", "plain-text-link-body", "image", "emoticon", "layout", "layout-section", "layout-cell"),
    *("adf-extension", "placeholder", "inline-comment-marker"),
}
MACROS = {
    *("code", "info", "note", "tip", "warning", "panel", "expand", "status", "toc", "noformat", "excerpt", "details"),
    *("children", "contentbylabel", "jira", "anchor", "detailssummary", "quote", "attachments", "recently-updated"),
}
_ENTITIES = "".join(f'<!ENTITY {name} "&#{code};">' for name, code in name2codepoint.items() if code > 127)
_PREFIX = {"ac": "{ac}", "ri": "{ri}"}
_ADDRESS = re.compile(r"(?:https?://|mailto:|/|#)", re.IGNORECASE)


class Malformed(Exception):
    """Not well-formed: an answer of 400."""


class Unsafe(Exception):
    """Something that could act in a reader's browser, or that Confluence does not know."""


def parse(storage: str) -> ET.Element:
    """The tree of a body, under a root of our own.

    Raises:
        Malformed: in Confluence's words.
    """
    document = f'<!DOCTYPE x [{_ENTITIES}]><x xmlns:ac="ac" xmlns:ri="ri" xmlns:at="at">{storage}</x>'
    try:
        return ET.fromstring(document)  # noqa: S314  (a stand-in for tests; a body cannot declare entities)
    except ET.ParseError as error:
        row, column = error.position
        where = f"[row,col {{unknown-source}}]: [{row},{column}]"
        raise Malformed(f"Error parsing xhtml: {error.msg}\n at {where}") from error


def check(storage: str) -> None:
    """Whether a body may be stored.

    Raises:
        Malformed, Unsafe: why not.
    """
    root = parse(storage)
    for element in root.iter():
        if element is not root:
            _check_element(element)
    ids = [task.text for task in root.iter("{ac}task-id")]
    if len(ids) != len(set(ids)):
        raise Unsafe("two tasks have one ac:task-id")


def _check_element(element: ET.Element) -> None:
    tag = element.tag
    known = tag.removeprefix("{ac}") in OWN_ELEMENTS if tag.startswith("{ac}") else tag in ELEMENTS
    if not known and not tag.startswith("{ri}"):
        raise Unsafe(f"element {tag!r}")
    if tag == "{ac}structured-macro" and element.get("{ac}name") not in MACROS:
        raise Unsafe(f"macro {element.get('{ac}name')!r}")
    for name, value in element.attrib.items():
        if name.lower().startswith("on") or name == "style":
            raise Unsafe(f"attribute {name!r}")
        if name == "href" and not _ADDRESS.match(value):
            raise Unsafe(f"address {value!r}")


def rewrite(storage: str) -> str:
    """A stored body as Confluence gives it back: with ids of its own, and named entities for what is not ASCII."""
    number = 0

    def identify(match: re.Match[str]) -> str:
        nonlocal number
        number += 1
        return f'{match[0]} local-id="{number:012x}"'

    identified = re.sub(r"<(?:p|h[1-6]|ac:task-list)(?=[ >])", identify, storage)
    return re.sub(r"[^\x00-\x7f]", lambda match: _entity(match[0]), identified)


def _entity(char: str) -> str:
    name = codepoint2name.get(ord(char))
    return f"&{name};" if name else char


def words(storage: str) -> str:
    """What a reader sees, blocks on lines of their own."""
    lines: list[str] = []
    _collect(parse(storage), lines)
    return "\n".join(filter(None, (" ".join(line.split()) for line in "".join(lines).split("\n"))))


_INLINE = {"strong", "em", "u", "s", "del", "ins", "sub", "sup", "small", "code", "kbd", "samp", "a", "span", "time"}
_UNSEEN = {"{ac}parameter", "{ac}task-id", "{ac}task-uuid", "{ac}task-status"}


def _collect(element: ET.Element, lines: list[str]) -> None:
    if element.tag in _UNSEEN:
        return
    edge = "" if element.tag in _INLINE else "\n"
    lines += [edge, element.text or ""]
    for child in element:
        _collect(child, lines)
        lines.append(child.tail or "")
    lines.append(edge)


def as_html(storage: str) -> str:
    """A body for a browser: macros become boxes and tasks become check marks; all else is XHTML already."""
    root = parse(storage)
    for element in root.iter():
        if element.tag == "{ac}task-status":
            element.text = "\u2611 " if element.text == "complete" else "\u2610 "
        if element.tag in ("{ac}task-id", "{ac}task-uuid", "{ac}parameter"):
            element.text = ""
        if element.tag.startswith("{"):
            inline = element.tag in ("{ac}task-status", "{ac}task-body", "{ac}task-id", "{ac}link", "{ac}emoticon")
            name = element.tag.partition("}")[2]
            element.tag = "span" if inline else "div"
            element.attrib.clear()
            element.set("class", name)
    return "".join(ET.tostring(child, encoding="unicode", method="html") for child in root)
