"""PagerDuty's incidents: who was paged and why, paging somebody, and saying that it is in hand or over.

Titles, notes and the bodies of alerts are the words of others: shown as data, shortened, their secrets masked. What
reaches a person's phone is idempotent: the same key opens one incident while it is open, the same note is added once,
and a status that an incident already has is not set again.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Iterator, Sequence
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import Field

from sre_bot.clients.pagerduty import OPEN, Creation, Status
from sre_bot.clients.pagerduty_wire import Alert, Entry, Incident, Page, Person
from sre_bot.errors import BackendError, BadRequest
from sre_bot.tools.moments import clock, parse_moment, span
from sre_bot.tools.spec import Access, excerpt, shorten, tool

_TITLE_LIMIT = 255
_KEY_LIMIT = 255
_TEXT_LIMIT = 4_000
_SHOWN = 10  # alerts, notes and log lines of one incident
_FIELDS = 20  # of one alert's body
_FIELD_LIMIT = 300
_OLDEST = 180 * 86_400.0  # seconds; PagerDuty REST API, List incidents: `since` reaches back six months

_STATUSES: dict[str, Sequence[Status]] = {
    "open": OPEN,
    "triggered": ("triggered",),
    "acknowledged": ("acknowledged",),
    "resolved": ("resolved",),
    "all": (*OPEN, "resolved"),
}
_TARGETS: dict[str, Status] = {"acknowledge": "acknowledged", "resolve": "resolved"}

Reference = Annotated[str, Field(description="Id or number")]
Urgency = Literal["high", "low"]
Part = TypeVar("Part")


class Pager(Protocol):
    """Holds incidents and pages people."""

    service_id: str

    async def create_incident(self, key: str, title: str, urgency: str, details: str) -> Creation:
        """Open one, or find the open one with this key."""

    async def find_incident(self, reference: str) -> Incident:
        """By id, number or address."""

    async def list_incidents(
        self,
        statuses: Sequence[Status],
        *,
        urgency: str | None = None,
        since: float | None = None,
        service_id: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Page[Incident]:
        """Newest first."""

    async def list_alerts(self, incident_id: str, limit: int = 100) -> Page[Alert]:
        """Newest first."""

    async def list_log(self, incident_id: str, limit: int = 100) -> Page[Entry]:
        """Newest first."""

    async def list_notes(self, incident_id: str) -> list[Entry]:
        """Newest first."""

    async def add_note(self, incident_id: str, text: str) -> bool:
        """False where it was there."""

    async def set_status(self, incident_id: str, status: Status) -> Incident:
        """Acknowledge or resolve."""


class PagerDutyIncidents:
    """Tools that read and write incidents."""

    def __init__(self, pager: Pager) -> None:
        self._pager = pager

    @tool(
        Access.NOTIFY,
        title="Page the on-call",
        progress="Paging the on-call: {title}",
        timeout=60,
        check="pagerduty_list_incidents",
    )
    async def pagerduty_create_incident(
        self,
        title: Annotated[str, Field(max_length=_TITLE_LIMIT)],
        details: Annotated[str, Field(max_length=_TEXT_LIMIT)] = "",
        urgency: Urgency = "high",
        incident_key: Annotated[str, Field(max_length=_KEY_LIMIT, description="Default: made from title")] = "",
    ) -> str:
        """Page the on-call person, unless an incident with the same key is open."""
        title = shorten(title, _TITLE_LIMIT)
        if not title:
            raise BadRequest("title is empty. Say in one line what is broken. Nobody was paged.")
        key = shorten(incident_key, _KEY_LIMIT) or _key_of(title)
        creation = await self._pager.create_incident(key, title, urgency, details.strip())
        incident, now = creation.incident, time.time()
        told = {
            True: "Created; PagerDuty notifies whoever is on call.",
            False: "Already open: an incident with this key exists, so nobody was paged again and nothing was changed.",
            None: "PagerDuty's answer was lost, but the incident is there and open.",
        }[creation.created]
        return "\n".join([told, *_describe(incident, now)])

    @tool(
        Access.NOTIFY,
        title="Update a PagerDuty incident",
        progress="PagerDuty incident {incident}: {action|adding a note}",
        timeout=60,
        check="pagerduty_get_incident",
    )
    async def pagerduty_update_incident(
        self,
        incident: Reference,
        action: Annotated[Literal["acknowledge", "resolve"] | None, Field(description="Both end the paging")] = None,
        note: Annotated[str, Field(max_length=_TEXT_LIMIT)] = "",
    ) -> str:
        """Acknowledge or resolve an incident, add a note, or both."""
        note = note.strip()
        if not action and not note:
            raise BadRequest("Nothing to do: give action (acknowledge or resolve), note, or both. Nothing was changed.")
        found = await self._pager.find_incident(incident)
        told = []
        if note:
            added = await self._pager.add_note(found.id, note)
            told.append("Note added." if added else "The same note is there already; it was not added again.")
        if action:
            try:
                found, line = await self._move(found, _TARGETS[action])
            except BackendError as error:
                raise BackendError(f"{told[0]} Then: {error}" if told else str(error)) from error
            told.append(line)
        return "\n".join([" ".join(told), *_describe(found, time.time())])

    @tool(Access.READ, title="PagerDuty incident", progress="Reading PagerDuty incident {incident}", timeout=45)
    async def pagerduty_get_incident(self, incident: Reference) -> str:
        """One incident with the bodies of its alerts, where the cause of the page stands, its notes and its log."""
        found = await self._pager.find_incident(incident)
        alerts, notes, log = await asyncio.gather(
            _try(self._pager.list_alerts(found.id, _SHOWN)),
            _try(self._pager.list_notes(found.id)),
            _try(self._pager.list_log(found.id, _SHOWN)),
        )
        now = time.time()
        lines = [*_describe(found, now)]
        if found.details and not (isinstance(alerts, Page) and alerts.items):
            lines.append(f"Details: {_body(found.details)}")
        for heading, part in (("Alerts", alerts), ("Notes", _first(notes)), ("Log", log)):
            lines += _section(heading, part, now)
        return "\n".join(lines)

    @tool(Access.READ, title="PagerDuty incidents", progress="Listing {status|open} PagerDuty incidents")
    async def pagerduty_list_incidents(
        self,
        status: Literal["open", "triggered", "acknowledged", "resolved", "all"] = "open",
        urgency: Urgency | None = None,
        since: Annotated[str | None, Field(description="Default -7d for resolved and all, else any age")] = None,
        all_services: bool = False,
        limit: Annotated[int, Field(ge=1, le=50)] = 20,
        offset: Annotated[int, Field(ge=0, le=9_900)] = 0,
    ) -> str:
        """PagerDuty incidents, newest first."""
        now = time.time()
        first = _read_since(since or ("-7d" if status in ("resolved", "all") else None), now)
        service = None if all_services else self._pager.service_id
        page = await self._pager.list_incidents(
            _STATUSES[status], urgency=urgency, since=first, service_id=service, limit=limit, offset=offset
        )
        words = ("" if status == "all" else status, f"{urgency}-urgency" if urgency else "", "incidents")
        what = " ".join(filter(None, words))
        where = "of all services" if all_services else f"of service {service} (all_services=true for all)"
        when = f" since {clock(first, now)}" if first is not None else ""
        if not page.items:
            past = f" from offset {offset} on" if offset else ""
            return f"None: PagerDuty has no {what} {where}{when}{past}."
        total = f"{page.total:,}" if page.total is not None else "an uncounted number"
        more = f"; offset={offset + len(page.items)} shows more" if page.more else ""
        header = f"{len(page.items)} of {total} {what} {where}{when}, newest first{more}"
        return "\n".join([header, *(_row(each, now) for each in page.items)])

    async def _move(self, incident: Incident, target: Status) -> tuple[Incident, str]:
        """Set a status that the incident does not have yet; the incident now, and what was done."""
        since = _when(incident.changed, time.time())
        if incident.status == target:
            return incident, f"It is {target} already, since {since}; its status was not changed."
        if incident.status == "resolved":
            return incident, f"It was resolved {since}, so it was not acknowledged; its status was not changed."
        return await self._pager.set_status(incident.id, target), f"Status changed: {incident.status} → {target}."


async def _try(reading: Awaitable[Part]) -> Part | BackendError:
    """One part of an incident; that it cannot be read must not hide the others."""
    try:
        return await reading
    except BackendError as error:
        return error


def _first(notes: list[Entry] | BackendError) -> Page[Entry] | BackendError:
    return notes if isinstance(notes, BackendError) else Page(notes[:_SHOWN], len(notes), len(notes) > _SHOWN)


def _section(heading: str, part: Page[Alert] | Page[Entry] | BackendError, now: float) -> Iterator[str]:
    if isinstance(part, BackendError):
        yield f"{heading}: NOT READ: {part}"
        return
    count = len(part.items)
    total = part.total if part.total is not None else f"{count} or more" if part.more else count
    yield f"{heading}: {f'newest {count} of {total}' if part.more else count or 'none'}"
    for item in part.items:
        yield _alert(item, now) if isinstance(item, Alert) else _entry(item, now)


def _describe(incident: Incident, now: float) -> Iterator[str]:
    """An incident in three or four lines."""
    priority = f", priority {shorten(incident.priority, 20)}" if incident.priority else ""
    yield f"#{incident.number} {incident.status}, {incident.urgency} urgency{priority}: {excerpt(incident.title, 300)}"
    times = f"created {_when(incident.created, now)}"
    if incident.changed > incident.created:
        times += f", {incident.status} {_when(incident.changed, now)}"
    key = shorten(incident.key, _KEY_LIMIT) or "none"
    yield f"id {incident.id}, service {shorten(incident.service, 80)}, {times}, incident_key {key}"
    people = [("assigned to", incident.assigned), ("acknowledged by", incident.acknowledged)]
    if told := "; ".join(f"{how} {_people(who, now)}" for how, who in people if who):
        yield told
    if incident.url:
        yield shorten(incident.url, 200)


def _row(incident: Incident, now: float) -> str:
    who = ", ".join(shorten(person.name, 40) for person in incident.assigned[:3]) or "nobody"
    return (
        f"#{incident.number} {incident.id} {incident.status} {incident.urgency} {_when(incident.created, now)} "
        f"{shorten(incident.service, 60)}: {excerpt(incident.title, 160)} [assigned: {who}]"
    )


def _people(people: Sequence[Person], now: float) -> str:
    return ", ".join(f"{shorten(person.name, 60)} {_when(person.time, now)}" for person in people[:5])


def _alert(alert: Alert, now: float) -> str:
    facts = " ".join(filter(None, (alert.severity, alert.status)))
    links = f" Links: {', '.join(shorten(link, 200) for link in alert.links[:5])}" if alert.links else ""
    return f"- {facts} {_when(alert.created, now)} {excerpt(alert.title, 300)}: {_body(alert.details)}{links}"


def _entry(entry: Entry, now: float) -> str:
    return f"- {_when(entry.time, now)} {shorten(entry.author, 60)}: {excerpt(entry.text, 1_000)}"


def _body(details: object) -> str:
    """What a monitoring tool sent, as `key: value` pairs on one line; nested objects by dotted keys."""
    pairs = list(_pairs("", details))
    told = "; ".join(f"{key}: {value}" if key else value for key, value in pairs[:_FIELDS])
    return f"{told}; {len(pairs) - _FIELDS} more fields left out" if len(pairs) > _FIELDS else told or "no body"


def _pairs(key: str, value: object, depth: int = 4) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth:
        for name, inner in value.items():
            yield from _pairs(f"{key}.{name}" if key else str(name), inner, depth - 1)
    elif value not in (None, "", []):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield shorten(key, 120), excerpt(text, _FIELD_LIMIT if key else _TEXT_LIMIT)


def _read_since(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    first = parse_moment(text, now)
    if now - first > _OLDEST:
        raise BadRequest("PagerDuty lists at most six months back by time. Give a later since, or none for any age.")
    return first


def _when(moment: float, now: float) -> str:
    # PagerDuty's times have whole seconds.
    return f"{clock(moment, now)} ({span(round(max(0.0, now - moment)))} ago)"


def _key_of(title: str) -> str:
    """A key from the title's words, so that asking twice for the same thing pages once."""
    return "sre-bot-" + hashlib.sha256(title.casefold().encode()).hexdigest()[:16]
