"""Logs and deployments: what was written and what was changed.

Log lines and deployment reasons are the words of others: they are shown as data, shortened, and what looks like a
secret is masked.
"""

import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from sre_bot.catalog import Catalog
from sre_bot.clients.deployments import Deployment
from sre_bot.clients.logs import LogQuery
from sre_bot.errors import BackendError, BadRequest
from sre_bot.tools.log_patterns import LogPatterns, Pattern, choose
from sre_bot.tools.masking import MASKED, is_secret_name, mask_secrets
from sre_bot.tools.moments import clock, parse_moment, span
from sre_bot.tools.sources import DeploymentSource, LogSource
from sre_bot.tools.spec import Access, shorten, tool

_MOST_LINES = 100_000  # read for one answer
_READING = 10.0  # seconds after which no further page is asked for
_MESSAGE_LIMIT = 300
_CONTAINS_LIMIT = 500  # it travels in a URL
_CHANGES = 20  # settings of one deployment

ServiceName = Annotated[str | None, Field(description="Default: all services")]


class Logs:
    """Tools that read logs.

    Args:
        catalog: the services there are.
        source: holds the lines.
        reading: seconds after which no further page is asked for.
    """

    def __init__(self, catalog: Catalog, source: LogSource, reading: float = _READING) -> None:
        self._catalog = catalog
        self._source = source
        self._reading_time = reading

    @tool(Access.READ, title="Logs", progress="Reading the logs of {service|all services}", timeout=30.0)
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
        if len(contains) > _CONTAINS_LIMIT:
            raise BadRequest(f"contains is too long: {len(contains):,} characters, at most {_CONTAINS_LIMIT}.")
        first = parse_moment(since, now)
        found = await self._read(LogQuery(first, service, level, contains))
        patterns = found.folded.patterns()
        shown = choose(patterns, limit)
        chosen = ", the newest, rarest and most frequent" if len(shown) < len(patterns) else ""
        count = f"{len(shown)} of {len(patterns)} patterns{chosen} from {found.count:,} lines"
        what = f"{service or 'all services'}, {level + ' or worse' if level else 'all levels'}"
        header = f"{count}, {what}, {clock(first, now)} to {clock(now)}"
        if not found.count:
            header = f"NO DATA: {header}. Nothing that matches was written; try an earlier since or no filter."
        return "\n".join([header, *found.notes(now), *(_describe(pattern, now) for pattern in shown)])

    async def _read(self, wanted: LogQuery) -> "_Found":
        """Read and fold page by page, so that memory holds one page and the patterns."""
        found = _Found()
        deadline = time.monotonic() + self._reading_time
        async with aclosing(self._source.read(wanted)) as pages:
            try:
                async for page in pages:
                    found.folded.add(page.lines)
                    found.count += len(page.lines)
                    found.unread += page.unread
                    found.dropped += page.dropped
                    found.oldest = min([found.oldest, *(line.time for line in page.lines)])
                    if found.count >= _MOST_LINES or time.monotonic() > deadline:
                        found.cut = True
                        break
            except BackendError as error:
                if not found.count:
                    raise
                found.failure = str(error)  # what was read is worth more than nothing
        return found


@dataclass
class _Found:
    """What was read, and what is missing from it."""

    folded: LogPatterns = field(default_factory=LogPatterns)
    count: int = 0
    unread: int = 0
    dropped: int = 0
    oldest: float = float("inf")
    cut: bool = False
    failure: str = ""

    def notes(self, now: float) -> list[str]:
        """What the reader has to know of the lines that are not here."""
        told = []
        narrower = "narrow service, level, contains or since"
        if self.cut:
            back = f", back to {clock(self.oldest, now)}" if self.count else ""
            told.append(f"Reading stopped after {self.count:,} lines{back}: there may be more; {narrower}.")
        if self.failure:
            told.append(f"INCOMPLETE, reading failed after these lines: {shorten(self.failure, 400)}")
        if self.unread:
            told.append(f"{self.unread:,} older lines were not read; {narrower}.")
        if self.dropped:
            told.append(
                f"The source itself left out {self.dropped:,} lines since it started (too many at once, or too old)."
            )
        return told


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


def _describe(pattern: Pattern, now: float) -> str:
    """One line: service, level, count, first and last time, and the newest message."""
    line = pattern.example
    times = f"\u00d7{pattern.count:,} " + (f"{clock(pattern.first, now)}–" if pattern.count > 1 else "")  # noqa: RUF001
    mixed = "(lines that were not told apart) " if pattern.mixed else ""
    message = shorten(mask_secrets(line.message[: 10 * _MESSAGE_LIMIT]), _MESSAGE_LIMIT)
    return f"{shorten(line.service, 80)} {line.level} {times}{clock(line.time, now)} {mixed}{message}"


def _deployment(entry: Deployment, now: float) -> str:
    when = f"{clock(entry.time, now)} ({span(now - entry.time)} ago)"
    line = f"{shorten(entry.service, 80)} {when} version {shorten(entry.version, 60)} by {shorten(entry.author, 60)}"
    reason = shorten(mask_secrets(entry.reason[:1_000]), 160)
    return f"{line}: {reason or 'no reason given'}; {describe_changes(entry)}"


def describe_changes(entry: Deployment) -> str:
    """Each changed setting before → after, secrets masked."""
    changes = [
        f"{shorten(key, 80)} {_value(key, before)} → {_value(key, after)}"
        for key, (before, after) in list(entry.changes.items())[:_CHANGES]
    ]
    if (more := len(entry.changes) - len(changes)) > 0:
        changes.append(f"and {more:,} more settings")
    return "; ".join(changes) or "no setting changed"


def _value(key: str, value: str | None) -> str:
    if value is None:
        return "(unset)"
    return MASKED if is_secret_name(key) else shorten(mask_secrets(value[:1_000]), 80)
