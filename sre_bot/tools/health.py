"""A service's health: its signals against the catalog's thresholds, and a verdict that refuses to guess.

Absent figures are NO DATA, which is never healthy; a Prometheus that does not answer is an error, never a verdict.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sre_bot.catalog import Catalog, Service, Severity, Signal
from sre_bot.errors import BackendError, Refused, TooLarge
from sre_bot.tools.figures import crossed, measure
from sre_bot.tools.moments import clock
from sre_bot.tools.sources import MetricSource

Figures = Mapping[str, float]
"""Value by service, of one signal."""


@dataclass(frozen=True)
class Reading:
    """One signal of one service."""

    name: str
    signal: Signal
    value: float | None

    @property
    def severity(self) -> Severity:
        """Judged by the catalog."""
        return self.signal.judge(self.value)

    def __str__(self) -> str:
        return f"{self.name} {measure(self.value, self.signal.unit)}"


@dataclass(frozen=True)
class Health:
    """One service with its readings."""

    name: str
    service: Service
    readings: tuple[Reading, ...]

    @property
    def severity(self) -> Severity:
        """The worst of its readings."""
        return max((reading.severity for reading in self.readings), default=Severity.NO_DATA)


async def report_health(catalog: Catalog, metrics: MetricSource, names: Iterable[str], now: float) -> str:
    """The verdict in its first line, then a block per service, worst first; healthy ones of several are a table's rows.

    Raises:
        BackendError: no signal at all could be read.
    """
    figures, failures = await _read_signals(catalog.signals, metrics, now)
    everything = {name: _assess(name, service, catalog.signals, figures) for name, service in catalog.services.items()}
    shown = sorted((everything[name] for name in names), key=lambda health: -health.severity)
    blocks = [
        _verdict(shown, now),
        *(f"signal {name} FAILED, it is missing below: {why}" for name, why in failures.items()),
    ]
    rows = [health for health in shown if health.severity is Severity.OK] if len(shown) > 1 else []
    blocks += [_block(health, everything, catalog, shown) for health in shown if health not in rows]
    return "\n".join([*blocks, *_table(rows, catalog.signals)])


async def assess_health(catalog: Catalog, metrics: MetricSource, now: float) -> list[Health]:
    """Every service of the catalog with its readings, worst first.

    Raises:
        BackendError: no signal at all could be read.
    """
    figures, _ = await _read_signals(catalog.signals, metrics, now)
    found = [_assess(name, service, catalog.signals, figures) for name, service in catalog.services.items()]
    return sorted(found, key=lambda health: -health.severity)


async def _read_signals(
    signals: Mapping[str, Signal], metrics: MetricSource, now: float
) -> tuple[dict[str, Figures], dict[str, str]]:
    """Figures by signal, and why the others have none."""
    answers = await asyncio.gather(
        *(_read_signal(metrics, signal.query, now) for signal in signals.values()), return_exceptions=True
    )
    figures: dict[str, Figures] = {}
    failures: dict[str, str] = {}
    for name, answer in zip(signals, answers, strict=True):
        if isinstance(answer, Refused | TooLarge):
            failures[name] = str(answer)
        elif isinstance(answer, BaseException):
            raise answer  # unreachable, or a defect: no verdict can be built on the rest
        else:
            figures[name] = answer
    if not figures:
        raise BackendError(
            f"UNREACHABLE: not one signal could be read, so health is unknown. {next(iter(failures.values()), '')}"
        )
    return figures, failures


async def _read_signal(metrics: MetricSource, promql: str, now: float) -> Figures:
    return {series.labels.get("service", ""): series.value for series in await metrics.query(promql, now)}


def _assess(name: str, service: Service, signals: Mapping[str, Signal], figures: Mapping[str, Figures]) -> Health:
    return Health(
        name,
        service,
        tuple(
            Reading(key, signal, figures.get(key, {}).get(name))
            for key, signal in signals.items()
            if key not in service.unmeasured
        ),
    )


def _verdict(shown: Sequence[Health], now: float) -> str:
    count = len(shown)
    breaching = sum(health.severity >= Severity.WARNING for health in shown)
    unknown = sum(health.severity is Severity.NO_DATA for health in shown)
    worst = word(max((health.severity for health in shown), default=Severity.NO_DATA))
    of = f"of {count} service{'s' if count != 1 else ''}"
    if breaching:
        found = f"{breaching} {of} breach{'es' if breaching == 1 else ''} a threshold"
        found += f", {unknown} with NO DATA" if unknown else ""
    elif unknown:
        found = f"{unknown} {of} cannot be judged, none breaches a threshold"
    else:
        found = f"0 {of} breach a threshold"
    return f"{worst}: {found} at {clock(now)}{_windows(shown)}"


def _windows(shown: Sequence[Health]) -> str:
    """Over what time the figures that decide are taken, as their PromQL says: ` (1m window)`."""
    queries = {reading.signal.query for health in shown for reading in health.readings if reading.signal.decides}
    windows = sorted({window for query in queries for window in re.findall(r"\[(\w+)", query)})
    return f" ({', '.join(windows)} window)" if windows else ""


def _block(health: Health, everything: Mapping[str, Health], catalog: Catalog, shown: Sequence[Health]) -> str:
    """All that is known of a service; of its neighbours only what no line of their own says."""
    service = health.service
    lines = [f"{health.name} {word(health.severity)} ({service.purpose}; {service.owner}, {service.escalation})"]
    bad = [reading for reading in health.readings if reading.severity is not Severity.OK]
    lines += [f"  {_breach(reading)}" for reading in sorted(bad, key=lambda reading: -reading.severity)]
    lines += _listed("OK", [r for r in health.readings if r.signal.decides and r not in bad])
    lines += _listed("context", [r for r in health.readings if not r.signal.decides])
    elsewhere = {name: f"{name} {word(other.severity)}" for name, other in everything.items() if other not in shown}
    depends = [elsewhere.get(name, name) for name in service.depends_on]
    called = [elsewhere[name] for name in catalog.callers(health.name) if name in elsewhere]
    links = [f"{verb} {', '.join(names)}" for verb, names in (("depends on", depends), ("called by", called)) if names]
    if links:
        lines.append(f"  {'; '.join(links)}")
    return "\n".join(lines)


def _breach(reading: Reading) -> str:
    if reading.severity is Severity.NO_DATA:
        return f"{reading.name} NO DATA"
    return f"{reading} {word(reading.severity)} {crossed(reading.signal, reading.severity)}"


def _table(healthy: Sequence[Health], signals: Mapping[str, Signal]) -> list[str]:
    """A row per service and a column per signal, so that no name is said twice."""
    if not healthy:
        return []
    lines = [" | ".join(["OK (owner, purpose: ask with service)", *signals, "depends on"])]
    for health in healthy:
        measured = {reading.name: measure(reading.value, reading.signal.unit) for reading in health.readings}
        figures = [measured.get(name, "n/a") for name in signals]
        lines.append(" | ".join([f"{health.name} OK", *figures, ", ".join(health.service.depends_on) or "nothing"]))
    return lines


def _listed(heading: str, readings: list[Reading]) -> list[str]:
    return [f"  {heading}: {', '.join(map(str, readings))}"] if readings else []


def word(severity: Severity) -> str:
    """`OK`, `NO DATA`, `WARNING` or `CRITICAL`."""
    return severity.name.replace("_", " ")
