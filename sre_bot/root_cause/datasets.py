"""A ranking of measurements in a CSV file, as published data sets of incidents have them.

The header is `t,<service>|<metric>|<statistic>,…`; a row is a bin labelled by its start, an empty cell is no data.
Metrics: `latency` (seconds; its mean is read where there is one), `availability` (per cent), `requests` (a count).
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from sre_bot.root_cause.observations import Graph, Measured, Observations, Ranking
from sre_bot.root_cause.ranking import rank

MEAN = "Average"
VIEWS = ("_client", "_remote")  # suffixes of what is only another service's view
KNOWN = ("latency", "availability")

Columns = Mapping[tuple[str, str, str], Sequence[float]]


def rank_csv(path: Path, graph: Graph, target: Sequence[str], told: float) -> Ranking:
    """Rank what a file holds.

    Args:
        path: the CSV file.
        graph: who calls whom.
        target: service, metric and statistic of the symptom.
        told: when it began, in seconds since the epoch.

    Raises:
        ValueError: the target's metric is not latency or availability, or the file has no rows.
    """
    with path.open(encoding="utf-8", newline="") as file:
        times, columns = read_columns(file)
    return rank_columns(times, columns, graph, target, told)


def rank_columns(times: Sequence[float], columns: Columns, graph: Graph, target: Sequence[str], told: float) -> Ranking:
    """The same of rows in memory, in the order of time."""
    service, metric, statistic = target
    if metric not in KNOWN:
        raise ValueError(f"metric {metric!r} is not one of {', '.join(KNOWN)}")
    return rank(_observe(times, columns, metric, statistic), graph, service, told)


def read_columns(file: Iterable[str]) -> tuple[list[float], Columns]:
    """Times of the rows, rising, and every column by (service, metric, statistic).

    Raises:
        ValueError: there are no rows.
    """
    header, *rows = list(csv.reader(file)) or [[]]
    if not rows:
        raise ValueError("the file has no rows")
    rows.sort(key=lambda row: float(row[0]))
    names = [(parts[0], parts[1], parts[2]) for name in header[1:] if len(parts := name.rsplit("|", 2)) == 3]
    values = [[_number(cell) for cell in row[1:]] for row in rows]
    return [float(row[0]) for row in rows], dict(zip(names, map(list, zip(*values, strict=True)), strict=True))


def as_json(ranking: Ranking) -> dict[str, Any]:
    """Verdict, onset and suspects for other programs."""
    return {
        "verdict": ranking.verdict,
        "onset": ranking.onset,
        "suspects": [
            {
                "service": suspect.service,
                "score": round(suspect.score, 4),
                "explains": round(suspect.explains, 4),
                "z": round(suspect.change.z, 2) if suspect.change else None,
                "reasons": list(suspect.reasons),
            }
            for suspect in ranking.suspects
        ],
        "cleared": list(ranking.cleared),
        "notes": list(ranking.notes),
    }


def _observe(times: Sequence[float], columns: Columns, metric: str, statistic: str) -> Observations:
    nothing = [float("nan")] * len(times)
    services = {}
    for name in dict.fromkeys(name for name, _, _ in columns):
        level = columns.get((name, metric, MEAN)) or columns.get((name, metric, statistic)) or nothing
        if metric == "availability":
            level = [1.0 - value / 100.0 for value in level]
        requests = next((rows for (of, what, _), rows in columns.items() if (of, what) == (name, "requests")), None)
        # Without counts every service weighs the same, which is worse than knowing them and better than nothing.
        services[name] = Measured(level, requests or [1.0] * len(times))
    return Observations(
        kind="latency" if metric == "latency" else "errors",
        times=times,
        step=_step(times),
        services=services,
        views=frozenset(name for name in services if name.endswith(VIEWS)),
    )


def _step(times: Sequence[float]) -> float:
    gaps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    return median(gaps) if gaps else 60.0


def _number(cell: str) -> float:
    return float(cell) if cell else float("nan")
