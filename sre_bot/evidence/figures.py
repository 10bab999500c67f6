"""Figures in a text, with their units, and whether one of them says what another does.

A claim may round: it is taken to be good to half of its last written place. It may say the same in another unit: 0.331
is 33.1 %, 2,310 ms are 2.31 s, 120 a minute are 2/s. It may not say more digits than were read, and a unit that was
read is not another unit.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


class Kind(Enum):
    """What a figure measures, and the unit in which its value is kept."""

    PLAIN = "plain"  # as written
    RATIO = "ratio"  # of one
    TIME = "time"  # seconds
    SIZE = "size"  # bytes
    RATE = "rate"  # per second
    CLOCK = "clock"  # seconds of a day
    NAME = "name"  # no figure: a version, a date, an id; compared by its characters


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        text: as written, with its unit.
        kind: what it measures.
        value: in the unit of its kind.
        step: what its last written place is worth, in that unit.
        face: the number without its unit.
        start: where it begins in its text.
        end: where it ends there, its unit included.
        exact: False for the other reading of what can be read in two ways.
    """

    text: str
    kind: Kind
    value: float = 0.0
    step: float = 0.0
    face: float = 0.0
    start: int = 0
    end: int = 0
    exact: bool = True


class Bound(Enum):
    """What the words before a figure make of it."""

    ROUNDED = "rounded"
    ABOUT = "about"
    OVER = "over"
    UNDER = "under"


_MINUTE = 60.0
_UNITS: tuple[tuple[str, Kind, float], ...] = (
    (r"%|percent\b|per cent\b|pct\b", Kind.RATIO, 0.01),
    (r"ms\b|msecs?\b|milliseconds?\b", Kind.TIME, 1e-3),
    (r"[µu]s\b|microseconds?\b", Kind.TIME, 1e-6),
    (r"s\b|secs?\b|seconds?\b", Kind.TIME, 1.0),
    (r"m\b|mins?\b|minutes?\b", Kind.TIME, _MINUTE),
    (r"h\b|hrs?\b|hours?\b", Kind.TIME, 3600.0),
    (r"d\b|days?\b", Kind.TIME, 86400.0),
    (r"[kK]B\b", Kind.SIZE, 1e3),
    (r"KiB\b", Kind.SIZE, 2.0**10),
    (r"MB\b", Kind.SIZE, 1e6),
    (r"MiB\b", Kind.SIZE, 2.0**20),
    (r"GB\b", Kind.SIZE, 1e9),
    (r"GiB\b", Kind.SIZE, 2.0**30),
    (r"TB\b", Kind.SIZE, 1e12),
    (r"TiB\b", Kind.SIZE, 2.0**40),
    (r"B\b|bytes?\b", Kind.SIZE, 1.0),
)
_MULTIPLES: tuple[tuple[str, float], ...] = (
    (r"[kK](?![\w/])|thousand\b", 1e3),
    (r"M(?![\w/])|million\b", 1e6),
    (r"(?:G|bn)(?![\w/])|billion\b", 1e9),
)
_RATES: tuple[tuple[str, float], ...] = (
    (r"/ ?s(?:ec(?:ond)?)?\b|(?:per|a|each) second\b", 1.0),
    (r"/ ?m(?:in(?:ute)?)?\b|(?:per|a|each) minute\b", 1 / 60),
    (r"/ ?h(?:our)?\b|(?:per|an|each) hour\b", 1 / 3600),
)
_ABBREVIATED = ((r"[rq]ps\b", 1.0), (r"rpm\b", 1 / 60))
_COUNTED = r"(?:\s?[a-zA-Z5]+){0,2}?\s?"  # what is counted: 5 failed requests per second
_RATED = tuple((re.compile(rf"{_COUNTED}(?:{pattern})"), factor) for pattern, factor in _RATES)
_SHORT = tuple((re.compile(rf"\s?(?:{pattern})"), factor) for pattern, factor in _ABBREVIATED)
_READ_UNITS = tuple((re.compile(rf"\s?(?:{pattern})"), kind, factor) for pattern, kind, factor in _UNITS)
_READ_MULTIPLES = tuple((re.compile(rf"\s?(?:{pattern})"), factor) for pattern, factor in _MULTIPLES)

