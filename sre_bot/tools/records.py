"""Logs and deployments: what was written and what was changed.

Log lines and deployment reasons are the words of others: they are shown as data, shortened, and secrets are masked.
"""

import asyncio
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from sre_bot.catalog import Catalog
from sre_bot.clients.deployments import Deployment
from sre_bot.clients.logs import LogLine
from sre_bot.tools.moments import clock, parse_moment, span
from sre_bot.tools.sources import DeploymentSource, LogSource
from sre_bot.tools.spec import Access, shorten, tool

_FETCHED_LINES = 1_000  # of one level: the most that the fleet gives at once
_MESSAGE_LIMIT = 300
_LEVELS = ("INFO", "WARN", "ERROR")

_VARIABLE_PARTS = re.compile(
    r"0x[0-9a-f]+|\b[0-9a-f]{8}(?:-?[0-9a-f]{4,}){1,4}\b|\b(?=[a-f]*\d)[0-9a-f]{6,}\b|\d+(?:\.\d+)*", re.I
)
_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|DSN|DATABASE_URL", re.I)

ServiceName = Annotated[str | None, Field(description="Default: all services")]


class Logs:
    """Tools that read logs."""

    def __init__(self, catalog: Catalog, source: LogSource) -> None:
        self._catalog = catalog
        self._source = source

    @tool(Access.READ, title="Logs", progress="Reading the logs of {service|all services}")
    async def get_logs(
        self,
        service: ServiceName = None,
        level: Annotated[Literal["INFO", "WARN", "ERROR"] | None, Field(description="This level or worse")] = None,
        since: Annotated[str, Field(description="-5m, 14:05Z or RFC 3339")] = "-15m",
        contains: Annotated[str, Field(description="Text in the message")] = "",
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
    ) -> str:
        """Log lines, like ones folded into one with a count, worst level first."""
        now = time.time()
        if service:
            self._catalog.service(service)
        first = parse_moment(since, now)
        lines, notes = await self._read(service, level, first)
        found = [line for line in lines if contains.lower() in line.message.lower()]
        patterns = _fold(found)
        shown = f"{min(limit, len(patterns))} of {len(patterns)} patterns from {len(found):,} lines"
        what = f"{service or 'all services'}, {level + ' or worse' if level else 'all levels'}"
        header = f"{shown}, {what}, {clock(first, now)} to {clock(now)}"
        if not found:
            header = f"NO DATA: {header}. Nothing that matches was written; try an earlier since or no filter."
        return "\n".join([header, *notes, *(pattern.describe(now) for pattern in patterns[:limit])])

    async def _read(self, service: str | None, level: str | None, first: float) -> tuple[list[LogLine], list[str]]:
        """The lines of this level and worse, oldest first, and what is missing among them."""
        # Sources filter by exactly one level, and many lines of a lower one must not crowd out the worse.
        levels = _LEVELS[_LEVELS.index(level) :] if level else (None,)
        pages = await asyncio.gather(*(self._source.read(service, each, first, _FETCHED_LINES) for each in levels))
        lines = sorted((line for page in pages for line in page.lines), key=lambda line: line.time)
        notes = []
        if (matched := sum(page.matched for page in pages)) > len(lines):
            notes.append(
                f"Only the newest {len(lines):,} of {matched:,} lines were read; narrow service, level or since."
            )
        if dropped := max(page.dropped for page in pages):
            notes.append(
                f"The source itself left out {dropped:,} lines since it started (too many at once, or too old)."
            )
        return lines, notes


class Deployments:
    """Tools that read what was deployed."""

    def __init__(self, catalog: Catalog, source: DeploymentSource) -> None:
        self._catalog = catalog
        self._source = source

    @tool(Access.READ, title="Recent deployments", progress="Reading the deployments of {service|all services}")
    async def get_recent_deployments(
        self,
        service: ServiceName = None,
        since: Annotated[str, Field(description="-1h, 14:05Z or RFC 3339")] = "-24h",
        limit: Annotated[int, Field(ge=1, le=50)] = 10,
    ) -> str:
        """What was deployed, newest first, with each changed setting before → after."""
        now = time.time()
        if service:
            self._catalog.service(service)
        first = parse_moment(since, now)
        # One more than asked for shows whether there are more.
        found = await self._source.recent(service, first, limit + 1)
        when = f"since {clock(first, now)}"
        if not found:
            return f"NO DATA: no deployment of {service or 'any service'} {when}. An earlier since may find one."
        more = "; there are older ones: raise limit" if len(found) > limit else ""
        count = min(limit, len(found))
        plural = "s" if count > 1 else ""
        header = f"{count} deployment{plural} of {service or 'all services'} {when}, newest first{more}"
        return "\n".join([header, *(_deployment(entry, now) for entry in found[:limit])])


@dataclass
class _Pattern:
    """Lines that differ in numbers and ids only."""

    newest: LogLine
    first: float
    count: int

    def describe(self, now: float) -> str:
        """One line: service, level, count, first and last time, and the newest message."""
        line = self.newest
        times = f"×{self.count} " + (f"{clock(self.first, now)}–" if self.count > 1 else "") + clock(line.time, now)  # noqa: RUF001
        return f"{line.service} {line.level} {times} {shorten(line.message, _MESSAGE_LIMIT)}"


def _fold(lines: Iterable[LogLine]) -> list[_Pattern]:
    """Patterns of lines (given oldest first); worst level first, then newest."""
    patterns: dict[tuple[str, str, str], _Pattern] = {}
    for line in lines:
        key = line.service, line.level, _VARIABLE_PARTS.sub("#", line.message[:1000])
        if key in patterns:
            patterns[key].newest = line
            patterns[key].count += 1
        else:
            patterns[key] = _Pattern(line, line.time, 1)
    return sorted(patterns.values(), key=lambda pattern: (-_rank(pattern.newest.level), -pattern.newest.time))


def _rank(level: str) -> int:
    """Unknown levels rank as the worst, so that they are never at the end."""
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)


def _deployment(entry: Deployment, now: float) -> str:
    when = f"{clock(entry.time, now)} ({span(now - entry.time)} ago)"
    line = f"{entry.service} {when} version {shorten(entry.version, 60)} by {shorten(entry.author, 60)}"
    changes = "; ".join(_changes(entry)) or "no setting changed"
    return f"{line}: {shorten(entry.reason, 160) or 'no reason given'}; {changes}"


def _changes(entry: Deployment) -> Sequence[str]:
    return [
        f"{shorten(key, 80)} {_value(key, before)} → {_value(key, after)}"
        for key, (before, after) in entry.changes.items()
    ]


def _value(key: str, value: str | None) -> str:
    if value is None:
        return "(unset)"
    return "(masked)" if _SECRET_NAME.search(key) else shorten(value, 80)
