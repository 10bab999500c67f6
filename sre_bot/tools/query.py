"""One PromQL query, bounded: at most 240 points of at most 20 series are kept, however much Prometheus holds.

An answer with data does not repeat the query: it stands in the call that the model has just written.
"""

import math
import re

from sre_bot.clients.prometheus import Series
from sre_bot.errors import BadRequest, Refused, TooLarge
from sre_bot.tools.hints import explain_absence
from sre_bot.tools.moments import clock, parse_duration, parse_moment, span
from sre_bot.tools.series import SHOWN_SERIES, Window, largest, render_instant, render_window
from sre_bot.tools.sources import MetricSource
from sre_bot.tools.spec import shorten

MAX_POINTS = 11_000
"""Points per series that Prometheus answers at most (its `query_range` handler)."""

_AUTO_POINTS = 240
_LADDER = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
_UNITS = {"seconds": "s", "milliseconds": "ms", "bytes": "bytes", "ratio": "ratio"}


async def query_instant(metrics: MetricSource, promql: str, at: float, now: float) -> str:
    """The value of each series at one time."""
    notes: list[str] = []
    try:
        found = await metrics.query(promql, at)
        series, count = largest(found), len(found)
    except Refused as error:
        raise _advise(error) from error
    except TooLarge:
        series = await metrics.query(f"topk({SHOWN_SERIES}, (\n{promql}\n))", at)
        count = await _count(metrics, f"(\n{promql}\n)", at)
    if not series:
        return await explain_absence(metrics, promql, f"at {clock(at, now)}")
    if any(len(one.points) > 1 for one in series):
        notes.append("These are raw samples of a range vector; only the newest of each series is shown.")
    header = f"{clock(at, now)}: {_counted(count)}{_unit(promql)}"
    return "\n".join([header, *notes, *render_instant(series), *_rest(count, promql)])


async def query_window(metrics: MetricSource, promql: str, window: Window, now: float, note: str = "") -> str:
    """The course of each series over the window."""
    series, count = await fetch_window(metrics, promql, window)
    when = f"{clock(window.start, now)} to {clock(window.end, now)}"
    if not series:
        return "\n".join(filter(None, [await explain_absence(metrics, promql, f"from {when}"), note]))
    header = f"{when}, step {span(window.step)}: {_counted(count)}{_unit(promql)}"
    return "\n".join([header, *([note] if note else []), *render_window(series, window), *_rest(count, promql)])


def plan_window(start: str | None, end: str | None, step: str | None, now: float) -> tuple[Window, str]:
    """The window, and what was changed about it.

    Raises:
        BadRequest: a time that cannot be read or lies in the future, or a window without length.
    """
    last = parse_moment(end, now) if end else now
    first = parse_moment(start, now) if start else last - 3600
    if first >= last:
        raise BadRequest(f"start ({clock(first, now)}) must be before end ({clock(last, now)}).")
    length = last - first
    if step is None:
        wanted = length / _AUTO_POINTS
        return _ending_at(last, length, next((s for s in _LADDER if s >= wanted), math.ceil(wanted))), ""
    seconds = max(parse_duration(step), 0.001)
    if length / seconds <= MAX_POINTS - 1:
        return _ending_at(last, length, min(seconds, length)), ""
    widened = math.ceil(length / (MAX_POINTS - 1))
    note = f"step widened from {span(seconds)} to {span(widened)}: Prometheus answers at most {MAX_POINTS:,} points."
    return _ending_at(last, length, widened), note


def _ending_at(end: float, length: float, step: float) -> Window:
    """A window whose last evaluation is at its end: counted from the start, a wide step would miss the newest data."""
    return Window(end - math.floor(length / step + 1e-9) * step, end, step)


async def fetch_window(metrics: MetricSource, promql: str, window: Window) -> tuple[list[Series], int]:
    """The largest SHOWN_SERIES series over the window, largest first, and how many there are in all.

    Raises:
        Refused: Prometheus refused it, with advice.
        BadRequest: there are more than can be read, and they cannot be chosen from.
    """
    try:
        found = await metrics.query_range(promql, window.start, window.end, window.step)
        return largest(found), len(found)
    except Refused as error:
        raise _advise(error) from error
    except TooLarge:
        return await _largest_of_many(metrics, promql, window)


def unit_of(promql: str) -> str | None:
    """`s`, `ms`, `bytes`, `ratio` or `per_second` where the metric's name tells it beyond doubt.

    That is: one metric, no arithmetic.
    """
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|without)\s*\([^)]*\)", " ", promql)
    if re.search(r"[-+*/%^<>=]|\b(?:and|or|unless|count|increase|delta|deriv)\b", bare):
        return None
    if re.search(r"\bi?rate\s*\(", bare):
        return "per_second" if "_total" in bare else None
    found = {unit for suffix, unit in _UNITS.items() if re.search(rf"_{suffix}\b", bare)}
    return found.pop() if len(found) == 1 else None


async def _largest_of_many(metrics: MetricSource, promql: str, window: Window) -> tuple[list[Series], int]:
    """Let Prometheus choose the series to answer with: all of them would be more than we read.

    `@` fixes the choice at the window's end, where a plain topk would choose anew at every step.
    """
    length, step = (f"{max(1, round(seconds * 1000))}ms" for seconds in (window.end - window.start, window.step))
    peaks = f"max_over_time((\n{promql}\n)[{length}:{step}] @ {window.end:.3f})"
    chosen = f"(\n{promql}\n) and topk({SHOWN_SERIES}, {peaks})"
    try:
        series = await metrics.query_range(chosen, window.start, window.end, window.step)
        return largest(series), await _count(metrics, peaks, window.end)
    except (Refused, TooLarge) as error:
        raise BadRequest(
            f"The query has more series than can be read, and its largest could not be chosen ({error}). "
            f"Aggregate it, as in topk({SHOWN_SERIES}, …) or sum by (service) (…), or add label matchers."
        ) from error


async def _count(metrics: MetricSource, promql: str, at: float) -> int:
    counted = await metrics.query(f"count({promql})", at)
    return int(counted[0].value) if counted else 0


def _advise(error: Refused) -> Refused:
    """Prometheus' own words, and what follows from them."""
    if "parse error" in str(error):
        advice = " Nothing was queried. Correct the PromQL; `sum by (service) (rate(metric[1m]))` is the form."
    else:
        advice = " Ask for a shorter range, a wider step or fewer series."
    return Refused(f"{error}{advice}", error.status)


def _counted(count: int) -> str:
    many = f"{SHOWN_SERIES} of {count:,} series, those with the largest values"
    return many if count > SHOWN_SERIES else f"{count} series"


def _rest(count: int, promql: str) -> list[str]:
    if count <= SHOWN_SERIES:
        return []
    smallest = f"bottomk({SHOWN_SERIES}, {shorten(promql, 100)})"
    return [f"{count - SHOWN_SERIES:,} series left out: add label matchers, aggregate, or ask for {smallest}"]


def _unit(promql: str) -> str:
    unit = unit_of(promql)
    if unit is None:
        return ""
    return ", per second" if unit == "per_second" else f", unit {unit}{', 1 is 100 %' if unit == 'ratio' else ''}"
