"""What a ranking reads and what it answers: plain data, without numpy and without a network."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["latency", "errors"]
Verdict = Literal["clear", "ambiguous", "none"]
Rows = Sequence[float]
"""One figure, row by row; NaN where there is no data."""

Graph = Mapping[str, Sequence[str]]
"""The services that each service calls. It may have cycles and name services that nothing measures."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A service, or the calls from one service to another.

    Attributes:
        level: mean seconds of a request, or the share of the requests that failed.
        requests: how many, per row.
    """

    level: Rows
    requests: Rows


@dataclass(frozen=True)
class Observations:
    """Everything that was measured for one kind of symptom.

    Attributes:
        kind: what `level` is of.
        times: the start of each row, in seconds since the epoch, rising; gaps are allowed.
        step: seconds that a row covers.
        services: by name.
        calls: by (caller, callee), as the caller measured them; where they are known they replace estimates.
        usage: shares of a limit, by signal and service.
        queues: requests that wait for something limited, by service.
        up: whether a service runs, 1 or 0, by service.
        views: services that are only another service's view of a third one.
    """

    kind: Kind
    times: Sequence[float]
    step: float
    services: Mapping[str, Measured]
    calls: Mapping[tuple[str, str], Measured] = field(default_factory=dict)
    usage: Mapping[str, Mapping[str, Rows]] = field(default_factory=dict)
    queues: Mapping[str, Rows] = field(default_factory=dict)
    up: Mapping[str, Rows] = field(default_factory=dict)
    views: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure moved at the onset.

    Attributes:
        before: the level before.
        now: the level since, weighted towards the rows in which the symptom is worst.
        requests: requests per row since.
        z: the move in units of what is usual for this figure; 0 where there is nothing to compare with.
    """

    before: float
    now: float
    requests: float
    z: float

    @property
    def known(self) -> bool:
        """Whether both levels were measured."""
        return math.isfinite(self.before) and math.isfinite(self.now)

    @property
    def excess(self) -> float:
        """Extra seconds, or extra failures, per row; 0 where one of the levels is not known."""
        extra = (self.now - self.before) * self.requests
        return 0.0 if math.isnan(extra) else extra


@dataclass(frozen=True, slots=True)
class Suspect:
    """A service that may have broken first.

    Attributes:
        score: its part of all suspicion, 0 to 1.
        explains: its part of the target's extra time or failures, 0 to 1.
        change: how its own figure moved; None where it has none.
        reasons: what else speaks for it, as sentences without an end.
        path: from the target to it, both included; empty where the topology has no way.
    """

    service: str
    score: float
    explains: float
    change: Change | None
    reasons: tuple[str, ...]
    path: tuple[str, ...]


@dataclass(frozen=True)
class Ranking:
    """The answer.

    Attributes:
        verdict: `clear`, `ambiguous`, or `none` where the target's move is not significant.
        onset: when it began, snapped to the target's strongest worsening.
        target_change: None where the target was not measured before and since.
        suspects: the likeliest first; never dropped because the verdict is weak.
        cleared: services that explain nothing of their own.
        notes: what could not be known, and what else was seen, as sentences without an end.
        over: whether the target was back to usual in the newest rows.
        surge: the target's requests since the onset, as a multiple of those before; 1 where that is not known.
    """

    kind: Kind
    target: str
    verdict: Verdict
    onset: float
    target_change: Change | None
    suspects: tuple[Suspect, ...]
    cleared: tuple[str, ...]
    notes: tuple[str, ...]
    over: bool = False
    surge: float = 1.0
