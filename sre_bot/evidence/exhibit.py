"""A tool's result as evidence: the call, what came of it, and which service each part of it is about."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

_CELLS = " | "  # between the cells of a table, below a row that names its columns


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One result that a conversation keeps.

    Attributes:
        number: its place among the results of the conversation, from 1; people read it as E1.
        tool: the tool's name as the agent calls it.
        arguments: of the call.
        text: what the model was given, perhaps cut.
        ok: False where the call failed.
        at: when it was kept.
    """

    number: int
    tool: str
    arguments: Mapping[str, Any]
    text: str
    ok: bool
    at: datetime

    @property
    def name(self) -> str:
        """As people and the model read it."""
        return f"E{self.number}"

    @property
    def call(self) -> str:
        """The call in words that can be searched: its arguments' values."""
        return "\n".join(
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for value in self.arguments.values()
        )


@dataclass(frozen=True, slots=True)
class Passage:
    """Part of a result, and the services that it is about; none where it is about all of them.

    `context` is the part with the call, whose words may say in which unit a bare number is.
    """

    text: str
    services: frozenset[str]
    context: str


def passages(exhibit: Exhibit, services: Iterable[str]) -> list[Passage]:
    """A result in parts: a line at the margin speaks for the indented lines below it.

    A line that begins with a service is about that one, whatever it depends on. What names no service is about the
    service that the call asked for, or about all.
    """
    known = tuple(services)
    asked = named_services(exhibit.call, known)
    parts = [Passage(exhibit.call, asked, exhibit.call)]
    above: frozenset[str] = frozenset()
    columns: list[str] = []
    for line in exhibit.text.splitlines():
        own = subjects(line, known)
        if not line[:1].isspace():
            above = own
        cells = line.split(_CELLS)
        text = _label(cells, columns)
        parts.append(Passage(text, own | above or asked, f"{exhibit.call}\n{text}"))
        if len(cells) > 1 and len(cells) != len(columns):
            columns = cells
    return parts


def _label(cells: Sequence[str], columns: Sequence[str]) -> str:
    """A line of a table with the name of its column before each cell."""
    if not len(cells) == len(columns) > 1:
        return _CELLS.join(cells)
    return _CELLS.join([cells[0], *(f"{name} {cell}" for name, cell in zip(columns[1:], cells[1:], strict=True))])


def named_services(text: str, services: Iterable[str]) -> frozenset[str]:
    """The services whose names stand in a text."""
    return frozenset(name for _, name in mentions(text, services))


def subjects(line: str, services: Iterable[str]) -> frozenset[str]:
    """The services that a line is about: the one with which it begins, or all that it names."""
    named = mentions(line, services)
    return frozenset([named[0][1]] if named and named[0][0] == 0 else [name for _, name in named])


def mentions(text: str, services: Iterable[str]) -> tuple[tuple[int, str], ...]:
    """Where each of the services is named, in the order of the text."""
    return _mentions(text, tuple(services))


@lru_cache(maxsize=8192)
def _mentions(text: str, services: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    by_name = {name.casefold(): name for name in services}
    return tuple((found.start(), by_name[found[0].casefold()]) for found in _names(services).finditer(text))


@lru_cache(maxsize=16)
def _names(services: tuple[str, ...]) -> re.Pattern[str]:
    """All names as one pattern; one that never matches where there are none."""
    names = "|".join(map(re.escape, sorted(services, key=len, reverse=True)))
    return re.compile(rf"(?<![\w-])(?:{names})(?![\w-])" if names else r"(?!)", re.IGNORECASE)
