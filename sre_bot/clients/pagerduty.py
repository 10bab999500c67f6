"""Incidents in PagerDuty, through its REST API v2.

Paging somebody twice is as bad as not at all. So an incident is created under a key, PagerDuty refuses a second open
one with that key, and when the answer to a create is lost or is a no, the key is looked up before anything is reported.
No write is sent again by itself, except after a 429, on which PagerDuty has not acted.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import httpx2

from sre_bot.clients.http import HttpService
from sre_bot.clients.pagerduty_wire import (
    Alert,
    Entry,
    Incident,
    Page,
    name_of,
    read_alert,
    read_incident,
    read_log_entry,
    read_page,
    time_of,
)
from sre_bot.errors import BackendError, BadRequest, RateLimited, Refused, Unreachable
from sre_bot.settings import PagerDutySettings

Item = TypeVar("Item")
Status = Literal["triggered", "acknowledged", "resolved"]
OPEN: tuple[Status, ...] = ("triggered", "acknowledged")

PAGE_LIMIT = 100
"""Incidents in one answer at most (PagerDuty REST API: List incidents, `limit`)."""

_SEARCHED_PAGES = 10  # of PAGE_LIMIT incidents, newest first, for one that is known by its number
_NO_INCIDENT = "Q0000000000000000000"  # PagerDuty's own have 7 or 14 characters
_PATIENCE = 10.0  # seconds that a rate limit is waited for; beyond, the caller decides

_ADVICE = {
    400: " Nothing was changed. Correct the arguments that it names; if it names the requester or From, set "
    "PAGERDUTY_FROM_EMAIL to the address of a user of this account.",
    401: " PagerDuty does not know the key: check PAGERDUTY_API_KEY (a REST API key, not a service's integration key).",
    402: " The account's plan does not include this.",
    403: " The key may not do this: PAGERDUTY_API_KEY may be read-only, or its user lacks the role.",
    404: " There is no such incident, or this key may not see it.",
    409: " The incident changed meanwhile. Read it again, then decide.",
    413: " Nothing was changed. Send a shorter text.",
}


@dataclass(frozen=True, slots=True)
class Creation:
    """The open incident with the key that was asked for, and whether this call made it (None: it cannot be known)."""

    incident: Incident
    created: bool | None


class PagerDuty:
    """The account that the key belongs to.

    Args:
        settings: key, service, and the user in whose name it acts.
        transport: replaces the network, for tests.
    """

    def __init__(self, settings: PagerDutySettings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self.service_id = settings.service_id
        self._sender = settings.from_email
        self._api = _Api(settings, transport)

    async def create_incident(self, key: str, title: str, urgency: str, details: str) -> Creation:
        """Open an incident on the configured service, which pages whoever is on call; one per key while it is open.

        Raises:
            BackendError: it was not created, or whether it was is unknown; the message says which.
        """
        incident = {
            "type": "incident",
            "title": title,
            "service": {"id": self.service_id, "type": "service_reference"},
            "urgency": urgency,
            "incident_key": key,
        } | ({"body": {"type": "incident_body", "details": details}} if details else {})
        try:
            answer = await self._api.write("POST", "/incidents", {"incident": incident})
            with self._api.reading():
                return Creation(read_incident(answer["incident"]), created=True)
        except BackendError as error:
            return await self._settle_creation(key, error)

    async def find_incident(self, reference: str) -> Incident:
        """The incident with this id, number (`#12`) or address.

        Raises:
            BadRequest: not a reference, or a number that is not among the newest 1,000.
        """
        name = reference.strip().rpartition("/incidents/")[2].strip("#/ ")
        if not re.fullmatch(r"[A-Za-z0-9]{1,40}", name):
            raise BadRequest(f"{reference[:60]!r} is no incident: give its id (such as PT4KHLK) or its number (#1234).")
        identity = await self._id_of(int(name)) if name.isdecimal() else name
        answer = await self._api.get_json(f"/incidents/{identity}", {"include[]": "first_trigger_log_entries"})
        with self._api.reading():
            return read_incident(answer["incident"])

    async def list_incidents(
        self,
        statuses: Sequence[Status],
        *,
        urgency: str | None = None,
        since: float | None = None,
        service_id: str | None = None,
        key: str | None = None,
        limit: int = PAGE_LIMIT,
        offset: int = 0,
    ) -> Page[Incident]:
        """Newest first; `since` in seconds since the epoch, at most six months ago, None for any age."""
        when = {"date_range": "all"} if since is None else {"since": _iso(since), "until": _iso(_now())}
        wanted = {
            "statuses[]": list(statuses),
            "urgencies[]": urgency,
            "service_ids[]": service_id,
            "incident_key": key,
            "sort_by": "created_at:desc",
            "total": "true",
            "limit": limit,
            "offset": offset,
        }
        answer = await self._api.get_json("/incidents", when | wanted)
        with self._api.reading():
            return read_page(answer, [read_incident(each) for each in answer["incidents"]])

    async def list_alerts(self, incident_id: str, limit: int = PAGE_LIMIT) -> Page[Alert]:
        """The incident's alerts, newest first, with what the monitoring tool said."""
        wanted = {"limit": limit, "sort_by": "created_at:desc", "total": "true"}
        answer = await self._api.get_json(f"/incidents/{incident_id}/alerts", wanted)
        with self._api.reading():
            return read_page(answer, [read_alert(each) for each in answer["alerts"]])

    async def list_log(self, incident_id: str, limit: int = PAGE_LIMIT) -> Page[Entry]:
        """What happened to the incident, newest first."""
        wanted = {"limit": limit, "total": "true"}
        answer = await self._api.get_json(f"/incidents/{incident_id}/log_entries", wanted)
        with self._api.reading():
            return read_page(answer, [read_log_entry(each) for each in answer["log_entries"]])

    async def list_notes(self, incident_id: str) -> list[Entry]:
        """All notes, newest first."""
        answer = await self._api.get_json(f"/incidents/{incident_id}/notes")
        with self._api.reading():
            notes = [
                Entry(time_of(note["created_at"]), name_of(note.get("user")), str(note["content"]))
                for note in answer["notes"]
            ]
        return sorted(notes, key=lambda note: -note.time)

    async def add_note(self, incident_id: str, text: str) -> bool:
        """Add a note; False where the same text is there already, so that a second call adds nothing."""
        if await self._has_note(incident_id, text):
            return False
        try:
            await self._api.write("POST", f"/incidents/{incident_id}/notes", {"note": {"content": text}})
        except BackendError as error:
            again = "is safe: the same note is not added twice."
            await self._settle(error, lambda: self._has_note(incident_id, text), "the note was added", again)
        return True

    async def set_status(self, incident_id: str, status: Status) -> Incident:
        """Acknowledge or resolve; the incident as it then is."""
        change = {"incident": {"type": "incident_reference", "status": status}}
        try:
            answer = await self._api.write("PUT", f"/incidents/{incident_id}", change)
            with self._api.reading():
                return read_incident(answer["incident"])
        except BackendError as error:

            async def look() -> Incident | None:
                now = await self.find_incident(incident_id)
                return now if now.status == status else None

            return await self._settle(error, look, f"the incident was {status}", "is safe.")

    async def acknowledge(self, incident: str, note: str) -> None:
        """Say that somebody has an incident, and who; the note is a courtesy, so that its failure is not an error."""
        await self.set_status(incident, "acknowledged")
        with suppress(BackendError):
            await self.add_note(incident, note)

    async def snooze(self, incident: str, seconds: float) -> None:
        """Keep an incident from paging for a while; doing it again begins the while anew.

        Raises:
            BackendError: it was not snoozed, or whether it was is unknown.
        """
        await self._api.write("POST", f"/incidents/{incident}/snooze", {"duration": round(seconds)})

    async def service_name(self) -> str:
        """What the configured service is called.

        Raises:
            BackendError: Refused with status 404 where the key sees no such service.
        """
        answer = await self._api.get_json(f"/services/{self.service_id}")
        with self._api.reading():
            return str(answer["service"]["name"])

    async def finds_sender(self) -> bool:
        """Whether the account has a user with the address of PAGERDUTY_FROM_EMAIL; any BackendError."""
        answer = await self._api.get_json("/users", {"query": self._sender, "limit": PAGE_LIMIT})
        with self._api.reading():
            return any(user["email"].lower() == self._sender.lower() for user in answer["users"])

    async def try_write(self) -> None:
        """Ask for a change that nothing can come of: to acknowledge an incident whose id is too long to exist.

        Raises:
            BackendError: Refused with status 404 where the key may write, and 403 where it may not.
        """
        await self.set_status(_NO_INCIDENT, "acknowledged")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _settle(
        self, error: BackendError, look: Callable[[], Awaitable[Item | None]], what: str, again: str
    ) -> Item:
        """Whether a write that ended in `error` took effect: what `look` finds, or an error that says what is known."""
        if isinstance(error, RateLimited) or (isinstance(error, Refused) and 400 <= error.status < 500):
            raise error
        try:
            found = await look()
        except BackendError as second:
            raise Unreachable(f"{error} Whether {what} is unknown. Calling again {again}") from second
        if not found:
            raise Unreachable(f"{error} As far as PagerDuty shows, it is not so that {what}. Calling again {again}")
        return found

    async def _settle_creation(self, key: str, error: BackendError) -> Creation:
        if isinstance(error, Refused) and error.status in (400, 409):
            # A taken key or wrong arguments: the open incident tells them apart, whatever the words of the refusal.
            with suppress(BackendError):
                if taken := await self._find_open(key):
                    return Creation(taken, created=False)
            raise error
        again = f"with incident_key {key!r} is safe: it cannot open a second one while the first is open."
        found = await self._settle(error, lambda: self._find_open(key), "the incident was created", again)
        return Creation(found, created=None)

    async def _find_open(self, key: str) -> Incident | None:
        page = await self.list_incidents(OPEN, service_id=self.service_id, key=key, limit=1)
        return next((incident for incident in page.items if incident.key == key), None)

    async def _has_note(self, incident_id: str, text: str) -> bool:
        return any(note.text == text for note in await self.list_notes(incident_id))

    async def _id_of(self, number: int) -> str:
        """PagerDuty addresses incidents by id only, and numbers them over the whole account."""
        for page in range(_SEARCHED_PAGES):
            wanted = {"date_range": "all", "sort_by": "incident_number:desc"}
            answer = await self._api.get_json("/incidents", wanted | {"limit": PAGE_LIMIT, "offset": page * PAGE_LIMIT})
            with self._api.reading():
                ids = {each["incident_number"]: str(each["id"]) for each in answer["incidents"]}
                if number in ids:
                    return ids[number]
                if not answer["more"] or min(ids) < number:
                    raise BadRequest(f"PagerDuty has no incident #{number} that this key may see.")
        raise BadRequest(
            f"#{number} is not among the newest {_SEARCHED_PAGES * PAGE_LIMIT:,} incidents. Give its id, the last part "
            f"of its address in PagerDuty."
        )


