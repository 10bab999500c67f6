"""From tool results to a judgement: who is failing, what explains it, what could not be seen.

A pure function of the results of one exchange. It names a cause only when figures and a change say so together;
with less it lowers its confidence, and with nothing to see it says INCONCLUSIVE.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .conversation import Result
from .readings import (
    Alert,
    Change,
    Health,
    LogPattern,
    Ranking,
    Sample,
    ServiceHealth,
    number,
    problem_of,
    read_alerts,
    read_changes,
    read_conclusions,
    read_deployments,
    read_health,
    read_logs,
    read_ranking,
    read_samples,
    read_settings,
    seconds_from,
)

Verdict = Literal["healthy", "failing", "inconclusive"]

POOL_SETTING = re.compile(r"POOL|CONN", re.IGNORECASE)
QUERY_SETTING = re.compile(r"QUERY|SQL|STATEMENT", re.IGNORECASE)
RELEASE_SETTING = re.compile(r"VERSION|RELEASE|IMAGE|TAG", re.IGNORECASE)
POOL_MESSAGE = re.compile(r"database connection|connection pool|too many (?:clients|connections)", re.IGNORECASE)
SLOW_MESSAGE = re.compile(r"duration: (?P<ms>[\d.]+) ms")
SLOW_DATABASE = re.compile(r"database is slow", re.IGNORECASE)
QUERIES = re.compile("http_requests_total|db_query_duration|db_connections")
STALE = 45.0  # seconds without a line of its kind, after which a kind of error is over

Kind = Literal["pool", "queries", "release"]


@dataclass(frozen=True)
class Cause:
    """A change that figures and times agree on."""

    kind: Kind
    change: Change


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
    query_times: tuple[Sample, ...]
    ranking: Ranking
    conclusions: tuple[str, ...]  # of the runbooks
    followed: tuple[str, ...]  # the runbooks, by name
    settings: dict[str, str]  # of the one service whose configuration was read
    unseen: tuple[tuple[str, str], ...]  # (tool, why) for each call that saw nothing
    sources: dict[str, tuple[str, ...]]  # ids of the results, by what was read in them

    @property
    def verdict(self) -> Verdict:
        """Failing when a service breaches or an alert fires; healthy only when everything was seen and is OK."""
        if self._breaching or self.firing:
            return "failing"
        if self.health.problem or not self.health.services or self.unmeasured:
            return "inconclusive"
        return "healthy"

    @property
    def suspect(self) -> ServiceHealth | None:
        """The service that explains most: whose change is the cause, or else what broke first, or else the worst."""
        if not self._breaching:
            return None
        name = self.cause.change.service if self.cause else self.ranking.first
        return self.health.named(name) or self._breaching[0]

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
        return service is not None and self._is_exhausted(service)

    @property
    def pool_logs(self) -> tuple[LogPattern, ...]:
        """Log patterns about missing database connections, of those that are still written."""
        return tuple(line for line in self.current_logs if POOL_MESSAGE.search(line.message))

    @property
    def current_logs(self) -> tuple[LogPattern, ...]:
        """Log patterns that go on; what ended earlier belongs to something else."""
        newest = max(self.logs, key=lambda line: seconds_from(self.logs[0].last, line.last) or 0.0, default=None)
        if newest is None:
            return ()
        return tuple(line for line in self.logs if (seconds_from(line.last, newest.last) or 0.0) <= STALE)

    @property
    def slow_logs(self) -> tuple[LogPattern, ...]:
        """Log patterns of the database about queries that took long."""
        return tuple(line for line in self.current_logs if SLOW_MESSAGE.match(line.message))

    @property
    def database_is_slow(self) -> bool:
        """Whether a runbook's figures point to the time that queries take."""
        return any(SLOW_DATABASE.search(each) for each in self.conclusions)

    @property
    def cause(self) -> Cause | None:
        """What is established: the change of a breaching service that explains what was measured."""
        found = (self._cause_in(service) for service in self._breaching)
        return next(filter(None, found), None)

    @property
    def change(self) -> Change | None:
        """The setting whose change explains the failure best; enlarging a pool does not explain its exhaustion."""
        if self.cause:
            return self.cause.change
        newest = self._changes_of(self.suspect) if self.suspect else []
        others = (c for c in newest if not (self.pool_exhausted and POOL_SETTING.search(c.key)))
        return next(others, None)

    @property
    def confidence(self) -> str:
        """High: symptom and change agree. Medium: one of them. Low: neither."""
        if self.cause:
            return "high"
        return "medium" if self.pool_exhausted or self.change or self.ranking.clear else "low"

    @property
    def _breaching(self) -> list[ServiceHealth]:
        """Worst state first, then whose own pool is in need, then the most errors."""
        return sorted((s for s in self.health.services if s.rank >= 2), key=_explains, reverse=True)

    def _is_exhausted(self, service: ServiceHealth) -> bool:
        waiting = self.pool.get("waiting") or service.value("db_waiting") or 0
        return waiting > 0 or "db_connections" in service.breached or bool(self.pool_logs)

    def _cause_in(self, service: ServiceHealth) -> Cause | None:
        """A pool that was cut explains its exhaustion; slower queries explain a slow database, and with it a pool that
        is exhausted; a release explains errors that its log shows since then, where no pool is exhausted and no other
        service broke first."""
        changes = self._changes_of(service)
        exhausted = self._is_exhausted(service)
        tests: list[tuple[Kind, bool, Callable[[Change], bool]]] = [
            ("pool", exhausted, lambda c: bool(POOL_SETTING.search(c.key)) and _grew(c) < 0),
            ("queries", self.database_is_slow, lambda c: bool(QUERY_SETTING.search(c.key)) and _grew(c) > 0),
            (
                "release",
                not exhausted and self._may_be_first(service),
                lambda c: bool(RELEASE_SETTING.search(c.key)) and self._errors_since(c),
            ),
        ]
        for kind, shown, explains in tests:
            if shown and (change := next(filter(explains, changes), None)):
                return Cause(kind, change)
        return None

    def _may_be_first(self, service: ServiceHealth) -> bool:
        """Whether the ranking, where there is one, does not rule out that it broke first."""
        suspects = [name for name, _ in self.ranking.suspects]
        return service.name in (suspects[:1] if self.ranking.clear else suspects or [service.name])

    def _errors_since(self, change: Change) -> bool:
        """Whether the most frequent error in the log of the service was never written before the change."""
        own = [line for line in self.current_logs if line.service == change.service and line.level == "ERROR"]
        most = max(own, key=lambda line: line.count, default=None)
        since = seconds_from(change.time, most.first) if most else None
        return since is not None and since >= 0

    def _changes_of(self, service: ServiceHealth) -> list[Change]:
        """The newest change of each of its settings."""
        newest: dict[str, Change] = {}
        for change in self.changes:  # newest first
            if change.service == service.name:
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
    logs = {str(result.arguments): result.text for result in seen if result.tool == "get_logs"}
    runbooks = [result for result in seen if result.tool == "execute_runbook"]
    return Diagnosis(
        health=next((read_health(r) for r in reversed(results) if r.tool == "get_service_health"), Health(())),
        alerts=tuple(read_alerts(_last(seen, "get_alerts"))),
        changes=tuple(read_changes(_last(seen, "get_recent_deployments"))),
        deployments=tuple(read_deployments(_last(seen, "get_recent_deployments"))),
        logs=tuple(line for text in logs.values() for line in read_logs(text)),
        pool=_pool([sample for found in samples.values() for sample in found]),
        error_history=next((found for query, found in samples.items() if "http_requests_total" in query), ()),
        query_times=next((found for query, found in samples.items() if "db_query_duration" in query), ()),
        ranking=read_ranking(_last(seen, "rank_suspects")),
        conclusions=tuple(each for result in runbooks for each in read_conclusions(result.text)),
        followed=tuple(str(result.arguments.get("name", "")) for result in runbooks),
        settings=read_settings(_last(seen, "read_service_config")),
        unseen=tuple((result.tool, problem_of(result)) for result in newest.values() if problem_of(result)),
        sources=_sources(list(newest.values())),
    )


