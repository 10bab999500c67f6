"""What a chart shows, as plain data: curves with their gaps, thresholds, deployments, and the text beside it. Pure.

Nothing here draws; `drawing.py` does, and decides nothing. Absent stays absent: where a series has no point, its curve
has NaN, which is not drawn.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sre_bot.catalog import Signal
from sre_bot.clients.deployments import Deployment
from sre_bot.clients.prometheus import Series
from sre_bot.tools.deploy_markers import Marker, mark_deployments
from sre_bot.tools.figures import Scale
from sre_bot.tools.moments import clock, span
from sre_bot.tools.series import Window, name_series
from sre_bot.tools.spec import shorten

DRAWN_SERIES = 8
"""More lines than this cannot be told apart on a phone, whatever their colours."""

_NAMED = 12  # series that are named although they are not drawn
_DRAWABLE = 1e100  # what is beyond it, and infinity, has no place on an axis
_NEAR = 1.6  # a threshold this many times above what else is shown is named instead of drawn
_NARROW = 0.05  # an axis may begin above zero where all values lie within this part of the largest
_HEADROOM = 1.08


@dataclass(frozen=True)
class Curve:
    """One drawn series on the chart's scale; `values` has NaN at every evaluation without a point.

    `last` is the value at the window's end, None where there is none; `seen` is when it had its newest point.
    """

    name: str
    values: Sequence[float]
    smallest: float
    mean: float
    largest: float
    last: float | None
    seen: float
    infinite: int


@dataclass(frozen=True)
class Limit:
    """A threshold: what it is called and where it lies, on the chart's scale."""

    name: str
    value: float
    critical: bool


@dataclass(frozen=True)
class Chart:
    """All that is drawn. Times are seconds since the epoch, values are on `scale`.

    Attributes:
        low, high: ends of the value axis.
        limits: thresholds that lie on it.
        beyond: thresholds that lie above it.
    """

    title: str
    window: Window
    scale: Scale
    curves: Sequence[Curve]
    low: float
    high: float
    limits: Sequence[Limit]
    beyond: Sequence[Limit]
    markers: Sequence[Marker]

    @property
    def times(self) -> list[float]:
        """When the curves were evaluated."""
        return [self.window.start + step * self.window.step for step in range(self.window.points)]

    @property
    def has_gaps(self) -> bool:
        """Whether any curve has no data somewhere."""
        return any(math.isnan(value) for curve in self.curves for value in curve.values)


def plan_chart(
    title: str,
    series: Sequence[Series],
    window: Window,
    unit: str | None,
    signal: Signal | None = None,
    deployments: Sequence[Deployment] = (),
    changes: Sequence[Marker] = (),
) -> Chart | None:
    """The chart of the first DRAWN_SERIES series; None where they have nothing that can be drawn.

    Args:
        title: its heading.
        series: those to draw first.
        window: what was asked for.
        unit: the catalog's word for what the values are, or `s`; None where that is not known.
        signal: the catalog's, for its thresholds.
        deployments: those in the window are marked.
        changes: further marks, with signs of their own.
    """
    names = name_series(series)[1][:DRAWN_SERIES]
    drawn = list(zip(names, series, strict=False))
    values = [value for _, one in drawn for _, value in one.points if _drawable(value)]
    if not values:
        return None
    scale = Scale.of(unit, max(map(abs, values)))
    curves = [_curve(name, one, window, scale) for name, one in drawn if any(_drawable(v) for _, v in one.points)]
    limits = sorted(_limits(signal, scale), key=lambda limit: limit.value)
    low, high = _axis([scale.factor * value for value in values], limits)
    return Chart(
        title,
        window,
        scale,
        curves,
        low,
        high,
        [limit for limit in limits if limit.value <= high],
        [limit for limit in limits if limit.value > high],
        [
            *mark_deployments(deployments, window),
            *(each for each in changes if window.start <= each.time <= window.end),
        ],
    )


