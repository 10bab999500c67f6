"""What was deployed: a JSON feed of the shape that docs/integrations.md describes, and the fleet's, which is the same.

A feed may be a file that a pipeline writes: it need not filter, so its answer is filtered, sorted and cut here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2

from sre_bot.clients.credentials import ANONYMOUS, credentials
from sre_bot.clients.http import HttpService
from sre_bot.settings import DeploymentSettings, FleetSettings


@dataclass(frozen=True, slots=True)
class Deployment:
    """One start or redeploy; `changes` maps a setting to its value before and after, None where it had none."""

    id: str
    time: float
    service: str
    version: str
    author: str
    reason: str
    changes: Mapping[str, tuple[str | None, str | None]]


class DeploymentFeed:
    """An address that answers `GET ?service=&since=&limit=` with deployments; each parameter is a hint."""

    def __init__(
        self, settings: DeploymentSettings | FleetSettings, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        if isinstance(settings, FleetSettings):
            url, setting, access = httpx2.URL(f"{settings.url}/deployments"), "FLEET_URL", ANONYMOUS
        else:
            url, setting, access = httpx2.URL(settings.url), "DEPLOYMENTS_URL", credentials(settings)
        self._path, self._fixed = url.path, dict(url.params)
        origin = str(url.copy_with(path="/", query=None)).rstrip("/")
        self._http = HttpService("The deployment source", setting, origin, transport=transport, **access)

    async def recent(self, service: str | None, since: float, limit: int) -> Sequence[Deployment]:
        """At most `limit` deployments since `since` (seconds since the epoch), newest first.

        Raises:
            BackendError: the feed did not answer, or with an error, or in another shape.
        """
        hints = {"service": service, "since": f"{since:.3f}", "limit": limit}
        answer = await self._http.get_json(self._path, self._fixed | hints)
        with self._http.reading():
            entries = answer if isinstance(answer, list) else answer["deployments"]
            found = [_read(entry) for entry in entries]
        wanted = [entry for entry in found if entry.time >= since and service in (None, entry.service)]
        return sorted(wanted, key=lambda entry: entry.time, reverse=True)[:limit]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _read(entry: Mapping[str, Any]) -> Deployment:
    """Only `time` and `service` are required; what else is missing is said to be unknown."""
    return Deployment(
        str(entry.get("id") or ""),
        _moment(entry["time"]),
        str(entry["service"]),
        str(entry.get("version") or "unknown"),
        str(entry.get("author") or "unknown"),
        str(entry.get("reason") or ""),
        {
            str(key): (_value(change.get("from")), _value(change.get("to")))
            for key, change in (entry.get("changes") or {}).items()
        },
    )


def _moment(value: str | float) -> float:
    """Seconds since the epoch, from RFC 3339 (UTC where it names no zone) or from such seconds."""
    if not isinstance(value, str):
        return float(value)
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _value(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