def _sources(results: Sequence[Result]) -> dict[str, tuple[str, ...]]:
    """Ids of results by tool; those of queries by what they ask for, those that saw nothing by why."""
    found: dict[str, tuple[str, ...]] = {}
    for result in results:
        if result.evidence:
            asked = QUERIES.search(result.arguments.get("query", "")) if result.tool == "query_metrics" else None
            key = problem_of(result) or (asked[0] if asked else result.tool)
            found[key] = (*found.get(key, ()), result.evidence)
    return found


def _explains(service: ServiceHealth) -> tuple[int, bool, bool, float]:
    waiting = service.value("db_waiting") or 0
    return service.rank, waiting > 0, "db_connections" in service.breached, service.value("error_rate") or 0


def _grew(change: Change) -> float:
    """By how much a number changed; 0 for what is none."""
    before, after = number(change.before), number(change.after)
    return 0.0 if before is None or after is None else after - before


def _pool(samples: Sequence[Sample]) -> dict[str, float]:
    """`active`, `max` and `waiting` of the one service that was asked for."""
    named = ((re.search(r"db_connections_(active|max|waiting)", sample.labels), sample) for sample in samples)
    return {match[1]: sample.last for match, sample in named if match}


def _last(results: Sequence[Result], tool: str) -> str:
    return next((result.text for result in reversed(results) if result.tool == tool), "")
