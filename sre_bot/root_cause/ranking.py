"""The ranking: own extra, believed as far as it is unusual, weighted by what kind of evidence it is.

The constants were chosen with the services' names, order and clock scrambled, so none of them knows a system.
"""

import numpy as np

from sre_bot.root_cause.deviation import Window, back_to_usual, find_window, gate, rose
from sre_bot.root_cause.explanation import Explanation, explain
from sre_bot.root_cause.observations import Change, Graph, Measured, Observations, Ranking, Suspect, Verdict
from sre_bot.root_cause.saturation import Limits, move_blame, read_limits
from sre_bot.root_cause.topology import paths_from, read_graph

VIEW, TARGET, UNKNOWN_PATH = 0.3, 0.5, 0.3  # weights of weaker evidence
CLEAR_SCORE, CLEAR_Z, CLEAR_SHARE = 0.6, 6.0, 0.3
SIGNIFICANT_Z = 3.0
LIMIT_ALONE = 0.15  # of all suspicion, for a service that only a limit speaks against
NOTABLE = 0.05  # of all suspicion; below it a service is hardly a suspect
CLEARED_SHARE = 0.1  # of the target's extra: who has less of its own, and is hardly suspect, is cleared
FEW_ROWS = 10  # of history, below which what is usual is hardly known


def rank(observed: Observations, graph: Graph, target: str, told: float) -> Ranking:
    """Rank the services by how likely each of them broke first.

    Args:
        observed: what was measured, before and since.
        graph: who calls whom.
        target: the service that shows the symptom.
        told: when it began, in seconds since the epoch, as far as is known; later is no harm.
    """
    calls = read_graph(graph)
    rows = observed.services.get(target) or _nothing(observed)
    times = np.asarray(observed.times, dtype=float)
    window = find_window(times, observed.step, rows, told)
    explained = explain(observed, calls, window)
    limits = read_limits(observed, window)
    why = move_blame(explained, calls, limits)
    paths = paths_from(target, calls)
    suspicion = _suspicion(observed, explained, limits, paths, target)
    change = explained.changes.get(target)
    suspects = _suspects(suspicion, explained, limits, paths, change, why)
    moved = change.z if change else 0.0
    return Ranking(
        kind=observed.kind,
        target=target,
        verdict=_verdict(suspects, moved),
        onset=window.onset,
        target_change=change,
        suspects=suspects,
        cleared=_cleared(explained, suspects, change, paths),
        notes=tuple(_notes(observed, explained, calls, window, target)),
        over=moved >= SIGNIFICANT_Z and back_to_usual(observed.kind, rows, window),
        surge=_surge(rows, window),
    )


def _suspicion(
    observed: Observations,
    explained: Explanation,
    limits: dict[str, Limits],
    paths: dict[str, tuple[str, ...]],
    target: str,
) -> dict[str, float]:
    """Suspicion by service, which sums to one; empty where nothing is suspicious."""
    raw: dict[str, float] = {}
    for name, own in explained.own.items():
        change = explained.changes.get(name)
        believed = gate(change.z) if change else 1.0  # without a figure of its own it has its callers' blame
        weight = (VIEW if name in observed.views else 1.0) * (TARGET if name == target else 1.0)
        weight *= 1.0 if name in paths else UNKNOWN_PATH
        raw[name] = max(0.0, own) * believed * weight * limits.get(name, Limits()).factor
    total = sum(raw.values())
    shares = {name: value / total for name, value in raw.items() if value > 0} if total > 0 else {}
    for name, limit in limits.items():
        if limit.alone and name in paths:
            shares[name] = max(shares.get(name, 0.0), LIMIT_ALONE)
    scale = max(1.0, sum(shares.values()))
    return {name: share / scale for name, share in shares.items()}


def _suspects(
    suspicion: dict[str, float],
    explained: Explanation,
    limits: dict[str, Limits],
    paths: dict[str, tuple[str, ...]],
    target: Change | None,
    why: dict[str, str],
) -> tuple[Suspect, ...]:
    """Whoever is suspicious, then the others by how unusually they moved, so that a weak lead is there too."""
    strength = {name: change.z for name, change in explained.changes.items()}
    order = sorted(
        strength.keys() | suspicion, key=lambda name: (-suspicion.get(name, 0.0), -strength.get(name, 0.0), name)
    )
    whole = target.excess if target else 0.0
    return tuple(
        Suspect(
            service=name,
            score=suspicion.get(name, 0.0),
            explains=min(1.0, max(0.0, explained.own.get(name, 0.0)) / whole) if whole > 0 else 0.0,
            change=explained.changes.get(name),
            reasons=(*limits.get(name, Limits()).reasons, *([why[name]] if name in why else [])),
            path=paths.get(name, ()),
        )
        for name in order
    )


def _verdict(suspects: tuple[Suspect, ...], moved: float) -> Verdict:
    if moved < SIGNIFICANT_Z or not suspects:
        return "none"
    first = suspects[0]
    z = first.change.z if first.change else moved
    clear = first.score >= CLEAR_SCORE and z >= CLEAR_Z and first.explains >= CLEAR_SHARE
    return "clear" if clear else "ambiguous"


def _cleared(
    explained: Explanation, suspects: tuple[Suspect, ...], target: Change | None, paths: dict[str, tuple[str, ...]]
) -> tuple[str, ...]:
    if not target or target.excess <= 0:
        return ()
    suspected = {suspect.service for suspect in suspects if suspect.score >= NOTABLE}
    small = CLEARED_SHARE * target.excess
    return tuple(
        name
        for name, change in explained.changes.items()
        if name in paths and name not in suspected and change.known and explained.own[name] < small
    )


def _notes(
    observed: Observations, explained: Explanation, calls: dict[str, tuple[str, ...]], window: Window, target: str
) -> list[str]:
    notes = []
    if (history := int(window.history.sum())) < FEW_ROWS:
        notes.append(f"only {history} rows from before: what is usual is hardly known")
    if target not in observed.services:
        notes.append(f"{target} has no {observed.kind} data")
    new = sorted(explained.new - {target})
    if new:
        notes.append(f"new, without a past, so its caller is blamed: {', '.join(new[:3])}")
    if silent := sorted(explained.silent):
        notes.append(f"own figures ended, read from its callers: {', '.join(silent[:4])}")
    circular = sorted(explained.circular)
    if circular:
        notes.append(f"call each other in a circle, hard to tell apart: {', '.join(circular[:4])}")
    unmeasured = [name for name in calls if name not in explained.changes]
    if unmeasured:
        more = f" and {len(unmeasured) - 4} more" if len(unmeasured) > 4 else ""
        notes.append(f"not measured for {observed.kind}: {', '.join(unmeasured[:4])}{more}")
    if unknown := [name for name in observed.services if name not in calls]:
        notes.append(f"measured but not in the topology: {', '.join(sorted(unknown)[:3])}")
    return notes


def _surge(rows: Measured, window: Window) -> float:
    """How the target's requests changed."""
    before, now = rose(rows.requests, window)
    return now / before if before > 0 and now > 0 else 1.0


def _nothing(observed: Observations) -> Measured:
    nothing = [float("nan")] * len(observed.times)
    return Measured(nothing, nothing)
