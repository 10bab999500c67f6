"""Which ranking answers a question that names no service or no symptom: the one whose symptom is the most unusual."""

from collections.abc import Iterable, Mapping

import numpy as np

from sre_bot.root_cause.deviation import find_window, measure
from sre_bot.root_cause.observations import Graph, Kind, Observations, Ranking
from sre_bot.root_cause.ranking import SIGNIFICANT_Z, rank
from sre_bot.root_cause.topology import entrances

EARLIER_S = 1500.0  # less than the search for an onset spans, so that nothing falls between


def rank_symptoms(
    observed: Mapping[Kind, Observations], graph: Graph, target: str | None, told: float
) -> tuple[Ranking, ...]:
    """A ranking for each kind that was observed, the most unusual symptom first.

    Where no target is given it is the entrance that moved most, or, where no entrance moved, the service that did.
    Where nothing moved near the told time, the half hour before is asked about: who asks late may ask very late.
    """
    found = _rank_at(observed, graph, target, told)
    if all(ranking.verdict == "none" for ranking in found):
        earlier = _rank_at(observed, graph, target, told - EARLIER_S)
        found = earlier if any(ranking.verdict != "none" for ranking in earlier) else found
    return tuple(sorted(found, key=lambda ranking: -(ranking.target_change.z if ranking.target_change else 0.0)))


def _rank_at(observed: Mapping[Kind, Observations], graph: Graph, target: str | None, told: float) -> list[Ranking]:
    found = []
    for kind, rows in observed.items():
        service = target or _worst(kind, rows, entrances(graph), told) or _worst(kind, rows, rows.services, told)
        found.append(rank(rows, graph, service or _busiest(rows, graph), told))
    return found


def _worst(kind: Kind, rows: Observations, candidates: Iterable[str], told: float) -> str | None:
    """The candidate that moved most, if any moved significantly."""
    times = np.asarray(rows.times, dtype=float)
    moved = {
        name: measure(kind, rows.services[name], find_window(times, rows.step, rows.services[name], told)).z
        for name in candidates
        if name in rows.services
    }
    worst = max(moved, key=lambda name: moved[name], default=None)
    return worst if worst is not None and moved[worst] >= SIGNIFICANT_Z else None


def _busiest(rows: Observations, graph: Graph) -> str:
    """The entrance with the most requests, where nothing moved."""

    def requests(name: str) -> float:
        return float(np.nansum(rows.services[name].requests)) if name in rows.services else -1.0

    return max(entrances(graph) or list(rows.services), key=requests)
