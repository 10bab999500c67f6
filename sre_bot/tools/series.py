"""Time series as a few lines of text: common labels once, the largest series first, spikes kept, gaps shown.

It is lossy on purpose, and says each time what it left out.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sre_bot.clients.prometheus import Series
from sre_bot.tools.figures import figure
from sre_bot.tools.moments import clock, span
from sre_bot.tools.spec import shorten

SHOWN_SERIES = 20
SHOWN_BUCKETS = 30
_SPIKE = 1.2  # a maximum is shown beside the mean where it is this many times the mean
_LABEL_LIMIT = 160


@dataclass(frozen=True)
class Window:
    """The time that a range query covers, in seconds since the epoch, and its step in seconds."""

    start: float
    end: float
    step: float

    @property
    def points(self) -> int:
        """Evaluations in the window."""
        return int((self.end - self.start) / self.step + 1e-9) + 1

    @property
    def bucket(self) -> int:
        """Evaluations in one shown bucket."""
        return math.ceil(self.points / SHOWN_BUCKETS)


def largest(series: Iterable[Series]) -> list[Series]:
    """The SHOWN_SERIES series with the largest maximum, largest first; NaN counts as smallest."""
    return heapq.nlargest(SHOWN_SERIES, series, key=lambda one: max(_finite(one), default=-math.inf))


def render_instant(series: Sequence[Series]) -> list[str]:
    """One line per series: its labels and its value."""
    common, names = name_series(series)
    return common + [f"{name} {figure(one.value)}" for name, one in zip(names, series, strict=True)]


def render_window(series: Sequence[Series], window: Window) -> list[str]:
    """One line per series: newest, mean and largest value, then the buckets; of one that never changed, its value."""
    common, names = name_series(series)
    lines = [_line(name, one, window) for name, one in zip(names, series, strict=True)]
    return [*common, *_legend(lines, window), *lines]


def _legend(lines: Sequence[str], window: Window) -> list[str]:
    """How to read the buckets, as far as they need it."""
    shown = [line.rpartition(" | ")[2] for line in lines if " | " in line]
    if not shown:
        return []
    width = window.bucket
    partial = ["the last one is partial"] if window.points % width else []
    words = " ".join(shown).split()
    signs = {
        f"mean^max where max > {_SPIKE} x mean": any("^" in word for word in words),
        "- is no data": any(word.partition("*")[0] == "-" for word in words),
        "x*n repeats n times": any("*" in word for word in words),
    }
    told = [*partial, *(sign for sign, used in signs.items() if used)]
    return ["; ".join([f"mean in buckets of {span(width * window.step)}", *told])]


def _line(name: str, series: Series, window: Window) -> str:
    values = _finite(series)
    if not values:
        return f"{name} only NaN"
    if len(values) == window.points and min(values) == max(values):
        return f"{name} {figure(values[0])} throughout"
    peak = max(series.points, key=lambda point: -math.inf if math.isnan(point[1]) else point[1])
    numbers = f"last {figure(series.value)} mean {figure(math.fsum(values) / len(values))} max {figure(peak[1])}"
    return f"{name} {numbers} at {clock(peak[0], window.end)} | {_fold(_buckets(series, window))}"


def _buckets(series: Series, window: Window) -> list[str]:
    width = window.bucket
    filled: list[list[float]] = [[] for _ in range(math.ceil(window.points / width))]
    for moment, value in series.points:
        index = round((moment - window.start) / window.step) // width
        if 0 <= index < len(filled) and not math.isnan(value):
            filled[index].append(value)
    return [_bucket(values) for values in filled]


def _bucket(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean, peak = math.fsum(values) / len(values), max(values)
    shown = figure(mean)
    return f"{shown}^{figure(peak)}" if peak > _SPIKE * mean and figure(peak) != shown else shown


def _fold(words: Iterable[str]) -> str:
    """`0 0 0 1` as `0*3 1`."""
    counted = [(word, len(list(group))) for word, group in groupby(words)]
    return " ".join(word if count == 1 else f"{word}*{count}" for word, count in counted)


def _finite(series: Series) -> list[float]:
    return [value for _, value in series.points if not math.isnan(value)]


def name_series(series: Sequence[Series]) -> tuple[list[str], list[str]]:
    """A line with the labels that all share (none where there is one series), and each one's own labels."""
    common: dict[str, str] = {}
    if len(series) > 1:
        shared = set.intersection(*(set(one.labels.items()) for one in series))
        common = {key: value for key, value in sorted(shared) if key != "service"}
    names = [_label({key: value for key, value in one.labels.items() if key not in common}) for one in series]
    return ([f"all with {_label(common)}"] if common else []), names


def _label(labels: Mapping[str, str]) -> str:
    """`api-server status="500"`: the service by itself and first, then the metric's name, then the rest."""
    parts = [labels[key] for key in ("service", "__name__") if labels.get(key)]
    parts += [f'{key}="{value}"' for key, value in sorted(labels.items()) if key not in ("service", "__name__")]
    return shorten(" ".join(parts), _LABEL_LIMIT) or "value"
