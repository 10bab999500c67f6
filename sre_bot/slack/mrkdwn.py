"""Markdown as Slack's own mrkdwn, for the places that take no Markdown, and as one plain line.

Works from parser tokens, never from regular expressions over Markdown: half of the defects of such converters are
code that was mistaken for text. Text leaves escaped (Slack: "Formatting text for app surfaces"), so that nothing a
model or a log wrote is an order to Slack. Messages that Slack renders as Markdown itself go through ``defuse``.

Refused: HTML, reference links (a short text could expand to a long one) and pictures (they become links).
"""

import html
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise, takewhile
from typing import Literal, NamedTuple
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from sre_bot.slack.defusal import BROADCAST, GUARD, defuse

__all__ = ["defuse", "link", "literal", "plain", "to_mrkdwn"]

NOTIFICATION_LIMIT = 150  # characters: about what a phone shows of a notification


def to_mrkdwn(markdown: str) -> str:
    """Render Markdown as mrkdwn: *bold*, _italic_, ~strike~, <address|label>, and code blocks without a language.

    The only ``<…>`` in the result are links made here, to http, https and mailto; what merely looks like mrkdwn stays
    literal. Headings become bold lines, tables aligned code blocks, nested quotes one quote. The time taken is about
    linear (some 0.1 s for 40 KB): convert more than 20 KB outside of the event loop.
    """
    return _Composer().compose(_parse(markdown))


def plain(markdown: str, limit: int) -> str:
    """One line of at most ``limit`` characters for a notification's ``text``, cut at a word with an ellipsis.

    The markup is gone; ``&``, ``<`` and ``>`` are entities, because Slack reads control sequences here too.
    """
    words = " ".join(map(_readable, _parse(markdown))).split()
    line = " ".join(map(_escape, words))
    if len(line) <= limit:
        return line
    kept = ""
    for word in words:
        longer = f"{kept} {_escape(word)}" if kept else _escape(word)
        if len(longer) >= limit:
            break
        kept = longer
    if not kept:  # the first word alone is too long: cut between its characters, never inside an entity
        too_long = bisect_left(range(len(words[0])), limit, key=lambda end: len(_escape(words[0][:end])))
        kept = _escape(words[0][: max(too_long - 1, 0)])
    return (kept + "…")[: max(limit, 0)]


def literal(text: str) -> str:
    """Somebody's words as one line of mrkdwn that shows them as they are: no mention, no link, no formatting."""
    return _literal(" ".join(text.split()))


def link(label: str, address: str) -> str:
    """A link in mrkdwn; where the address is none that people may click, its words."""
    piece = _link(address.strip(), " ".join(label.split()))
    return piece.text if piece.role == "live" else _literal(piece.text)


# --- Parsing ---------------------------------------------------------------------------------------------------------


class _LenientLinks(MarkdownIt):
    """Leaves addresses as they are written; which of them become links is decided once, in `_link`."""

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802 - the library's signature
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the library's name
        return url


