"""What a log source is asked and gives, and the first of them: the fleet, `GET /logs?service=&level=&since=&limit=`."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2

from sre_bot.clients.http import HttpService
from sre_bot.settings import FleetSettings

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")
"""In rising order. A line whose level is none of these ranks above them all, so that it is never overlooked."""

_FLEET_LEVELS = ("INFO", "WARN", "ERROR")
_FLEET_LINES = 1_000  # of one level: the most that the fleet gives at once


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as a service wrote it; `time` in seconds since the epoch."""

    time: float
    service: str
    level: str
    message: str


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines are wanted.

    Attributes:
        since: seconds since the epoch.
        service: None for any.
        level: this one of LEVELS or worse; None for any. Lines of unknown level always match.
        contains: text in the message, whatever its case.
    """

    since: float
    service: str | None = None
    level: str | None = None
    contains: str = ""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some of the lines, in no particular order.

    Attributes:
        lines: what matches.
        unread: lines that were written as well, some of which may match, and that the source does not give.
        dropped: lines that the source itself has thrown away since it started.
    """

    lines: Sequence[LogLine]
    unread: int = 0
    dropped: int = 0


class FleetLogs:
    """The fleet as a source of logs: the newest 1000 lines of each level."""

    def __init__(self, settings: FleetSettings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._http = HttpService("The log source", "FLEET_URL", settings.url, transport=transport)

    async def read(self, wanted: LogQuery) -> AsyncGenerator[LogPage, None]:
        """One page for each level, the worst first: the fleet filters by one level, and many lines of a lower one must
        not crowd out the worse.

        Raises:
            BackendError: the fleet did not answer, or with an error.
        """
        dropped = 0
        for level in reversed(_at_least(wanted.level)):
            asked = {"service": wanted.service, "level": level, "since": f"{wanted.since:.3f}", "limit": _FLEET_LINES}
            answer = await self._http.get_json("/logs", asked)
            with self._http.reading():
                lines = [_line(entry) for entry in answer["logs"]]
                unread, told = int(answer["matched"]) - len(lines), int(answer["dropped"])
            needle = wanted.contains.casefold()
            found = [line for line in lines if needle in line.message.casefold()]
            # What it dropped is of all levels, and said again on every page.
            yield LogPage(found, unread, told - dropped)
            dropped = told

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _at_least(level: str | None) -> tuple[str, ...]:
    lowest = LEVELS.index(level) if level else 0
    return tuple(each for each in _FLEET_LEVELS if LEVELS.index(each) >= lowest)


def _line(entry: dict[str, Any]) -> LogLine:
    moment = datetime.fromisoformat(entry["time"]).timestamp()
    return LogLine(moment, entry["service"], entry["level"], entry["message"])