_TOKEN = re.compile(
    r"""
      (?P<word> [^\W\d_] \w* (?:-\w+|\.[^\W\d_]\w*)* )                # P99, auth-svc-2, x86: no figures
    | (?P<date> \d{4}-\d\d-\d\d (?:T(?=\d))? )
    | (?P<clock> (?<!\d) \d{1,2}:\d\d (?::\d\d)? (?:\.\d+)? Z? (?!\d) )
    | (?P<dotted> \d+ (?:\.\d+){2,} [\w-]* )                          # a version, an address
    | (?P<ordinal> \d+ (?:xx|st|nd|rd|th) \b )
    | (?P<number> (?:(?<![\w)\].])[-+])? (?: \d{1,3}(?:,\d{3})+ | \d+ ) (?:\.\d+)? (?:[eE][+-]?\d+)? )
    """,
    re.VERBOSE,
)
_GLUED = re.compile(r"[^\W_]+")  # letters that follow a number and are no unit: part of an id
_BOUNDS: tuple[tuple[re.Pattern[str], Bound], ...] = (
    (re.compile(r"(?:over|more than|above|exceeds|exceeding|at least|beyond|[>≥])\s*$", re.IGNORECASE), Bound.OVER),
    (re.compile(r"(?:under|less than|fewer than|below|at most|[<≤])\s*$", re.IGNORECASE), Bound.UNDER),
    (
        re.compile(r"(?:about|around|roughly|approximately|approx\.?|nearly|almost|some|[~≈])\s*$", re.IGNORECASE),
        Bound.ABOUT,
    ),
)
_LABEL = re.compile(r"([^\W\d]\w*)\s*[:=]?\s*$")
_TOPICS = {
    "errors": re.compile(r"error|fail|5xx", re.IGNORECASE),
    "cpu": re.compile(r"cpu", re.IGNORECASE),
    "memory": re.compile(r"memory|heap", re.IGNORECASE),
    "connections": re.compile(r"connection|pool", re.IGNORECASE),
}
ABOUT = 0.1
"""Share of a figure by which one that is said to be about that much may be off."""
FAR = 0.25
"""Share of a figure above or below which "over" and "under" it may lie, and no further."""


@lru_cache(maxsize=8192)
def read_figures(text: str) -> tuple[list[Figure], ...]:
    """The figures of a text in their order, each with all that it may mean; the first meaning is the usual one."""
    return tuple(_read(text))


def _read(text: str) -> Iterator[list[Figure]]:
    at = 0
    while token := _TOKEN.search(text, at):
        at = token.end()
        kind = token.lastgroup
        if kind == "number":
            figures = _read_number(text, token)
            at = max(at, figures[0].end)
            yield figures
        elif kind == "clock":
            yield [_read_clock(token)]
        elif kind in ("date", "dotted"):
            yield [Figure(token[0].rstrip("T"), Kind.NAME, start=token.start(), end=token.end())]


def bound_before(text: str, figure: Figure) -> Bound:
    """What the words before a figure make of it."""
    before = text[max(figure.start - 24, 0) : figure.start]
    return next((bound for pattern, bound in _BOUNDS if pattern.search(before)), Bound.ROUNDED)


def label_of(text: str, figure: Figure) -> str:
    """The word that stands directly before a figure, as in `error_rate 33.1 %`; empty where none does."""
    found = _LABEL.search(text[: figure.start])
    return found[1].lower() if found else ""


def topics_of(words: str) -> frozenset[str]:
    """What a text speaks of, as far as shares of it are told apart."""
    return frozenset(topic for topic, pattern in _TOPICS.items() if pattern.search(words))


def agrees(claim: Figure, read: Figure, bound: Bound, line: str) -> bool:
    """Whether a figure that was read bears out one that is claimed.

    Args:
        claim: what is said.
        read: what stands in the result.
        bound: what the claim's words make of it.
        line: the line in which it was read, whose words may say the unit of a bare number.
    """
    if Kind.NAME in (claim.kind, read.kind):
        return claim.kind is read.kind and claim.text == read.text
    if Kind.CLOCK in (claim.kind, read.kind):
        # 14:03 stands for all of that minute, and for what rounds to it.
        return claim.kind is read.kind and -claim.step / 2 <= read.value - claim.value < claim.step
    return any(_close(said, step, found, bound) for said, step, found in _comparisons(claim, read, line))


