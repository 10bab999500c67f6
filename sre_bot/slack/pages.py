"""A long Markdown text as the pages of a Slack thread, each a message that Slack accepts.

A page is a document of its own: a code block that goes on is closed and opened again, a table that goes on repeats its
header. A growing text is paged anew every time, so a page must not change once another has begun after it: each cut is
decided by the text up to the page's limit and one character beyond, never by what follows.

Refused: to understand Markdown. Lines are judged by their first characters, and counted high where that is uncertain.
"""

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

MAX_CHARACTERS = 12_000
"""Slack documents this for `markdown_text`. A character weighs a byte at least, so it bounds the budget."""

MAX_BLOCKS = 45
"""Messages that rendered to more than 50 blocks were refused with msg_blocks_too_many (field reports; undocumented)."""

MAX_ROWS = 100
"""Rows of a table, its header included. Slack: table block reference."""

MIN_BUDGET = 200  # room for what is repeated, and for text beside it
LONGEST_FENCE = 20  # a longer run of backticks is taken for text
CLOSING_ROOM = 1 + LONGEST_FENCE  # kept free on every page for a line that closes a code block


class Page(NamedTuple):
    """Part of a document, between what makes it a document of its own."""

    opening: str  # the line that opens a code block again, or the header of a table
    body: str
    closing: str  # the line that closes a code block

    @property
    def text(self) -> str:
        """What a reader gets."""
        return self.opening + self.body + self.closing


def paginate(markdown: str, budget: int = 9_000) -> list[str]:
    """Split Markdown into pages of at most ``budget`` weighted bytes, 45 rendered blocks and 100 rows per table.

    The default budget is from field reports, where messages between 10,600 and 11,300 bytes were refused with
    msg_too_long although they had fewer than the documented 12,000 characters.

    Guaranteed: the bodies of the pages, joined, are the text; only pages of nothing but white space are left out. And
    for every text and every beginning of it, the beginning's pages except its last are the first pages of the text.

    Raises:
        ValueError: ``budget`` is below 200.
    """
    return [page.text for page in split(markdown, budget) if page.body.strip()]


def split(markdown: str, budget: int = 9_000) -> list[Page]:
    """As `paginate`, with what the pages repeat apart from what they say, and no page left out."""
    pages, place = [], Place()
    while place.at < len(markdown):
        page, place = next_page(markdown, place, budget)
        pages.append(page)
    return pages


