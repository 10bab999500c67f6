"""How much of each service's extra time or failures the services that it calls explain.

`own` is what is left. Where a caller measured its calls, what it waited for is known; else a callee's extra is shared
out by the callers' requests. A store that nothing measures has what its callers measured: what all of them share is the
store's, what one of them has alone is that caller's (its statement, not the store).
"""

import math
from dataclasses import dataclass

from sre_bot.root_cause.deviation import Window, gate, measure
from sre_bot.root_cause.observations import Change, Measured, Observations
from sre_bot.root_cause.topology import callers_of, circles

Calls = dict[str, tuple[str, ...]]


@dataclass
class Explanation:
    """Changes and own extra by service. A link within a circle of calls explains nothing."""

    changes: dict[str, Change]
    own: dict[str, float]
    stores: frozenset[str]
    circular: frozenset[str]
    new: frozenset[str]
    silent: frozenset[str]
    """Services whose own figures ended, so that their callers' are read."""


@dataclass(frozen=True)
class _Store:
    """A service that only its callers measure: its change, and what it adds to each of them."""

    change: Change
    excess: float
    added: dict[str, float]


def explain(observed: Observations, calls: Calls, window: Window) -> Explanation:
    """Subtract from every service's extra what those that it calls add to it."""
    changes = {name: measure(observed.kind, rows, window) for name, rows in observed.services.items()}
    edges = {edge: measure(observed.kind, rows, window) for edge, rows in observed.calls.items()}
    callers = callers_of(calls)
    stores = {
        name: store
        for name, from_whom in callers.items()
        if not (name in changes and changes[name].known) and (store := _store(observed, name, from_whom, edges, window))
    }
    silent = frozenset(name for name in stores if name in changes and not math.isnan(changes[name].before))
    changes |= {name: store.change for name, store in stores.items()}
    circle = circles(calls)
    own: dict[str, float] = {}
    for name, change in changes.items():
        own[name] = stores[name].excess if name in stores else change.excess
        for callee in calls.get(name, ()):
            if callee in changes and not (name in circle and circle.get(callee) == circle[name]):
                added = stores[callee].added.get(name, 0.0) if callee in stores else None
                own[name] -= _added(name, callee, changes, edges, callers[callee]) if added is None else added
    return Explanation(
        changes,
        own,
        frozenset(stores),
        frozenset(circle),
        frozenset(name for name, change in changes.items() if math.isnan(change.before) and change.requests > 0),
        silent,
    )


def _added(
    caller: str, callee: str, changes: dict[str, Change], edges: dict[tuple[str, str], Change], callers: list[str]
) -> float:
    """What a callee adds to a caller per row, as far as the callee's own move is believed."""
    change = changes[callee]
    believed = gate(change.z)
    if believed and (edge := edges.get((caller, callee))) and edge.known:
        return max(0.0, edge.excess) * believed
    total = sum(changes[name].requests for name in callers if name in changes and changes[name].requests > 0)
    share = min(1.0, max(0.0, changes[caller].requests) / total) if total > 0 else 1.0
    return max(0.0, change.excess) * believed * share


def _store(
    observed: Observations,
    name: str,
    callers: list[str],
    edges: dict[tuple[str, str], Change],
    window: Window,
) -> _Store | None:
    seen = {caller: edges[caller, name] for caller in callers if (caller, name) in edges}
    known = {caller: edge for caller, edge in seen.items() if edge.known}
    if not known:
        return None
    change = measure(observed.kind, _together([observed.calls[caller, name] for caller in known]), window)
    if observed.kind == "errors":
        added = {caller: max(0.0, edge.excess) * gate(edge.z) for caller, edge in known.items()}
        return _Store(change, sum(added.values()), added)
    # The lower median: with two callers the one that moved less, so that a single caller never speaks for the store.
    ordered = sorted(known.values(), key=lambda edge: edge.now / edge.before if edge.before > 0 else 1.0)
    middle = ordered[(len(ordered) - 1) // 2]
    factor = middle.now / middle.before if middle.before > 0 else 1.0
    shared = max(0.0, factor - 1.0)
    believed = gate(middle.z)
    added = {caller: shared * edge.before * edge.requests * believed for caller, edge in known.items()}
    return _Store(Change(change.before, change.now, change.requests, middle.z), sum(added.values()), added)


def _together(parts: list[Measured]) -> Measured:
    """Several callers' views of one callee as one."""
    rows = range(len(parts[0].level))
    requests, level = [], []
    for row in rows:
        pairs = [(part.level[row], part.requests[row]) for part in parts]
        there = [(value, number) for value, number in pairs if value == value and number > 0]
        total = sum(number for _, number in there)
        requests.append(total)
        level.append(sum(value * number for value, number in there) / total if total else float("nan"))
    return Measured(level, requests)
