"""Confluence's storage format as a small tree that a browser builds elements of, one by one, by an allow list.

A node is a string, or [name, attributes, children]; the page knows every name and sets text as text. What is not known
is `unknown` with its name, and is shown as such.
"""

from typing import Any
from xml.etree import ElementTree as ET

from sandbox.confluence.storage import Malformed, parse

Node = str | list[Any]

SAME = frozenset(
    {
        *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "div", "span"),
        *("strong", "em", "u", "s", "del", "ins", "sub", "sup", "small", "code", "kbd", "samp"),
        *("ul", "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption"),
    }
)
PANELS = ("info", "note", "tip", "warning", "panel")
TRANSPARENT = ("{ac}rich-text-body", "{ac}layout", "{ac}layout-section", "{ac}layout-cell", "{ac}link-body")
LEFT_OUT = ("colgroup", "col", "{ac}task-id", "{ac}task-uuid", "{ac}parameter", "{ac}placeholder")
SPANS = ("colspan", "rowspan")


def tree_of(storage: str) -> list[Node]:
    """The tree of a page's body; one that does not parse is a single `unknown` with the reason."""
    try:
        return _children(parse(storage))
    except Malformed as error:
        return [["unknown", {"name": f"body: {error}"}, []]]


def _children(element: ET.Element) -> list[Node]:
    nodes: list[Node] = [element.text] if element.text else []
    for child in element:
        nodes += _node(child)
        if child.tail:
            nodes.append(child.tail)
    return nodes


def _node(element: ET.Element) -> list[Node]:
    tag = element.tag
    if tag in LEFT_OUT:
        return []
    if tag in TRANSPARENT:
        return _children(element)
    if tag in SAME:
        spans = {name: value for name in SPANS if (value := element.get(name, "")).isdecimal()}
        return [[tag, spans, _children(element)]]
    special = {"a": _link, "time": _time, "{ac}structured-macro": _macro, "{ac}task-list": _tasks, "{ac}link": _page}
    return [special.get(tag, _unknown)(element)]


def _link(element: ET.Element) -> Node:
    return ["a", {"href": element.get("href", "")}, _children(element)]


def _time(element: ET.Element) -> Node:
    at = element.get("datetime", "")
    return ["time", {"datetime": at}, _children(element) or [at]]


def _page(element: ET.Element) -> Node:
    """A link to another page, whose title is all that is known of it."""
    page = element.find("{ri}page")
    body = element.find("{ac}link-body")
    words = _children(body) if body is not None else []
    return ["span", {}, words or [page.get("{ri}content-title", "") if page is not None else ""]]


def _macro(element: ET.Element) -> Node:
    name = element.get("{ac}name", "")
    parameters = {each.get("{ac}name", ""): each.text or "" for each in element.findall("{ac}parameter")}
    if name in ("code", "noformat"):
        return ["code-block", {"language": parameters.get("language", "")}, [_plain(element)]]
    if name in PANELS:
        return ["panel", {"kind": name, "title": parameters.get("title", "")}, _children(element)]
    if name == "expand":
        return ["expand", {"title": parameters.get("title", "")}, _children(element)]
    if name == "status":
        return ["status", {"colour": parameters.get("colour", "")}, [parameters.get("title", "")]]
    return ["unknown", {"name": f"macro {name}"}, _children(element)]


def _plain(element: ET.Element) -> str:
    body = element.find("{ac}plain-text-body")
    return "".join(body.itertext()) if body is not None else ""


def _tasks(element: ET.Element) -> Node:
    tasks: list[Node] = []
    for task in element.findall("{ac}task"):
        status, body = task.findtext("{ac}task-status", ""), task.find("{ac}task-body")
        done = {"done": "yes" if status == "complete" else ""}
        tasks.append(["task", done, _children(body) if body is not None else []])
    return ["tasks", {}, tasks]


def _unknown(element: ET.Element) -> Node:
    return ["unknown", {"name": element.tag}, _children(element)]