class _Api(HttpService):
    """PagerDuty's headers, its own words for a rate limit, and what to do about each status."""

    def __init__(self, settings: PagerDutySettings, transport: httpx2.AsyncBaseTransport | None) -> None:
        headers = {
            "Accept": "application/vnd.pagerduty+json;version=2",
            "Authorization": f"Token token={settings.api_key.get_secret_value()}",
            "Content-Type": "application/json",
        }
        super().__init__(
            "PagerDuty", "PAGERDUTY_API_URL", settings.url, headers=headers, transport=transport, outside=True
        )
        self._from = {"From": settings.from_email}

    async def write(self, method: str, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401  (any JSON)
        """POST or PUT in the name of the configured user; errors as `get_json`."""
        return await self._exchange(method, path, json=body, headers=self._from)

    async def _exchange(self, method: str, path: str, **content: Any) -> Any:  # noqa: ANN401
        try:
            return await super()._exchange(method, path, **content)
        except RateLimited as limited:
            if limited.retry_after is None or limited.retry_after > _PATIENCE:
                raise
            await asyncio.sleep(limited.retry_after)
        return await super()._exchange(method, path, **content)

    async def _read(self, response: httpx2.Response) -> bytes:
        body = await super()._read(response)
        if response.status_code == httpx2.codes.TOO_MANY_REQUESTS:
            wait = _wait(response.headers)
            when = f"in {wait:.0f} s" if wait is not None else "in a minute"
            raise RateLimited(f"PagerDuty's rate limit is reached. Nothing was changed; try again {when}.", wait)
        return body

    def _advice(self, response: httpx2.Response) -> str:
        if response.status_code == httpx2.codes.NOT_FOUND and response.request.url.path.endswith("/incidents"):
            return " Check PAGERDUTY_API_URL and PAGERDUTY_SERVICE_ID."
        if response.is_server_error:
            return " The fault is PagerDuty's. Try again in a minute; status.pagerduty.com tells of outages."
        return _ADVICE.get(response.status_code, "")


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a 429 asks for (PagerDuty: REST API rate limits, `ratelimit-reset`; some answers have neither)."""
    values = (headers.get(name, "") for name in ("Retry-After", "ratelimit-reset"))
    return next((float(value) for value in values if value.isdecimal()), None)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _now() -> float:
    return datetime.now(UTC).timestamp()
