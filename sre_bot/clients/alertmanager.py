"""Alertmanager's API v2: the alerts that it holds, who silenced them, and which alert inhibits which.

It makes silences too, for people's clicks; no tool of the model leads there. Fields are those of Alertmanager's own
description (api/v2/openapi.yaml).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from sre_bot.clients.credentials import credentials
from sre_bot.clients.http import HttpService
from sre_bot.errors import BadRequest
from sre_bot.settings import AlertmanagerSettings

_MAX_BODY = 16 << 20
"""Bytes; an alert takes about 1 KB, and a storm is when this is asked."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Keeps alerts quiet until `until` (seconds since the epoch); `matchers` as people write them."""

    id: str
    until: float
    author: str
    comment: str
    matchers: str


@dataclass(frozen=True, slots=True)
class RoutedAlert:
    """A firing alert as Alertmanager holds it: quiet when it has a silence or is inhibited by other alerts."""

    since: float
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    silences: Sequence[Silence]
    inhibited_by: Sequence[str]

    @property
    def name(self) -> str:
        """Name of the rule."""
        return self.labels.get("alertname", "(no name)")

    @property
    def quiet(self) -> bool:
        """Whether nobody is notified of it."""
        return bool(self.silences or self.inhibited_by)


@dataclass(frozen=True, slots=True)
class Routing:
    """What Alertmanager holds: alerts, and the active silences that match none of them."""

    alerts: Sequence[RoutedAlert]
    idle_silences: Sequence[Silence]


class Alertmanager:
    """An Alertmanager."""

    def __init__(self, settings: AlertmanagerSettings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._http = HttpService(
            "Alertmanager",
            "ALERTMANAGER_URL",
            settings.url,
            transport=transport,
            max_body=_MAX_BODY,
            **credentials(settings),
        )

    async def routing(self) -> Routing:
        """All alerts, quiet ones included, and the silences.

        Raises:
            BackendError: Alertmanager did not answer, or with an error.
        """
        # Each of these is true unless said otherwise; said here because the answer depends on them.
        every = dict.fromkeys(("active", "silenced", "inhibited", "unprocessed"), "true")
        alerts, silences = await asyncio.gather(
            self._http.get_json("/api/v2/alerts", every), self._http.get_json("/api/v2/silences")
        )
        with self._http.reading():
            active = {entry["id"]: _silence(entry) for entry in silences if entry["status"]["state"] == "active"}
            named = {entry["fingerprint"]: _subject(entry["labels"]) for entry in alerts}
            found = [_alert(entry, active, named) for entry in alerts]
        used = {silence.id for alert in found for silence in alert.silences}
        return Routing(found, [silence for silence in active.values() if silence.id not in used])

    async def silence(self, fingerprint: str, seconds: float, author: str, comment: str) -> None:
        """Keep one alert quiet for a while, whatever else fires.

        Raises:
            BackendError: it was not silenced, or whether it was is unknown.
            BadRequest: Alertmanager holds no such alert.
        """
        held = await self._http.get_json("/api/v2/alerts", {"active": "true", "silenced": "true", "inhibited": "true"})
        with self._http.reading():
            labels = next((entry["labels"] for entry in held if entry["fingerprint"] == fingerprint), None)
        if labels is None:
            raise BadRequest("Alertmanager does not hold this alert any more, so there is nothing to silence.")
        now = datetime.now(UTC)
        matchers = [
            {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in sorted(labels.items())
        ]
        wanted = {
            "matchers": matchers,
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(seconds=seconds)).isoformat(),
            "createdBy": author,
            "comment": comment,
        }
        await self._http.post_json("/api/v2/silences", wanted)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _alert(entry: Mapping[str, Any], silences: Mapping[str, Silence], named: Mapping[str, str]) -> RoutedAlert:
    status = entry["status"]
    return RoutedAlert(
        _moment(entry["startsAt"]),
        entry["labels"],
        entry["annotations"],
        # A silence may have been made or ended between the two questions.
        [silences.get(each, Silence(each, 0.0, "", "", "")) for each in status["silencedBy"]],
        [named.get(each, f"alert {each}") for each in status["inhibitedBy"]],
    )


def _silence(entry: Mapping[str, Any]) -> Silence:
    matchers = ", ".join(_matcher(matcher) for matcher in entry["matchers"])
    return Silence(entry["id"], _moment(entry["endsAt"]), entry["createdBy"], entry["comment"], matchers)


def _matcher(matcher: Mapping[str, Any]) -> str:
    equal, regex = matcher.get("isEqual", True), matcher["isRegex"]
    operator = ("=~" if equal else "!~") if regex else ("=" if equal else "!=")
    return f'{matcher["name"]}{operator}"{matcher["value"]}"'


def _subject(labels: Mapping[str, str]) -> str:
    """The alert's name, and its service where it has one."""
    return " of ".join(filter(None, (labels.get("alertname", "(no name)"), labels.get("service"))))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
