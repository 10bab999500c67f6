"""Charts of what a change did: each signal that was or is breached, from some time before the change until now."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sre_bot.catalog import Catalog, Severity, Signal
from sre_bot.clients.prometheus import Series
from sre_bot.tools.chart import Chart, describe_chart, plan_chart
from sre_bot.tools.deploy_markers import Marker
from sre_bot.tools.query import plan_window
from sre_bot.tools.series import Window
from sre_bot.tools.sources import MetricSource

BEFORE = 600.0
"""Seconds before the change that are drawn at least: an incident's beginning is often seen in them."""
PANELS = 3  # signals in one picture; more would be too small, or too long, on a phone
SIGN = "▼"  # of a change, beside the letters of deployments


@dataclass(frozen=True)
class BeforeAfter:
    """What is drawn above each other, and the same in words for who cannot see it."""

    charts: Sequence[Chart]
    words: str


async def plan_before_after(
    metrics: MetricSource, catalog: Catalog, breached: Collection[str], changes: Sequence[Marker]
) -> BeforeAfter:
    """The charts of the signals in `breached`, the worst first.

    Args:
        metrics: answers PromQL.
        catalog: signals with their units and thresholds.
        breached: `service/signal`, whatever was over a threshold before or after.
        changes: what was changed, oldest first; the last one is that which is judged.

    Raises:
        BackendError: the figures cannot be read.
    """
    now = time.time()
    since = min(changes[-1].time - BEFORE, 2 * changes[-1].time - now)
    window, _ = plan_window(f"{since:.3f}", None, None, now)
    charts: list[Chart] = []
    words: list[str] = []
    for name in _worst(catalog, breached):
        signal = catalog.signals[name]
        services = {key.partition("/")[0] for key in breached if key.partition("/")[2] == name}
        # All of them, not the largest: what is breached may be breached from below.
        found = await metrics.query_range(signal.query, window.start, window.end, window.step)
        series = [one for one in found if one.labels.get("service") in services]
        chart = _plan(signal, series, window, changes)
        if chart:
            charts.append(chart)
            words += describe_chart(chart, series, len(series), now)
    return BeforeAfter(charts, "\n".join(words))


def _plan(signal: Signal, series: Sequence[Series], window: Window, changes: Sequence[Marker]) -> Chart | None:
    title = f"{signal.title}, before and after"
    return plan_chart(title, series, window, signal.unit, signal, changes=changes)


def _worst(catalog: Catalog, breached: Collection[str]) -> list[str]:
    """The names of at most PANELS signals: those with the most services first, then in the catalog's order."""
    counted = {name: sum(key.partition("/")[2] == name for key in breached) for name in catalog.signals}
    return sorted((name for name, count in counted.items() if count), key=lambda name: -counted[name])[:PANELS]


def breached_of(catalog: Catalog, *samples: Mapping[str, float]) -> list[str]:
    """What is over a threshold in any of the samples, each by `service/signal`."""
    return sorted(
        {
            key
            for sample in samples
            for key, value in sample.items()
            if catalog.signals[key.partition("/")[2]].judge(value) >= Severity.WARNING
        }
    )