def _comparisons(claim: Figure, read: Figure, line: str) -> Iterator[tuple[float, float, float]]:
    """What is said, what its last place is worth, and what was read, in each unit that both may be in."""
    if claim.kind is read.kind:
        yield claim.value, claim.step, read.value
        return
    if claim.kind is Kind.PLAIN:  # a unit that is left out is no wrong unit
        yield claim.value, claim.step, read.face
        if read.kind is Kind.RATIO:
            yield claim.value, claim.step, read.value
        return
    if read.kind is not Kind.PLAIN:
        return
    in_ms = claim.kind is Kind.TIME and re.search(r"_ms\b|millisecond", line, re.IGNORECASE)
    if not in_ms and (claim.kind is not Kind.TIME or claim.step < _MINUTE):
        yield claim.value, claim.step, read.value  # a bare number is in the unit of its kind, as Prometheus has it
    if claim.kind is Kind.RATIO and re.search(r"percent|pct|%", line, re.IGNORECASE):
        yield 100 * claim.value, 100 * claim.step, read.value
    if in_ms:
        yield 1e3 * claim.value, 1e3 * claim.step, read.value


def _close(said: float, step: float, read: float, bound: Bound) -> bool:
    rounding = step / 2 * (1 + 1e-6)
    if said == 0:
        return read == 0  # next to nothing is not nothing
    if said > 0:
        read = abs(read)
    off = read - said
    if abs(off) <= rounding + 1e-12 * abs(said):
        return True
    match bound:
        case Bound.ABOUT:
            return abs(off) <= ABOUT * abs(said)
        case Bound.OVER:
            return 0 <= off <= FAR * abs(said)
        case Bound.UNDER:
            return 0 <= -off <= FAR * abs(said)
    return False


def _read_number(text: str, token: re.Match[str]) -> list[Figure]:
    digits = token[0].replace(",", "")
    face = float(digits)
    mantissa, _, exponent = digits.lower().partition("e")
    places = len(mantissa.partition(".")[2])
    step = 10.0 ** (int(exponent or 0) - places)
    kind, factor, end = _read_unit(text, token.end())
    written = text[token.start() : end]
    figure = Figure(written, kind, face * factor, step * factor, face, token.start(), end)
    glued = _GLUED.match(text, token.end())
    if glued and end == token.end():
        whole = text[token.start() : glued.end()]
        return [Figure(whole, Kind.NAME, start=token.start(), end=glued.end())]
    if kind is Kind.TIME and glued and glued[0] == "s" and 400 <= face < 600 and not places:
        return [figure, Figure(written, Kind.PLAIN, face, step, face, token.start(), end, exact=False)]  # HTTP 500s
    return [figure]


def _read_unit(text: str, at: int) -> tuple[Kind, float, int]:
    """Kind, size of the unit in that of its kind, and where it ends."""
    multiple, end = _match(_READ_MULTIPLES, text, at) or (1.0, at)
    if rate := _match((*_SHORT, *_RATED), text, end):
        return Kind.RATE, multiple * rate[0], rate[1]
    if end > at:
        return Kind.PLAIN, multiple, end
    for pattern, kind, factor in _READ_UNITS:
        if found := pattern.match(text, at):
            return kind, factor, found.end()
    return Kind.PLAIN, 1.0, at


def _match(units: Sequence[tuple[re.Pattern[str], float]], text: str, at: int) -> tuple[float, int] | None:
    """The first of these units that follows, and where it ends."""
    found = ((factor, pattern.match(text, at)) for pattern, factor in units)
    return next(((factor, match.end()) for factor, match in found if match), None)


def _read_clock(token: re.Match[str]) -> Figure:
    parts = token[0].rstrip("Z").split(":")
    seconds = int(parts[0]) * 3600 + int(parts[1]) * 60 + (float(parts[2]) if len(parts) > 2 else 0.0)
    step = 60.0 if len(parts) == 2 else 1.0
    return Figure(token[0], Kind.CLOCK, seconds, step, 0.0, token.start(), token.end())
