"""From tool results to a judgement: who is failing, what explains it, what could not be seen.

A pure function of the results of one exchange. It names a cause only when figures and a change say so together;
with less it lowers its confidence, and with nothing to see it says INCONCLUSIVE.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .conversation import Result
from .readings import (
    Alert,
    Change,
    Health,
    LogPattern,
    Sample,
    ServiceHealth,
    number,
    problem_of,
    read_alerts,
    read_changes,
    read_deployments,
    read_health,
    read_logs,
    read_samples,
)

Verdict = Literal["healthy", "failing", "inconclusive"]

POOL_SETTING = re.compile(r"POOL|CONN", re.IGNORECASE)
POOL_MESSAGE = re.compile(r"database connection|connection pool|too many (?:clients|connections)", re.IGNORECASE)


@dataclass(frozen=True)
class Diagnosis:
    """What the results of an exchange say; empty parts were not asked for or could not be read."""

    health: Health
    alerts: tuple[Alert, ...]
    changes: tuple[Change, ...]
    deployments: tuple[str, ...]
    logs: tuple[LogPattern, ...]
    pool: dict[str, float]
    error_history: tuple[Sample, ...]
    unseen: tuple[tuple[str, str], ...]  # (tool, why) for each call that saw nothing

    @property
    def verdict(self) -> Verdict:
        """Failing when a service breaches or an alert fires; healthy only when everything was seen and is OK."""
        if self.suspect or self.firing:
            return "failing"
        if self.health.problem or not self.health.services or self.unmeasured:
            return "inconclusive"
        return "healthy"

    @property
    def suspect(self) -> ServiceHealth | None:
        """The breaching service that explains most: worst state, then its own pool in need, then the most errors."""
        return max((s for s in self.health.services if s.rank >= 2), key=_explains, default=None)

    @property
    def others(self) -> tuple[ServiceHealth, ...]:
        """Breaching services besides the suspect."""
        return tuple(s for s in self.health.services if s.rank >= 2 and s is not self.suspect)

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """Services whose state is NO DATA."""
        return tuple(s.name for s in self.health.services if s.state == "NO DATA")

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Alerts in state firing."""
        return tuple(alert for alert in self.alerts if alert.state == "firing")

    @property
    def pool_exhausted(self) -> bool:
        """Whether requests of the suspect wait for connections, or its log says that they could not get one."""
        service = self.suspect
        waiting = self.pool.get("waiting") or (service and service.value("db_waiting")) or 0
        full = service is not None and "db_connections" in service.breached
        return waiting > 0 or full or bool(self.pool_logs)

    @property
    def pool_logs(self) -> tuple[LogPattern, ...]:
        """Log patterns about missing database connections."""
        return tuple(line for line in self.logs if POOL_MESSAGE.search(line.message))

    @property
    def pool_cut(self) -> Change | None:
        """The change that made the suspect's pool smaller, if its pool is exhausted and that is the newest value."""
        cuts = (change for change in self._suspect_changes() if POOL_SETTING.search(change.key) and _is_cut(change))
        return next(cuts, None) if self.pool_exhausted else None

    @property
    def change(self) -> Change | None:
        """The setting whose change explains the failure best; enlarging a pool does not explain its exhaustion."""
        others = (c for c in self._suspect_changes() if not (self.pool_exhausted and POOL_SETTING.search(c.key)))
        return self.pool_cut or next(others, None)

    @property
    def confidence(self) -> str:
        """High: symptom and change agree. Medium: one of them. Low: neither."""
        if self.pool_cut:
            return "high"
        return "medium" if self.pool_exhausted or self.change else "low"

    def _suspect_changes(self) -> list[Change]:
        """The newest change of each setting of the suspect."""
        newest: dict[str, Change] = {}
        for change in self.changes:  # newest first
            if self.suspect and change.service == self.suspect.name:
                newest.setdefault(change.key, change)
        return list(newest.values())


def diagnose(results: Sequence[Result]) -> Diagnosis:
    """Judge tool results, oldest first; of repeated calls the last one counts."""
    newest = {(result.tool, str(result.arguments)): result for result in results}
    seen = [result for result in results if not problem_of(result)]
    samples = {
        result.arguments.get("query", ""): tuple(read_samples(result.text))
        for result in seen
        if result.tool == "query_metrics"
    }
    logs = _last(seen, "get_logs")
    return Diagnosis(
        health=next((read_health(r) for r in reversed(results) if r.tool == "get_service_health"), Health(())),
        alerts=tuple(read_alerts(_last(seen, "get_alerts"))),
        changes=tuple(read_changes(_last(seen, "get_recent_deployments"))),
        deployments=tuple(read_deployments(_last(seen, "get_recent_deployments"))),
        logs=tuple(read_logs(logs)),
        pool=_pool([sample for found in samples.values() for sample in found]),
        error_history=next((found for query, found in samples.items() if "http_requests_total" in query), ()),
        unseen=tuple((result.tool, problem_of(result)) for result in newest.values() if problem_of(result)),
    )


def _explains(service: ServiceHealth) -> tuple[int, bool, bool, float]:
    waiting = service.value("db_waiting") or 0
    return service.rank, waiting > 0, "db_connections" in service.breached, service.value("error_rate") or 0


def _is_cut(change: Change) -> bool:
    before, after = number(change.before), number(change.after)
    return before is not None and after is not None and after < before


def _pool(samples: Sequence[Sample]) -> dict[str, float]:
    """`active`, `max` and `waiting` of the one service that was asked for."""
    named = ((re.search(r"db_connections_(active|max|waiting)", sample.labels), sample) for sample in samples)
    return {match[1]: sample.last for match, sample in named if match}


def _last(results: Sequence[Result], tool: str) -> str:
    return next((result.text for result in reversed(results) if result.tool == tool), "")
