"""What the limits say: CPU, memory and connections against what is allowed, requests that wait, services that are down.

A limit that is reached makes a suspect likelier and gives it a reason. Alone it makes a suspect only at 95 % or while
requests wait. Two limits move blame: a pool that is full while its store got slower is the store's doing, and a service
that is down has what its callers could not do without it.
"""

from dataclasses import dataclass

import numpy as np

from sre_bot.root_cause.deviation import Window, gate, latest, rose
from sre_bot.root_cause.explanation import Explanation
from sre_bot.root_cause.observations import Observations
from sre_bot.root_cause.topology import callers_of

BUSY, FULL = 0.8, 0.95  # shares of a limit
RISEN = 0.05  # a share that was as high before says nothing about what began now
MOST = 1.5  # times that a limit multiplies a score
SLOWER_STORE = 1.5  # times as slow, from which on a store explains its callers' queues


@dataclass(frozen=True)
class Limits:
    """Of one service: how much likelier it is, why, whether that alone makes a suspect, and whether it is down."""

    factor: float = 1.0
    reasons: tuple[str, ...] = ()
    alone: bool = False
    down: bool = False
    waiting: bool = False


def read_limits(observed: Observations, window: Window) -> dict[str, Limits]:
    """The limits of every service that has any."""
    names = {name for rows in (*observed.usage.values(), observed.queues, observed.up) for name in rows}
    return {name: _limits(observed, name, window) for name in sorted(names)}


def move_blame(explained: Explanation, calls: dict[str, tuple[str, ...]], limits: dict[str, Limits]) -> dict[str, str]:
    """Change `explained.own` where a limit tells who is behind a caller's extra; gives why, by service."""
    why: dict[str, str] = {}
    for callee, callers in callers_of(calls).items():
        blamed = [name for name in callers if name in explained.own and explained.own[name] > 0]
        limit = limits.get(callee, Limits())
        # One caller's failures at a full store are that caller's; those of several are the store's.
        if callee not in explained.own and (limit.down or (limit.alone and len(blamed) > 1)):
            moved = blamed
            if moved:
                why[callee] = f"{', '.join(moved)} fail at it"
        elif callee in explained.stores and _slower(explained, callee):
            moved = [name for name in blamed if limits.get(name, Limits()).waiting]
            if moved:
                why[callee] = f"queues of {', '.join(moved)} follow from it"
        else:
            continue
        for name in moved:
            explained.own[callee] = explained.own.get(callee, 0.0) + explained.own[name]
            explained.own[name] = 0.0
    return why


def _slower(explained: Explanation, store: str) -> bool:
    """Whether all its callers' time in the store grew, not only one's."""
    change = explained.changes[store]
    base = change.before * change.requests
    return gate(change.z) >= 1.0 and base > 0 and explained.own[store] >= (SLOWER_STORE - 1.0) * base


def _limits(observed: Observations, name: str, window: Window) -> Limits:
    factor, reasons, alone = 1.0, [], False
    for signal, services in observed.usage.items():
        if name not in services:
            continue
        before, since = rose(services[name], window)
        # What rises slowly is further than it was on average. Where nothing came since the onset, nothing is known.
        now = since if np.isnan(since) else max(since, latest(services[name]))
        if now >= BUSY and not now - before < RISEN:  # also where there was nothing before
            factor = max(factor, 1.0 + (MOST - 1.0) * min(1.0, (now - BUSY) / (1.0 - BUSY)))
            was = f"{before:.0%} to " if before == before else ""
            reasons.append(f"{signal} {was}{now:.0%}")
            alone = alone or now >= FULL
        elif now >= FULL:
            reasons.append(f"{signal} {now:.0%}, as before")
            alone = True
    before, now = rose(observed.queues[name], window) if name in observed.queues else (0.0, 0.0)
    waiting = now >= 1.0 and not now < 2.0 * before
    if waiting:
        factor = MOST
        reasons.append(f"{now:.3g} waiting")
    down = name in observed.up and rose(observed.up[name], window)[1] < 0.5
    if down:
        factor = MOST
        reasons.append("down")
    return Limits(factor, tuple(reasons), alone or waiting or down, down, waiting)
