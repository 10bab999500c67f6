"""A ranking's data from a running Prometheus: one range query per figure, whatever the number of services.

The rows are minutes, ninety before the told time and fifteen after it. A Prometheus that knows less than that gets
finer rows, so that a system which is a few minutes old has a past as well. A figure that is missing is named, never
filled.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sre_bot.catalog import RootCause, Signal
from sre_bot.clients.prometheus import Series
from sre_bot.errors import BackendError, Refused, TooLarge
from sre_bot.root_cause.observations import Kind, Measured, Observations, Rows

ROW_S = 60.0
ROWS_BEFORE, ROWS_AFTER = 90, 15
ENOUGH_ROWS = 20  # of a past, below which rows are made finer
SCRAPES_PER_ROW = 4  # what a rate needs to be one
FINEST_ROW_S = 2.0
PATIENCE_S = 5.0  # for everything that is asked
SCRAPES = "max(count_over_time(up[1m]))"
USUAL_SCRAPE_S = 15.0


class RangeSource(Protocol):
    """Evaluates PromQL."""

    async def query(self, promql: str, at: float | None = None) -> list[Series]:
        """At one time."""

    async def query_range(self, promql: str, start: float, end: float, step: float) -> list[Series]:
        """Every `step` seconds."""


@dataclass(frozen=True)
class Grid:
    """The rows: each ends at `start` plus a multiple of `step`, up to `end`; rates look back over `window` seconds."""

    start: float
    end: float
    step: float
    window: float

    @property
    def times(self) -> list[float]:
        """The start of each row."""
        return [self.start + number * self.step - self.window for number in range(self.count)]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int((self.end - self.start) / self.step + 1e-6) + 1


@dataclass
class Reading:
    """What was read: the observations of each kind, and why anything is missing.

    Attributes:
        missing: why a figure could not be had, by its name.
        queries: how many were asked.
    """

    observed: dict[Kind, Observations] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    queries: int = 0
    step: float = ROW_S


Table = Mapping[tuple[str, ...], Rows]
"""Rows by the values of the wanted labels."""


async def read_observations(
    wanted: RootCause,
    signals: Mapping[str, Signal],
    source: RangeSource,
    told: float,
    now: float,
    patience: float = PATIENCE_S,
) -> Reading:
    """Read everything that is answered in time.

    Args:
        wanted: the queries.
        signals: those of the catalog, by name.
        source: answers them.
        told: when the symptom began, as far as is known, in seconds since the epoch.
        now: the present; nothing is asked of the future.
        patience: seconds for all of it.

    Raises:
        BackendError: Prometheus does not answer, or not in time.
    """
    deadline = asyncio.get_running_loop().time() + patience
    reading = Reading()
    grid = await _plan(wanted, source, told, now, patience / 2, reading)
    queries = wanted.queries | {name: signals[name].query for name in wanted.signals}
    tasks = {
        name: asyncio.create_task(_read(source, name, query.replace("$window", f"{grid.window:.0f}s"), grid))
        for name, query in queries.items()
    }
    reading.queries += len(tasks)
    reading.step = grid.step
    try:
        tables = await _collect(tasks, deadline, patience, reading)
    finally:
        for task in tasks.values():
            task.cancel()
    kinds: tuple[Kind, ...] = ("latency", "errors") if "requests" in tables else ()
    reading.observed = {kind: observed for kind in kinds if (observed := _observe(kind, tables, wanted, grid))}
    return reading


async def _plan(
    wanted: RootCause, source: RangeSource, told: float, now: float, patience: float, reading: Reading
) -> Grid:
    """Rows of a minute where there is a past of some length, else finer ones."""
    minutes = _grid(told, now, ROW_S, ROW_S)
    past = f"count({wanted.requests.replace('$window', '5m')})"
    reading.queries += 2
    try:
        async with asyncio.timeout(patience):
            scrapes, seen = await asyncio.gather(
                source.query(SCRAPES), source.query_range(past, minutes.start, minutes.end, ROW_S)
            )
    except (TimeoutError, Refused, TooLarge):
        reading.missing["age and scrape interval"] = "not known, so rows are minutes"
        return _grid(told, now, ROW_S, max(ROW_S, SCRAPES_PER_ROW * USUAL_SCRAPE_S))
    number = scrapes[0].value if scrapes else 0.0
    interval = 60.0 / number if number > 0 else USUAL_SCRAPE_S
    age = minutes.end - seen[0].points[0][0] + ROW_S if seen else ENOUGH_ROWS * ROW_S
    if age >= ENOUGH_ROWS * ROW_S:
        return _grid(told, now, ROW_S, max(ROW_S, SCRAPES_PER_ROW * interval))
    step = float(round(max(FINEST_ROW_S, SCRAPES_PER_ROW * interval, age / ROWS_BEFORE)))
    return _grid(told, now, step, step)


def _grid(told: float, now: float, step: float, window: float) -> Grid:
    end = min(now, told + ROWS_AFTER * step)
    return Grid(end - step * int((end - told) / step + ROWS_BEFORE), end, step, window)


async def _collect(
    tasks: Mapping[str, asyncio.Task[Table]], deadline: float, patience: float, reading: Reading
) -> dict[str, Table]:
    """What was answered in time; the others are noted as missing."""
    left = max(0.1, deadline - asyncio.get_running_loop().time())
    _, late = await asyncio.wait(tasks.values(), timeout=left)
    if len(late) == len(tasks):
        raise BackendError(f"UNREACHABLE: suspects were not ranked: Prometheus did not answer within {patience:g} s.")
    tables: dict[str, Table] = {}
    for name, task in tasks.items():
        if task in late:
            reading.missing[name] = f"no answer within {patience:g} s"
        elif error := task.exception():
            if not isinstance(error, Refused | TooLarge):
                raise error  # unreachable, or a defect: no ranking can be built on the rest
            reading.missing[name] = str(error)
        elif not (table := task.result()):
            reading.missing[name] = "no series"
        else:
            tables[name] = table
    return tables


async def _read(source: RangeSource, name: str, query: str, grid: Grid) -> Table:
    labels = ("service", "target") if name.startswith("call_") else ("service",)
    rows: dict[tuple[str, ...], list[float]] = {}
    for series in await source.query_range(query, grid.start, grid.end, grid.step):
        key = tuple(series.labels.get(label, "") for label in labels)
        if not all(key):
            continue
        row = rows.setdefault(key, [float("nan")] * grid.count)
        for moment, value in series.points:
            number = round((moment - grid.start) / grid.step)
            if 0 <= number < grid.count:
                row[number] = value
    return rows


def _observe(kind: Kind, tables: Mapping[str, Table], wanted: RootCause, grid: Grid) -> Observations | None:
    """The observations of one kind; None where its figure is missing altogether."""
    total, of_calls = ("seconds", "call_seconds") if kind == "latency" else ("failures", "call_failures")
    if kind == "latency" and total not in tables:
        return None
    services = _ratios(tables["requests"], tables.get(total, {}), grid, never=kind == "errors")
    calls = _ratios(tables.get("call_requests", {}), tables.get(of_calls, {}), grid, never=False)
    return Observations(
        kind=kind,
        times=grid.times,
        step=grid.window,
        services={key[0]: measured for key, measured in services.items()},
        calls={(key[0], key[1]): measured for key, measured in calls.items()},
        usage={name: _by_service(tables.get(name, {})) for name in wanted.usage},
        queues=_by_service(tables.get(wanted.queue or "", {})),
        up=_by_service(tables.get(wanted.up or "", {})),
    )


def _ratios(requests: Table, total: Table, grid: Grid, *, never: bool) -> dict[tuple[str, ...], Measured]:
    """Levels and counts; `never`: a series that is not there is one that never counted, so its level is zero."""
    found = {}
    for key, rates in requests.items():
        sums = total.get(key)
        if sums is None and not never:
            continue
        level = [
            _share(0.0 if sums is None or (never and value != value) else value, rate)
            for value, rate in zip(sums or rates, rates, strict=True)
        ]
        found[key] = Measured(level, [rate * grid.window for rate in rates])
    return found


def _share(value: float, rate: float) -> float:
    return value / rate if rate > 0 else float("nan")


def _by_service(table: Table) -> dict[str, Rows]:
    return {key[0]: rows for key, rows in table.items()}
