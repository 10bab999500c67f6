"""Log lines from the fleet: `GET /logs?service=&level=&since=&limit=`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx2

from sre_bot.clients.http import HttpService
from sre_bot.settings import FleetSettings


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as a service wrote it; `time` in seconds since the epoch."""

    time: float
    service: str
    level: str
    message: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines, oldest first.

    `matched` counts what the source found before its limit; `dropped` what it wrote since it started and has no more.
    """

    lines: Sequence[LogLine]
    matched: int
    dropped: int = 0


class FleetLogs:
    """The fleet as a source of logs."""

    def __init__(self, settings: FleetSettings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._http = HttpService("The log source", "FLEET_URL", settings.url, transport=transport)

    async def read(self, service: str | None, level: str | None, since: float, limit: int) -> LogPage:
        """The newest `limit` lines (at most 1000) since `since` (seconds since the epoch); None: any service or level.

        Raises:
            BackendError: the fleet did not answer, or with an error.
        """
        wanted = {"service": service, "level": level, "since": f"{since:.3f}", "limit": limit}
        answer = await self._http.get_json("/logs", wanted)
        with self._http.reading():
            lines = [
                LogLine(
                    datetime.fromisoformat(line["time"]).timestamp(), line["service"], line["level"], line["message"]
                )
                for line in answer["logs"]
            ]
            lines.sort(key=lambda line: line.time)
            return LogPage(lines, int(answer.get("matched", len(lines))), int(answer.get("dropped", 0)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