def describe_chart(chart: Chart, series: Sequence[Series], count: int, now: float) -> list[str]:
    """The chart in words, so that it serves who cannot see it. Its first line is a caption.

    Args:
        chart: what is drawn.
        series: those that were read, the drawn ones first.
        count: how many there are in all.
        now: seconds since the epoch.
    """
    window, show = chart.window, chart.scale.show
    when = f"{clock(window.start, now)} to {clock(window.end, now)}"
    common, names = name_series(series)
    limits = [
        *(f"{limit.name} {show(limit.value)}" for limit in chart.limits),
        *(f"{limit.name} {show(limit.value)} (above the chart)" for limit in chart.beyond),
    ]
    return [
        f"{chart.title}, {when}, step {span(window.step)}",
        *common,
        *(_summary(curve, chart, now) for curve in chart.curves),
        *([f"thresholds: {', '.join(limits)}"] if limits else []),
        *(f"{marker.sign} {clock(marker.time, now)} {marker.text}" for marker in chart.markers),
        *_left_out(names[DRAWN_SERIES:], count),
    ]


def _curve(name: str, series: Series, window: Window, scale: Scale) -> Curve:
    values = [math.nan] * window.points
    for moment, value in series.points:
        place = round((moment - window.start) / window.step)
        if 0 <= place < window.points and _drawable(value):
            values[place] = scale.factor * value
    known = [value for value in values if not math.isnan(value)]
    newest = max((place for place, value in enumerate(values) if not math.isnan(value)), default=0)
    return Curve(
        name,
        values,
        min(known, default=math.nan),
        math.fsum(known) / len(known) if known else math.nan,
        max(known, default=math.nan),
        None if math.isnan(values[-1]) else values[-1],
        window.start + newest * window.step,
        sum(not math.isnan(value) and not _drawable(value) for _, value in series.points),
    )


def _drawable(value: float) -> bool:
    return abs(value) < _DRAWABLE  # false for NaN


def _limits(signal: Signal | None, scale: Scale) -> Iterator[Limit]:
    if signal is None:
        return
    for name, value in (
        ("warning", signal.warning),
        ("critical", signal.critical),
        ("critical below", signal.critical_below),
    ):
        if value is not None:
            yield Limit(name, scale.factor * value, name != "warning")


def _axis(values: Sequence[float], limits: Sequence[Limit]) -> tuple[float, float]:
    """The ends of the value axis: it has zero on it, and the thresholds that do not flatten the curves."""
    least, most = min(values), max(values)
    if limits:
        top = max(most, limits[0].value)
        top = max([top, *(limit.value for limit in limits if limit.value <= _NEAR * top)])
        return min(least, 0.0), _HEADROOM * top
    spread = most - least
    if least > 0 and 0 < spread < _NARROW * most:
        return least - spread / 4, most + spread / 4
    if most <= 0:
        return _HEADROOM * least if least else 0.0, 1.0 if not least else 0.0
    return _HEADROOM * min(least, 0.0), _HEADROOM * most


def _summary(curve: Curve, chart: Chart, now: float) -> str:
    show = chart.scale.show
    if curve.smallest == curve.largest and not any(map(math.isnan, curve.values)):
        return f"{curve.name} {show(curve.largest)} throughout"
    last = f"last {show(curve.last)}" if curve.last is not None else f"NO DATA since {clock(curve.seen, now)}"
    text = f"{curve.name} min {show(curve.smallest)} mean {show(curve.mean)} max {show(curve.largest)} {last}"
    # What is missing after the newest point is not a gap: it is said already.
    tail = round((chart.window.end - curve.seen) / chart.window.step)
    gaps = sum(map(math.isnan, curve.values)) - tail
    text += f", NO DATA at {gaps} of {chart.window.points} points" if gaps else ""
    return text + (f", {curve.infinite} infinite values are not drawn" if curve.infinite else "")


def _left_out(names: Sequence[str], count: int) -> list[str]:
    if count <= DRAWN_SERIES:
        return []
    named = ", ".join(shorten(name, 60) for name in names[:_NAMED])
    more = count - DRAWN_SERIES - min(len(names), _NAMED)
    also = f" and {more:,} more" if more > 0 else ""
    return [f"not drawn, as their maxima are smaller: {named}{also}. Aggregate, or ask for fewer."]
