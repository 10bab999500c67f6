"""Deployments of the fleet: `GET /deployments?service=&since=&limit=`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx2

from sre_bot.clients.http import HttpService
from sre_bot.settings import FleetSettings


@dataclass(frozen=True, slots=True)
class Deployment:
    """One start or redeploy; `changes` maps a variable to its value before and after, None where it had none."""

    id: str
    time: float
    service: str
    version: str
    author: str
    reason: str
    changes: Mapping[str, tuple[str | None, str | None]]


class FleetDeployments:
    """The fleet as a source of deployments."""

    def __init__(self, settings: FleetSettings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._http = HttpService("The deployment source", "FLEET_URL", settings.url, transport=transport)

    async def recent(self, service: str | None, since: float, limit: int) -> Sequence[Deployment]:
        """At most `limit` deployments since `since` (seconds since the epoch), newest first.

        Raises:
            BackendError: the fleet did not answer, or with an error.
        """
        wanted = {"service": service, "since": f"{since:.3f}", "limit": limit}
        answer = await self._http.get_json("/deployments", wanted)
        with self._http.reading():
            found = [
                Deployment(
                    str(entry["id"]),
                    datetime.fromisoformat(entry["time"]).timestamp(),
                    entry["service"],
                    entry["version"],
                    entry["author"],
                    entry["reason"],
                    {key: (change["from"], change["to"]) for key, change in entry["changes"].items()},
                )
                for entry in answer["deployments"]
            ]
        return sorted(found, key=lambda deployment: deployment.time, reverse=True)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
