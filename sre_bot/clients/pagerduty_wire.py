"""PagerDuty's JSON as records: incidents, alerts, notes and log entries, one page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, or some thing, and when they came in; seconds since the epoch."""

    name: str
    time: float


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident; times in seconds since the epoch.

    `details` is what it was created with, where the question included that; `changed` is when its status last changed.
    """

    id: str
    number: int
    title: str
    status: str
    urgency: str
    key: str
    service: str
    priority: str
    created: float
    changed: float
    url: str
    assigned: Sequence[Person]
    acknowledged: Sequence[Person]
    details: object


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of an incident; `details` is what the monitoring tool sent, any JSON."""

    title: str
    status: str
    severity: str
    created: float
    details: object
    links: Sequence[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A note, or a line of the incident's log."""

    time: float
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of what there is; `total` is None where PagerDuty did not count."""

    items: Sequence[Item]
    total: int | None
    more: bool


def read_incident(wire: Mapping[str, Any]) -> Incident:
    """An incident; raises KeyError, TypeError or ValueError where it is none."""
    created = time_of(wire["created_at"])
    trigger = (wire.get("first_trigger_log_entry") or {}).get("channel") or {}
    return Incident(
        id=str(wire["id"]),
        number=int(wire["incident_number"]),
        title=str(wire["title"]),
        status=str(wire["status"]),
        urgency=_text(wire, "urgency") or "no",
        key=_text(wire, "incident_key"),
        service=name_of(wire.get("service")),
        priority=name_of(wire.get("priority"), ""),
        created=created,
        changed=time_of(wire["last_status_change_at"]) if wire.get("last_status_change_at") else created,
        url=_text(wire, "html_url"),
        assigned=[Person(name_of(each["assignee"]), time_of(each["at"])) for each in wire.get("assignments") or ()],
        acknowledged=[
            Person(name_of(each["acknowledger"]), time_of(each["at"])) for each in wire.get("acknowledgements") or ()
        ],
        details=trigger.get("details") or "",
    )


def read_alert(wire: Mapping[str, Any]) -> Alert:
    """An alert; raises as `read_incident` does."""
    body = wire.get("body") or {}
    links = (context.get("href") or context.get("src") for context in body.get("contexts") or ())
    return Alert(
        title=_text(wire, "summary"),
        status=_text(wire, "status"),
        severity=_text(wire, "severity"),
        created=time_of(wire["created_at"]),
        details=body.get("details") or "",
        links=[str(link) for link in links if link],
    )


def read_log_entry(wire: Mapping[str, Any]) -> Entry:
    """A line of an incident's log; raises as `read_incident` does."""
    return Entry(time_of(wire["created_at"]), name_of(wire.get("agent")), _text(wire, "summary") or str(wire["type"]))


def read_page(answer: Mapping[str, Any], items: Sequence[Any]) -> Page[Any]:
    """Items with what the answer says of the others."""
    total = answer.get("total")
    return Page(items, None if total is None else int(total), bool(answer.get("more")))


def name_of(reference: Mapping[str, Any] | None, nobody: str = "somebody") -> str:
    """What people call the thing that a reference points to."""
    return _text(reference, "summary") or _text(reference, "id") or nobody if reference else nobody


def _text(wire: Mapping[str, Any], key: str) -> str:
    return str(wire.get(key) or "")


def time_of(text: str) -> float:
    """Seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()
