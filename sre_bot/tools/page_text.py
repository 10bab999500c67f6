"""A Confluence page's storage format as text that a person or a model reads: Markdown, near enough.

What a page shows only when a browser renders it (macros, pictures, mentions) is named in brackets rather than left out.
Refused: to fail. A body that is no storage format gives the words that are in it.
"""

import html
import re
from collections.abc import Callable
from html.entities import name2codepoint
from xml.etree import ElementTree as ET

_ENTITIES = "".join(
    f'<!ENTITY {name} "&#{code};">' for name, code in name2codepoint.items() if code > 127
)  # XHTML's own; XML knows five of them
_AC, _RI = "{ac}", "{ri}"  # namespaces of Confluence's own elements and of its references to other things
_BULLET_INDENT = "  "
_SKIPPED = {f"{_AC}parameter", f"{_AC}task-id", f"{_AC}task-uuid", f"{_AC}placeholder", "colgroup", "script", "style"}
_HEADING = re.compile(r"h([1-6])")


def read_storage(storage: str) -> str:
    """The words of a page with headings, lists, tables and code marked as in Markdown."""
    # What is read cannot declare entities of its own: a document type stands before the root, never inside it.
    document = f'<!DOCTYPE page [{_ENTITIES}]><page xmlns:ac="ac" xmlns:ri="ri" xmlns:at="at">{storage}</page>'
    try:
        page = ET.fromstring(document.encode("utf-8", "replace"))  # noqa: S314  (see above)
        return _tidy(_blocks(page))
    except (ET.ParseError, RecursionError):  # malformed, or nested deeper than any page that people wrote
        return _tidy(html.unescape(re.sub(r"<[^<>]*>", " ", storage)).strip())


def _tidy(text: str) -> str:
    lines = (line.rstrip() for line in text.replace("\u00a0", " ").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _blocks(element: ET.Element) -> str:
    """Everything inside an element."""
    parts = [element.text or ""]
    for child in element:
        parts += [_element(child), child.tail or ""]
    return "".join(parts)


def _element(element: ET.Element) -> str:
    tag = element.tag
    if tag in _SKIPPED:
        return ""
    if heading := _HEADING.fullmatch(tag):
        return f"\n\n{'#' * int(heading[1])} {_line(element)}\n\n"
    write = _WRITERS.get(tag)
    return write(element) if write else _blocks(element)


def _line(element: ET.Element) -> str:
    """Everything inside an element, on one line."""
    return " ".join(_blocks(element).split())


def _paragraph(element: ET.Element) -> str:
    return f"\n\n{_blocks(element).strip()}\n\n"


def _list(element: ET.Element) -> str:
    number = int(start) if (start := element.get("start", "")[:9]).isdecimal() else 1
    items = []
    for position, item in enumerate(element):
        mark = f"{number + position}." if element.tag == "ol" else "-"
        items.append(_item(mark, _blocks(item)))
    return "\n" + "\n".join(items) + "\n"


def _item(mark: str, text: str) -> str:
    first, *others = re.sub(r"\n{2,}", "\n", text.strip()).split("\n")
    return "\n".join([f"{mark} {first}", *(_BULLET_INDENT + line for line in others)])


def _task(element: ET.Element) -> str:
    done = (element.findtext(f"{_AC}task-status") or "").strip() == "complete"
    body = element.find(f"{_AC}task-body")
    return "\n" + _item("- [x]" if done else "- [ ]", _blocks(body) if body is not None else "")


def _table(element: ET.Element) -> str:
    rows = []
    for row in element.iter("tr"):
        cells = [_line(cell).replace("|", r"\|") for cell in row if cell.tag in ("td", "th")]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n\n" + "\n".join(rows) + "\n\n"


def _code(element: ET.Element) -> str:
    return f"\n\n```\n{''.join(element.itertext()).strip(chr(10))}\n```\n\n"


def _anchor(element: ET.Element) -> str:
    label, address = _line(element), element.get("href", "")
    return label if address in ("", label) else f"{label} ({address})"


def _macro(element: ET.Element) -> str:
    """A macro by its name, with the text that it holds."""
    name = element.get(f"{_AC}name", "macro")
    plain, rich = element.find(f"{_AC}plain-text-body"), element.find(f"{_AC}rich-text-body")
    if plain is not None:
        return _code(plain)
    if rich is not None:
        return f"\n\n{_blocks(rich).strip()}\n\n"
    title = next((p.text for p in element.iter(f"{_AC}parameter") if p.get(f"{_AC}name") == "title" and p.text), "")
    return f"[{name}{': ' + title if title else ''}]"


def _reference(element: ET.Element) -> str:
    """A link to a page, a person or a file: its own words, else what it points to."""
    for body in (f"{_AC}link-body", f"{_AC}plain-text-link-body"):
        if (shown := element.find(body)) is not None:
            return _line(shown)
    for target in element:
        if target.tag == f"{_RI}user":
            return "@user"
        for attribute in ("content-title", "filename", "value", "space-key"):
            if words := target.get(_RI + attribute):
                return words
    return "[link]"


def _picture(element: ET.Element) -> str:
    words = element.get(f"{_AC}alt") or next((value for child in element for value in child.attrib.values()), "")
    return f"[picture: {words}]" if words else "[picture]"


_WRITERS: dict[str, Callable[[ET.Element], str]] = {
    "p": _paragraph,
    "blockquote": lambda element: "\n\n" + re.sub("(?m)^", "> ", _tidy(_blocks(element))) + "\n\n",
    "br": lambda _: "\n",
    "hr": lambda _: "\n\n---\n\n",
    "ul": _list,
    "ol": _list,
    "table": _table,
    "pre": _code,
    "a": _anchor,
    "time": lambda element: element.get("datetime") or _line(element),
    f"{_AC}task": _task,
    f"{_AC}structured-macro": _macro,
    f"{_AC}link": _reference,
    f"{_AC}image": _picture,
    f"{_AC}emoticon": lambda element: element.get(f"{_AC}emoji-fallback") or f":{element.get(f'{_AC}name', '')}:",
}
