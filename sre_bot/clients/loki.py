"""Log lines from Loki: `GET /loki/api/v1/query_range`, newest first, page by page.

Whatever a caller sends becomes a literal inside LogQL, never a part of it.
"""

import json
import re
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from sre_bot.clients.credentials import credentials
from sre_bot.clients.http import HttpService
from sre_bot.clients.logs import LEVELS, LogLine, LogPage, LogQuery
from sre_bot.errors import Refused, TooLarge
from sre_bot.settings import LokiSettings

PAGE = 5_000
"""Lines asked for at once: Loki's own limit unless configured (Loki: limits_config, max_entries_limit_per_query)."""

_SMALLEST_PAGE = 50
_MAX_BODY = 16 << 20
_SPELLINGS = {
    "DEBUG": ("trace", "debug", "verbose"),
    "INFO": ("info", "information", "informational", "notice"),
    "WARN": ("warn", "warning"),
    "ERROR": ("err", "error", "eror", "severe", "crit", "critical", "alert", "fatal", "panic", "emerg", "emergency"),
}
_LEVEL_OF = {spelling: level for level, spellings in _SPELLINGS.items() for spelling in spellings}
_LIMIT = re.compile(r"max entries limit.*> ?(\d+)", re.IGNORECASE)  # Loki names the limit that it enforces


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line with its exact time; equal entries are one line, as they are to Loki."""

    nanoseconds: int
    labels: frozenset[tuple[str, str]]
    text: str


class Loki:
    """Loki as a source of logs.

    Args:
        settings: where it is, as which tenant, and what its labels are called.
        transport: replaces the network, for tests.
    """

    def __init__(self, settings: LokiSettings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        access = credentials(settings)
        if settings.tenant:
            access["headers"]["X-Scope-OrgID"] = settings.tenant
        self._http = HttpService("Loki", "LOKI_URL", settings.url, transport=transport, max_body=_MAX_BODY, **access)
        self._service_label = settings.service_label
        self._level_label = settings.level_label

    async def read(self, wanted: LogQuery) -> AsyncGenerator[LogPage, None]:
        """All matching lines, newest first, until the caller stops asking.

        Raises:
            BackendError: Loki did not answer, or with an error.
        """
        query = self.logql(wanted)
        start, end, limit = int(wanted.since * 1e9), time.time_ns() + 1, PAGE
        edge: set[_Entry] = set()  # of the last page, those with its oldest time: they are asked for again
        while start < end:
            try:
                entries = await self._page(query, start, end, limit)
            except (TooLarge, Refused) as error:
                limit = _smaller(limit, error)
                continue
            fresh = [entry for entry in entries if entry not in edge]
            yield LogPage([self._line(entry) for entry in fresh])
            if len(entries) < limit:
                return
            oldest = min(entry.nanoseconds for entry in entries)
            if fresh:
                # `end` is exclusive, and the page may have ended among lines of one time.
                edge, end = {entry for entry in entries if entry.nanoseconds == oldest}, oldest + 1
            else:
                edge, end = set(), oldest  # more lines of one time than a page holds: go on before them

    def logql(self, wanted: LogQuery) -> str:
        """The query: a stream selector, a line filter and a label filter, as needed."""
        # A selector needs one matcher that does not match the empty string (Loki: LogQL, log stream selector).
        service = f"={quote(wanted.service)}" if wanted.service else '=~".+"'
        query = f"{{{self._service_label}{service}}}"
        if wanted.contains:
            query += f" |~ {quote('(?i)' + quote_regex(wanted.contains))}"
        lesser = LEVELS[: LEVELS.index(wanted.level)] if wanted.level else ()
        if lesser:
            # Excluding the lesser levels keeps the lines that have no level; a line's absence must mean something.
            spellings = "|".join(spelling for level in lesser for spelling in _SPELLINGS[level])
            query += f" | {self._level_label}!~{quote(f'(?i)(?:{spellings})')}"
        return query

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _page(self, query: str, start: int, end: int, limit: int) -> list[_Entry]:
        asked = {"query": query, "start": start, "end": end, "limit": limit, "direction": "backward"}
        try:
            answer = await self._http.get_json("/loki/api/v1/query_range", asked)
        except Refused as error:
            if "no org id" in str(error):
                raise Refused(f"{error} This Loki has several tenants: set LOKI_TENANT.", error.status) from error
            raise
        with self._http.reading():
            return list(_entries(answer["data"]["result"]))

    def _line(self, entry: _Entry) -> LogLine:
        labels = dict(entry.labels)
        level = labels.get(self._level_label, "")
        return LogLine(
            entry.nanoseconds / 1e9,
            labels.get(self._service_label, "(no service)"),
            _LEVEL_OF.get(level.lower(), "UNKNOWN"),
            entry.text,
        )


def quote(text: str) -> str:
    """A string literal of LogQL, which are those of Go; control characters are escaped, a lone surrogate replaced."""
    return json.dumps(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), ensure_ascii=False)


def quote_regex(text: str) -> str:
    """`text` as an RE2 expression that matches nothing else (Go: regexp.QuoteMeta)."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)


def _entries(streams: Sequence[Mapping[str, Any]]) -> Iterator[_Entry]:
    for stream in streams:
        labels = frozenset(stream["stream"].items())
        for value in stream["values"]:
            yield _Entry(int(value[0]), labels, str(value[1]))


def _smaller(limit: int, error: TooLarge | Refused) -> int:
    """The next page size after an answer that was too large, or a limit that Loki does not allow; else the error."""
    named = _LIMIT.search(str(error))
    smaller = limit // 2 if isinstance(error, TooLarge) else int(named[1]) if named else limit
    if not _SMALLEST_PAGE <= smaller < limit:
        raise error
    return smaller
