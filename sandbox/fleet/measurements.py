"""What one service measured about itself: counts, times, and the work its processors did."""

import math
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

LATENCY_WINDOW_S = 30.0
CPU_WINDOW_S = 10
STATUSES = ("200", "500", "502", "503", "504")
"""Counted from 0, so that a rate exists before the first failure."""


@dataclass(slots=True)
class Total:
    """How many, and how many milliseconds in all."""

    count: int = 0
    sum_ms: float = 0.0

    def add(self, duration_s: float) -> None:
        """Count one more, which took `duration_s` seconds."""
        self.count += 1
        self.sum_ms += duration_s * 1000


class RecentDurations:
    """Durations of the last LATENCY_WINDOW_S seconds, for quantiles."""

    def __init__(self) -> None:
        self._ended: deque[tuple[float, float]] = deque()

    def add(self, duration_s: float) -> None:
        """Remember a duration that ended now."""
        self._ended.append((time.monotonic(), duration_s))
        self._forget()

    def quantiles_ms(self, *wanted: float) -> list[float]:
        """The wanted quantiles by nearest rank, in milliseconds; empty when nothing ended lately."""
        self._forget()
        ordered = sorted(duration for _, duration in self._ended)
        if not ordered:
            return []
        return [ordered[max(0, math.ceil(q * len(ordered)) - 1)] * 1000 for q in wanted]

    def _forget(self) -> None:
        horizon = time.monotonic() - LATENCY_WINDOW_S
        while self._ended and self._ended[0][0] < horizon:
            self._ended.popleft()


class CpuMeter:
    """CPU seconds used, against `cores`, over the last CPU_WINDOW_S whole seconds."""

    def __init__(self, cores: float) -> None:
        self.cores = cores
        self._started = time.monotonic()
        self._used: defaultdict[int, float] = defaultdict(float)

    def charge(self, cpu_s: float) -> None:
        """Add CPU seconds spent now."""
        now = int(time.monotonic())
        if now not in self._used:
            self._used = defaultdict(float, {t: s for t, s in self._used.items() if t >= now - CPU_WINDOW_S})
        self._used[now] += cpu_s

    def ratio(self) -> float:
        """Share of the cores in use, from 0 to 1; the second that still runs is left out."""
        now = int(time.monotonic())
        used = sum(cpu_s for t, cpu_s in self._used.items() if now - CPU_WINDOW_S <= t < now)
        span = min(CPU_WINDOW_S, max(1.0, now - self._started))
        return min(1.0, used / (span * self.cores))


@dataclass(slots=True)
class Measurements:
    """The figures of one service since the process started. A redeploy does not reset them: the
    ingress in front of the service keeps the counts, as a real one does."""

    cpu: CpuMeter
    requests: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(STATUSES, 0)))
    durations: Total = field(default_factory=Total)
    recent: RecentDurations = field(default_factory=RecentDurations)
    calls: dict[str, Total] = field(default_factory=lambda: defaultdict(Total))
    """Client-side: what this service waited for each target."""
    failed_calls: Counter[str] = field(default_factory=Counter)
    queries: Total = field(default_factory=Total)
    """Time in the database, without the wait for a connection."""
    restarts: int = 0