def next_page(markdown: str, place: "Place", budget: int = 9_000, *, least: int = 0) -> tuple[Page, "Place"]:
    """The page that begins at a place, and the place where the next one begins.

    Args:
        markdown: the whole text, as far as it is known.
        place: where an earlier page ended; by default the beginning.
        budget: as of `paginate`.
        least: the page does not end before this, since a reader has that much of it already.

    Raises:
        ValueError: ``budget`` is below 200.
    """
    if budget < MIN_BUDGET:
        raise ValueError(f"a page of {budget} bytes is too small; {MIN_BUDGET} at least")
    budget = min(budget, MAX_CHARACTERS)
    opening, context = _reopen(place, markdown, budget // 4)
    room = max(budget - CLOSING_ROOM - weigh(opening), weigh(markdown[place.at : least]))
    cut = _find_cut(markdown, place.at, context, room, least)
    page = Page(opening, markdown[place.at : cut.at], "" if cut.at == len(markdown) else _closing(cut, markdown))
    return page, Place(cut.at, cut.context)


def cut_at(markdown: str, place: "Place", at: int, budget: int = 9_000) -> tuple[Page, "Place"]:
    """As `next_page`, for a page that has to end at a place which something else than its size decides."""
    opening, context = _reopen(place, markdown, budget // 4)
    start = place.at
    while start < at:
        end = markdown.find("\n", start, at) + 1 or at
        line = markdown[start:end]
        # Of a line that goes on it is not known yet what it is, unless it is code.
        if line.endswith("\n") or context.fence or _FENCE.match(line):
            context = context.after(line)
        start = end
    cut = _Cut(at, context, 0)
    return Page(opening, markdown[place.at : at], _closing(cut, markdown)), Place(at, context)


def weigh(text: str) -> int:
    """Bytes of UTF-8 after ``&``, ``<`` and ``>`` became entities, as which Slack counts them (field reports)."""
    entities = 4 * text.count("&") + 3 * (text.count("<") + text.count(">"))
    return len(text.encode("utf-8", "surrogatepass")) + entities


# --- What is open ----------------------------------------------------------------------------------------------------

_FENCE = re.compile(
    r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*"  # a code block may begin on the line of a list item
    rf"(?P<line>(?:`{{3,{LONGEST_FENCE}}}(?![^\n]*`)|~{{3,{LONGEST_FENCE}}}(?!~))[^\n]*)"
)
_HEADING = re.compile(r"[ \t]*#")
_NEW_BLOCK = re.compile(r"[ \t]*(?:#|```|~~~|([-*_])[ \t]*\1[ \t]*\1)")  # a heading, a code block, a rule
_TABLE_END = re.compile(r"[ \t\r]*(?:\n|>|$)|" + _NEW_BLOCK.pattern)
_DELIMITER_ROW = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?")


@dataclass(frozen=True)
class _Context:
    """What is open at the start of a line, and how much of the page's allowance of blocks and rows is used.

    Counts never fall as a line grows: an unfinished line is never counted higher than the line it becomes.
    """

    fence: str = ""  # the line that opened the open code block, without its end
    table: str = ""  # the header and the delimiter row of the open table
    rows: int = 0
    blocks: int = 0
    last: str = ""  # the line before; empty after a blank line, after a code block and at the top of a page
    headed: bool = False  # there is a heading, and nothing under it yet

    def has_place_for(self, line: str) -> bool:
        """Whether a line, as far as it is known, exceeds neither the blocks of a page nor the rows of a table."""
        too_many_rows = bool(self.table) and self.rows >= MAX_ROWS and not line.isspace()
        return self.blocks + self._opens_block(line) <= MAX_BLOCKS and not too_many_rows

    def may_close(self, line: str) -> bool:
        """Whether a line closes the open code block, or is the beginning of one that does."""
        if not self.fence:
            return False
        mark, text = _mark(self.fence), line.strip()
        return not text.strip(mark[0]) and (len(text) >= len(mark) or not line.endswith("\n"))

    def after(self, line: str) -> "_Context":
        """The context at the start of the next line."""
        if self.fence:
            return replace(self, fence="" if self.may_close(line) else self.fence)
        read = replace(self, blocks=self.blocks + self._opens_block(line), last=line.strip() and line, headed=False)
        if opened := _FENCE.match(line):
            return replace(read, fence=opened["line"].rstrip(), table="", rows=0, last="")
        if self.table and not _TABLE_END.match(line):
            return replace(read, rows=self.rows + 1)
        if "|" in self.last and "|" in line and _DELIMITER_ROW.fullmatch(line.strip()):
            return replace(read, table=self.last + line, rows=1)
        headed = bool(_HEADING.match(line)) or (self.headed and not read.last)
        return replace(read, table="", rows=0, headed=headed)

    def _opens_block(self, line: str) -> bool:
        if self.fence or not line.strip() or (self.table and not _TABLE_END.match(line)):
            return False
        if not self.last or _NEW_BLOCK.match(line):
            return True
        return _kind(line) not in {"text", _kind(self.last)}


def _kind(line: str) -> str:
    """The kind of block that a line continues, by its first character."""
    first = line.lstrip()[:1]
    return "list" if first in "-*+0123456789" else first if first in ">|" else "text"


def _mark(fence: str) -> str:
    return fence[: len(fence) - len(fence.lstrip(fence[0]))]


# --- Where to cut ----------------------------------------------------------------------------------------------------


class _Cut(NamedTuple):
    at: int
    context: _Context
    rank: int  # 2 where a paragraph ends, 1 where a line ends, 0 where that would tear something apart


def _find_cut(text: str, start: int, context: _Context, room: int, least: int) -> _Cut:
    """Where the page that begins at ``start`` and has ``room`` bytes ends, which is not before ``least``.

    Looks one character beyond the room at most.
    """
    cuts: list[_Cut] = []
    at = start
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        line = text[at:end]
        # What would close the code block may stand in the room for that; the end of a line is part of that room too.
        spare = CLOSING_ROOM if context.may_close(line) else int(line.endswith("\n") and room >= 0)
        fitting = len(line) if weigh(line) <= room + spare else _count_fitting(line, room)
        if not context.has_place_for(line[: fitting + 1]):
            fitting = 0
        if fitting < len(line):
            return _choose(cuts, text[: at + fitting + 1], start, _Cut(at, context, 0), least)
        room -= weigh(line)
        following = context.after(line)
        cuts.append(_Cut(end, following, _rank(context, line, following)))
        at, context = end, following
    return _Cut(len(text), context, 2)


def _count_fitting(line: str, room: int) -> int:
    """How many of the first characters of a line weigh at most ``room`` together."""
    for count, char in enumerate(line):
        room -= weigh(char)
        if room < 0:
            return count
    return len(line)


def _rank(before: _Context, line: str, after: _Context) -> int:
    begins_table = "|" in line and not before.table and not after.fence and "|" not in before.last
    begins_rows = bool(after.table) and not before.table
    begins_code = bool(after.fence) and not before.fence
    if after.headed or begins_table or begins_rows or begins_code:
        return 0
    return 2 if not after.last and not after.fence else 1


def _choose(cuts: list[_Cut], seen: str, start: int, unfinished: _Cut, least: int) -> _Cut:
    """The best cut before the last character of ``seen``, which has no room on the page.

    That is a paragraph's end in the second half of the page, or a line's end or a word's in its last three quarters,
    or the limit itself.
    """
    limit = len(seen) - 1
    for rank, share in ((2, 0.5), (1, 0.25), (0, 0.25)):
        for cut in reversed(cuts):
            if cut.at - start < share * (limit - start) or cut.at < least:
                break
            if cut.rank >= rank and (rank == 0 or cut.context.fence or not _INDENTED.match(seen, cut.at)):
                return cut
    at = max(limit, least)
    for word in _WORD.finditer(seen, max(unfinished.at, start + (limit - start) // 4, least)):
        at = word.end()
    return unfinished._replace(at=at)


_INDENTED = re.compile(r" {4}|\t")  # at the top of a page it would be code, though it continues a list
_WORD = re.compile(r"\s(?=[^\s#>|`~+*=_\d-])")  # the end of the space before a word that begins no block


# --- From one page to the next ---------------------------------------------------------------------------------------


def _closing(cut: _Cut, text: str) -> str:
    if not cut.context.fence:
        return ""
    return ("" if text[cut.at - 1 : cut.at] == "\n" else "\n") + _mark(cut.context.fence)


class Place(NamedTuple):
    """Where a page ends and another begins, and what is open there."""

    at: int = 0
    context: _Context = _Context()


def _reopen(place: Place, text: str, allowance: int) -> tuple[str, _Context]:
    """What the page that begins there repeats, in ``allowance`` bytes at most, and the context in which it begins."""
    context, following = place.context, text[place.at : place.at + 80]
    if context.fence:
        fence = context.fence if weigh(context.fence) < allowance else _mark(context.fence)
        return fence + "\n", _Context(fence=fence, blocks=1)
    if context.table and weigh(context.table) <= allowance and not _TABLE_END.match(following):
        return context.table, _Context(table=context.table, rows=1, blocks=1)
    return "", _Context()
