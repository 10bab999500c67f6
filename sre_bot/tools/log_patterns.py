"""Log lines that say the same, folded into one pattern with a count, a first and last time and one example.

The idea is Drain's (He, Zhu, Zheng, Lyu: "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017):
lines are compared only with patterns of as many words and the same first word, and a word that differs becomes a gap.
Two things are different. Memory and time are bounded for any lines, however varied; and no pattern is ever forgotten
for another, since a rare line before a burst is often the burst's cause.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import eq

from sre_bot.clients.logs import LEVELS, LogLine

PATTERNS = 1_000
"""Patterns told apart; lines of further ones are counted together by service and level."""

_CROWD = 40  # patterns of one shape, after which those seen once are noise; comparing is what costs time
_FIRST_WORDS = 40  # of lines of one length, as many first words are told apart; `max_children` in Drain
_REMEMBERED = 5_000  # lines known by their constant text, which need no comparison
_ALIKE = 0.6  # of the words have to be the same
_READ = 400  # characters of a line that decide what it says
_WORDS = 40

_VARIABLE_PARTS = re.compile(
    r"0x[0-9a-f]+|\b[0-9a-f]{8}(?:-?[0-9a-f]{4,}){1,4}\b|\b(?=[a-f]*\d)[0-9a-f]{6,}\b|\d+(?:\.\d+)*", re.I
)
_GAP = None  # in a template; no word is equal to it


@dataclass(slots=True)
class Pattern:
    """Lines of one service and level that differ in some words; `example` is the newest of them."""

    example: LogLine
    first: float
    template: list[str | None] = field(default_factory=list)
    count: int = 0
    mixed: bool = False
    """Whether these are lines that were not told apart."""

    def add(self, line: LogLine) -> None:
        """Count a line; lines come in any order."""
        self.count += 1
        self.first = min(self.first, line.time)
        if line.time >= self.example.time:
            self.example = line


@dataclass(slots=True)
class _Shape:
    """Patterns of as many words and one first word; `mixed` once there were too many of them."""

    patterns: list[Pattern] = field(default_factory=list)
    mixed: Pattern | None = None


class LogPatterns:
    """Folds lines as they come, in bounded memory."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, str, int, str], _Shape] = {}
        self._first_words: dict[tuple[str, str, int], set[str]] = {}
        self._known: dict[tuple[str, str, str], Pattern] = {}
        self._mixed: dict[tuple[str, str], Pattern] = {}
        self._count = 0

    def add(self, lines: Iterable[LogLine]) -> None:
        """Fold more lines, in any order."""
        for line in lines:
            text = _VARIABLE_PARTS.sub("#", line.message[:_READ])
            key = line.service, line.level, text
            pattern = self._known.get(key)
            if pattern is None:
                pattern = self._find(line, text.split(maxsplit=_WORDS)[:_WORDS])
                if len(self._known) < _REMEMBERED:
                    self._known[key] = pattern
            pattern.add(line)

    def patterns(self) -> list[Pattern]:
        """All patterns, worst level first, then newest; lines that were not told apart at the end of their level."""
        apart = [pattern for shape in self._shapes.values() for pattern in shape.patterns]
        mixed = [shape.mixed for shape in self._shapes.values() if shape.mixed]
        return sorted(
            [*apart, *mixed, *self._mixed.values()],
            key=lambda pattern: (-_rank(pattern.example.level), pattern.mixed, -pattern.example.time),
        )

    def _find(self, line: LogLine, words: list[str]) -> Pattern:
        """The pattern of a line, made where there is none."""
        shape = self._shape(line, words)
        best = max(shape.patterns, key=lambda pattern: _alike(pattern.template, words), default=None)
        if best and _alike(best.template, words) >= _ALIKE * len(words):
            best.template = [mine if mine == other else _GAP for mine, other in zip(best.template, words, strict=True)]
            return best
        if shape.mixed is None and len(shape.patterns) >= _CROWD:
            self._mix(shape, line)
        if shape.mixed:
            return shape.mixed
        if self._count >= PATTERNS:
            return self._overflow(line)
        shape.patterns.append(Pattern(line, line.time, list(words)))
        self._count += 1
        return shape.patterns[-1]

    def _shape(self, line: LogLine, words: Sequence[str]) -> _Shape:
        """The patterns that the line may belong to: as many words, and the same first one while those are few."""
        length, first = (line.service, line.level, len(words)), words[0] if words else ""
        seen = self._first_words.get(length, set())
        if first not in seen and len(seen) >= _FIRST_WORDS:
            first = ""
        known = self._shapes.get((*length, first))
        if known or self._count >= PATTERNS:
            return known or _Shape()  # nothing new is remembered any more
        self._first_words.setdefault(length, seen).add(first)
        return self._shapes.setdefault((*length, first), _Shape())

    def _mix(self, shape: _Shape, line: LogLine) -> None:
        """Put together what was seen once in a crowd, beginning with `line`: there it is noise, elsewhere a find."""
        once = [pattern for pattern in shape.patterns if pattern.count == 1]
        shape.mixed = Pattern(line, line.time, mixed=True)
        for pattern in once:
            shape.mixed.add(pattern.example)
        shape.patterns = [pattern for pattern in shape.patterns if pattern.count > 1]
        self._count += 1 - len(once)
        gone = {id(pattern) for pattern in once}
        self._known = {key: pattern for key, pattern in self._known.items() if id(pattern) not in gone}

    def _overflow(self, line: LogLine) -> Pattern:
        """Where lines of new patterns are counted when no more are told apart."""
        origin = line.service, line.level
        if origin not in self._mixed and len(self._mixed) >= _CROWD:
            origin = "(several services)", line.level
        return self._mixed.setdefault(origin, Pattern(line, line.time, mixed=True))


def choose(patterns: Sequence[Pattern], limit: int) -> list[Pattern]:
    """`limit` patterns in their order: the worst levels whole; of the level that does not fit, the newest, the rarest
    and the most frequent in turn."""
    if len(patterns) <= limit:
        return list(patterns)
    chosen: dict[int, Pattern] = {}
    for level in dict.fromkeys(_rank(pattern.example.level) for pattern in patterns):
        of_level = [pattern for pattern in patterns if _rank(pattern.example.level) == level]
        wanted = ((id(pattern), pattern) for pattern in _in_turn(of_level) if id(pattern) not in chosen)
        chosen |= islice(dict(wanted).items(), limit - len(chosen))
    return [pattern for pattern in patterns if id(pattern) in chosen]


def _in_turn(patterns: Sequence[Pattern]) -> Iterator[Pattern]:
    newest = sorted(patterns, key=lambda pattern: -pattern.example.time)
    rarest = sorted(newest, key=lambda pattern: pattern.count)
    most = sorted(newest, key=lambda pattern: -pattern.count)
    return chain.from_iterable(zip(newest, rarest, most, strict=True))


def _alike(template: Sequence[str | None], words: Sequence[str]) -> int:
    """How many words are the same and in the same place."""
    return sum(map(eq, template, words))


def _rank(level: str) -> int:
    """Unknown levels rank as the worst, so that they are never at the end."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)