_PARSER = (
    _LenientLinks("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .disable(["reference", "image"])  # so `![a](b)` parses as "!" and a link
)


def _parse(markdown: str) -> list[Token]:
    tokens = _PARSER.parse(markdown)
    for token in tokens:
        for this, following in pairwise(token.children or ()):
            if following.type == "link_open" and following.info != "auto" and this.type == "text":
                this.content = this.content.removesuffix("!")
    return tokens


def _readable(token: Token) -> str:
    """The words of a token, without markup."""
    return "".join(map(_inner, token.children)) if token.children is not None else token.content


def _inner(token: Token) -> str:
    return " " if token.type in _BREAKS else token.content


_BREAKS = {"softbreak", "hardbreak"}


# --- Blocks ----------------------------------------------------------------------------------------------------------

_BULLETS = "•◦▪"
_TASK = re.compile(r"^\[([ xX])\] ")
_WIDEST_COLUMN = 40  # columns of display; a longer cell is shown whole, but does not widen the other rows


class _Composer:
    """Turns block tokens into lines, keeping track of the lists and quotes that are open."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._counters: list[int | None] = []  # one per open list: its next number, or None for bullets
        self._quotes = 0
        self._marker = ""  # bullets that wait for the first line of their item
        self._joined = False  # the next block follows the last without an empty line
        self._quoted = False  # the last block is in the quote that is still open
        self._heading = False
        self._table: list[list[str]] | None = None

    def compose(self, tokens: Iterable[Token]) -> str:
        handlers = {
            "heading_open": self._open_heading,
            "inline": self._write_inline,
            "fence": self._write_code,
            "code_block": self._write_code,
            "hr": self._write_rule,
            "blockquote_open": self._open_quote,
            "blockquote_close": self._close_quote,
            "bullet_list_open": self._open_list,
            "bullet_list_close": self._close_list,
            "ordered_list_open": self._open_list,
            "ordered_list_close": self._close_list,
            "list_item_open": self._open_item,
            "list_item_close": self._close_item,
            "table_open": self._open_table,
            "tr_open": self._open_row,
            "table_close": self._close_table,
        }
        for token in tokens:
            if handler := handlers.get(token.type):
                handler(token)
        return "\n".join(self._lines)

    def _write(self, lines: list[str], *, code: bool = False) -> None:
        """Add a block. Code stands at the margin: mrkdwn has no code blocks inside lists and quotes."""
        if self._lines and not self._joined:
            self._lines.append(">" if self._quoted and self._quotes else "")
        quote_mark = "> " if self._quotes else ""
        indent = "    " * (len(self._counters) - 1) + "  " if self._counters else ""
        if code:
            if self._marker:
                self._lines.append(quote_mark + self._marker.rstrip())
            self._lines += lines
        else:
            first, *rest = lines
            self._lines.append((quote_mark + (self._marker or indent) + first).rstrip())
            self._lines += [quote_mark + indent + line for line in rest]
        self._marker = ""
        self._joined = bool(self._counters)
        self._quoted = bool(self._quotes) and not code

    def _open_heading(self, _: Token) -> None:
        self._heading = True

    def _write_inline(self, token: Token) -> None:
        if self._table is not None:
            self._table[-1].append(_readable(token))
            return
        children = token.children or []
        if self._heading:
            children = [Token("strong_open", "", 1), *children, Token("strong_close", "", -1)]
            self._heading = False
        lines = _spell([piece for piece in _pieces(children) if piece.text])
        if self._marker:
            lines[0] = _TASK.sub(lambda task: "☐ " if task[1] == " " else "☑ ", lines[0])
        self._write(lines)

    def _write_code(self, token: Token) -> None:
        if token.content.strip():
            self._write(_code(token.content.rstrip("\n").split("\n")), code=True)

    def _write_rule(self, _: Token) -> None:
        self._write(["─" * 12])

    def _open_quote(self, _: Token) -> None:
        self._quotes += 1

    def _close_quote(self, _: Token) -> None:
        self._quotes -= 1

    def _open_list(self, token: Token) -> None:
        self._counters.append(int(token.attrs.get("start", 1)) if token.type.startswith("ordered") else None)

    def _close_list(self, _: Token) -> None:
        self._counters.pop()
        self._joined = bool(self._counters)

    def _open_item(self, _: Token) -> None:
        depth = len(self._counters) - 1
        number = self._counters[-1]
        if number is not None:
            self._counters[-1] = number + 1
        bullet = _BULLETS[depth % len(_BULLETS)] if number is None else f"{number}."
        self._marker = (self._marker or "    " * depth) + bullet + " "

    def _close_item(self, _: Token) -> None:
        if self._marker:
            self._write([""])

    def _open_table(self, _: Token) -> None:
        self._table = []

    def _open_row(self, _: Token) -> None:
        if self._table is not None:
            self._table.append([])

    def _close_table(self, _: Token) -> None:
        rows, self._table = self._table or [[]], None
        self._write(_code(_align(rows)), code=True)


def _code(lines: list[str]) -> list[str]:
    """A code block without a language label, which mrkdwn would show as code."""
    return ["```", *(re.sub("`{3,}", lambda run: GAP.join(run[0]), _escape(line)) for line in lines), "```"]


def _align(rows: list[list[str]]) -> list[str]:
    """A table as lines of equal columns, its header underlined."""
    widths = [0] * max(map(len, rows))
    for row in rows:
        widths[: len(row)] = map(max, widths, (min(_width(cell), _WIDEST_COLUMN) for cell in row))
    rows.insert(1, ["-" * width for width in widths])
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]


def _width(text: str) -> int:
    """Columns in a fixed-width font (Unicode Standard Annex 11: wide and full-width characters take two)."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


# --- Lines -----------------------------------------------------------------------------------------------------------

GAP = "\u200b"  # ZERO WIDTH SPACE: lets a mark end at a letter, and keeps a literal one from opening anything
_TICK = "\u02cb"  # MODIFIER LETTER GRAVE ACCENT, for a literal backtick: mrkdwn has no way to write one
_MARKS = {"strong": "*", "em": "_", "s": "~"}
_ADDRESS = re.compile(r"(https?://[^\s<>|`*~]+)", re.IGNORECASE)
_LINKABLE = re.compile(r"(?:https?|mailto):", re.IGNORECASE)


class _Piece(NamedTuple):
    """A stretch of a line: text to be kept literal, something live as it stands, or a formatting mark."""

    text: str
    role: Literal["text", "live", "open", "close"]


def _pieces(tokens: Iterable[Token]) -> Iterator[_Piece]:
    """What a run of inline tokens consists of. In mrkdwn marks of a kind do not nest, and none spans two lines."""
    marks: list[str] = []
    rest = iter(tokens)
    for token in rest:
        kind, _, end = token.type.rpartition("_")
        if kind in _MARKS:
            yield from _toggle(marks, _MARKS[kind], end)
        elif token.type == "link_open":
            label = map(_inner, takewhile(lambda inner: inner.type != "link_close", rest))
            yield _link(str(token.attrs["href"]), " ".join("".join(label).split()))
        elif token.type in _BREAKS:
            yield from (_Piece(mark, "close") for mark in reversed(dict.fromkeys(marks)))
            yield _Piece("\n", "live")
            yield from (_Piece(mark, "open") for mark in dict.fromkeys(marks))
        elif token.type == "code_inline":
            yield _Piece("`", "open")
            yield _Piece(_escape(token.content).replace("`", _TICK), "live")
            yield _Piece("`", "close")
        else:
            for number, part in enumerate(_ADDRESS.split(token.content)):
                yield _Piece(_address(part), "live") if number % 2 else _Piece(part, "text")


def _toggle(marks: list[str], mark: str, end: str) -> Iterator[_Piece]:
    """Open or close a mark, unless it stands inside another of its kind."""
    if end == "close":
        marks.pop()
    if mark not in marks:
        yield _Piece(mark, "open" if end == "open" else "close")
    if end == "open":
        marks.append(mark)


def _link(href: str, label: str) -> _Piece:
    if not _LINKABLE.match(href):
        return _Piece(f"{label} ({href})" if href not in {"", label} else label, "text")
    if label in {"", href}:
        return _Piece(f"<{_address(href)}>", "live")
    return _Piece(f"<{_address(href)}|{_literal(label).replace('|', '¦')}>", "live")


def _address(href: str) -> str:
    """An address that can neither end the link around it nor mention anybody."""
    href = BROADCAST.sub("%40", href)
    return re.sub(r"[\s<>|`\x00-\x1f\x7f]", lambda char: quote(char[0]), href).replace("&", "&amp;")


def _spell(pieces: list[_Piece]) -> list[str]:
    """Write pieces out as lines, with a gap wherever a mark would touch a word or text would pass for a mark."""
    runs = ["".join(piece.text for piece in run) for _, run in groupby(pieces, lambda piece: piece.role)]
    roles = [role for role, _ in groupby(piece.role for piece in pieces)]
    out = ""
    for run, role, following in zip(runs, roles, [*runs[1:], ""], strict=False):
        left, right = out[-1:] or "\n", following[:1] or "\n"
        if role == "text":
            out += _literal(run, left, right)
        elif role == "open":
            out += (GAP if _touches(left) else "") + run
        elif role == "close":
            out += run + (GAP if _touches(right) else "")
        else:
            out += run
    return [GAP + line if line.startswith("&gt;") else line for line in out.split("\n")]


def _touches(char: str) -> bool:
    """Whether a mark next to this character is not taken for formatting."""
    return not (char.isspace() or char in GAP + ".,;:!?()[]{}'\"/-\u2013\u2014…&<>")


def _literal(text: str, left: str = " ", right: str = " ") -> str:
    """Text whose ``*``, ``_``, ``~`` and backticks stay what they are, given the characters around it.

    A mark inside a word (``db_pool_size``) or between spaces is none to Slack, and stays as it is.
    """
    framed = left + text.replace("`", _TICK) + right
    return _escape(re.sub(r"(?s)(?<=(.))([*_~]+)(?=(.))", _part_marks, framed)[1:-1])


def _part_marks(found: re.Match[str]) -> str:
    left, run, right = found.groups()
    around = left + right
    if around.isspace() or (around.isascii() and around.isalnum()):
        return run
    return ("" if left.isspace() else GAP) + GAP.join(run) + ("" if right.isspace() else GAP)


def _escape(text: str) -> str:
    """Text or code in which no control sequence is live."""
    return html.escape(BROADCAST.sub("@" + GUARD, text), quote=False)
