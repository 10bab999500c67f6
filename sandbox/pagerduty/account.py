"""The account: services, users, incidents, and what may happen to an incident. It knows nothing of HTTP.

Every change of an incident is told to `Account.watchers`: a webhook subscription is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

API_KEY = "pd-sandbox-key"
READ_ONLY_KEY = "pd-sandbox-read-only-key"


@dataclass(frozen=True)
class Thing:
    """A user, a service or another thing that incidents refer to."""

    id: str
    kind: str
    name: str
    email: str = ""


BOT = Thing("PUSRBOT", "user", "SRE Bot", "sre-bot@example.com")
ADA = Thing("PUSRADA", "user", "Ada Lovelace", "ada@example.com")
GRACE = Thing("PUSRGRA", "user", "Grace Hopper", "grace@example.com")
USERS = {user.email: user for user in (BOT, ADA, GRACE)}
ON_CALL = ADA
NEXT_ON_CALL = GRACE
PRIORITIES = {name: Thing(f"PPRIO{name}", "priority", name) for name in ("P1", "P2", "P3")}
SERVICES = {
    service.id: service
    for service in (
        Thing("PSRVAPI", "service", "api-server"),
        Thing("PSRVPAY", "service", "payment-svc"),
        Thing("PSRVAUT", "service", "auth-svc"),
        Thing("PSRVPGS", "service", "postgres"),
    )
}
ESCALATION = Thing("PESCSRE", "escalation_policy", "SRE on call")


@dataclass
class Alert:
    """What a monitoring tool reported."""

    id: str
    key: str
    title: str
    severity: str
    details: Any
    links: list[str]
    created: float
    status: str = "triggered"


@dataclass
class Note:
    """What somebody wrote on an incident."""

    id: str
    user: Thing
    text: str
    created: float


@dataclass
class LogEntry:
    """One line of an incident's log; `kind` as in PagerDuty's `…_log_entry`."""

    id: str
    kind: str
    summary: str
    agent: Thing
    created: float
    channel: dict[str, Any]


@dataclass
class Incident:
    """An incident and all that hangs on it; times in seconds since the epoch."""

    id: str
    number: int
    key: str
    title: str
    service: Thing
    urgency: str
    created: float
    status: str = "triggered"
    changed: float = 0.0
    resolved: float | None = None
    changed_by: Thing | None = None
    priority: Thing | None = None
    snoozed_until: float | None = None
    assigned: list[tuple[float, Thing]] = field(default_factory=list)
    acknowledged: list[tuple[float, Thing]] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    log: list[LogEntry] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether its key still blocks another one."""
        return self.status != "resolved"


class NotAllowed(Exception):
    """A change that the incident's state does not allow, in PagerDuty's words."""


Watcher = Callable[[str, Incident, Thing], None]


class Account:
    """All incidents by id, oldest first."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        self.watchers: list[Watcher] = []
        self._ids = 0

    def open(
        self,
        title: str,
        service: Thing,
        urgency: str,
        key: str,
        agent: Thing,
        *,
        details: Any = None,  # noqa: ANN401  (any JSON)
        age: float = 0.0,
    ) -> Incident:
        """A new incident, `age` seconds old, which pages whoever is on call."""
        if key and self.find_open(key, service):
            raise NotAllowed("Open incident with matching dedup key already exists on this service")
        created = time.time() - age
        number = len(self.incidents) + 1
        incident = Incident(self._id("Q"), number, key or self._id("K"), title, service, urgency, created)
        incident.changed, incident.changed_by = created, agent
        incident.assigned.append((created, ON_CALL))
        self.incidents[incident.id] = incident
        source = "the API" if agent.kind == "user" else "a monitoring tool"
        self._note_down(incident, "trigger", f"Triggered through {source}", agent, channel=_channel(title, details))
        self._note_down(incident, "assign", f"Assigned to {ON_CALL.name}", service)
        self._tell("incident.triggered", incident, agent)
        return incident

    def report(
        self,
        title: str,
        service: Thing,
        urgency: str,
        key: str,
        severity: str,
        details: Any,  # noqa: ANN401  (any JSON)
        links: list[str],
        age: float,
    ) -> Incident:
        """What a monitoring tool does: open an incident with an alert, or add an alert to the open one."""
        incident = self.find_open(key, service) if key else None
        if incident is None:
            incident = self.open(title, service, urgency, key, service, details=details, age=age)
        created = time.time() - age
        incident.alerts.append(Alert(self._id("A"), incident.key, title, severity, details, links, created))
        return incident

    def set_status(self, incident: Incident, status: str, by: Thing) -> None:
        """Acknowledge, resolve or trigger again."""
        now = time.time()
        incident.snoozed_until = None
        if incident.status == "resolved":
            raise NotAllowed("Incident Already Resolved")
        if status == "acknowledged":
            incident.acknowledged.append((now, by))
            self._note_down(incident, "acknowledge", f"Acknowledged by {by.name}", by)
        elif status == "resolved":
            incident.resolved = now
            incident.assigned.clear()
            for alert in incident.alerts:
                alert.status = "resolved"
            self._note_down(incident, "resolve", f"Resolved by {by.name}", by)
        else:
            incident.acknowledged.clear()
            self._note_down(incident, "unacknowledge", f"Unacknowledged by {by.name}", by)
        incident.status, incident.changed, incident.changed_by = status, now, by
        self._tell("incident.unacknowledged" if status == "triggered" else f"incident.{status}", incident, by)

    def reopen(self, incident: Incident, by: Thing) -> None:
        """Trigger a resolved incident again."""
        if incident.is_open:
            raise NotAllowed("Incident is not resolved")
        if self.find_open(incident.key, incident.service):
            raise NotAllowed("Open incident with matching dedup key already exists on this service")
        now = time.time()
        incident.status, incident.resolved, incident.changed, incident.changed_by = "triggered", None, now, by
        incident.assigned.append((now, ON_CALL))
        incident.acknowledged.clear()
        self._note_down(incident, "trigger", f"Reopened by {by.name}", by)
        self._tell("incident.reopened", incident, by)

    def escalate(self, incident: Incident, by: Thing) -> None:
        """Page the next level of the escalation policy, whether somebody has acknowledged or not."""
        self._assign(incident, NEXT_ON_CALL, by, "escalate", f"Escalated to {NEXT_ON_CALL.name}")
        self._tell("incident.escalated", incident, by)

    def reassign(self, incident: Incident, to: Thing, by: Thing) -> None:
        """Page somebody else."""
        self._assign(incident, to, by, "assign", f"Reassigned to {to.name}")
        self._tell("incident.reassigned", incident, by)

    def prioritize(self, incident: Incident, priority: Thing | None, by: Thing) -> None:
        """Set or take away the priority."""
        incident.priority = priority
        self._note_down(incident, "field_value_change", f"Priority set to {priority.name if priority else 'none'}", by)
        self._tell("incident.priority_updated", incident, by)

    def snooze(self, incident: Incident, seconds: int, by: Thing) -> None:
        """Acknowledge for a while. The end of that while does not come by itself here: order `set_status`."""
        if incident.status != "acknowledged":
            self.set_status(incident, "acknowledged", by)  # refuses a resolved one
        incident.snoozed_until = time.time() + seconds
        self._note_down(incident, "snooze", f"Snoozed by {by.name}", by)

    def add_note(self, incident: Incident, text: str, by: Thing) -> Note:
        """Write on an incident."""
        note = Note(self._id("N"), by, text, time.time())
        incident.notes.append(note)
        self._note_down(incident, "annotate", f"Note added by {by.name}", by)
        self._tell("incident.annotated", incident, by)
        return note

    def find_open(self, key: str, service: Thing) -> Incident | None:
        """The open incident with this key, if any."""
        return next((each for each in self._all() if each.is_open and (each.key, each.service) == (key, service)), None)

    def _assign(self, incident: Incident, to: Thing, by: Thing, kind: str, summary: str) -> None:
        if not incident.is_open:
            raise NotAllowed("Incident Already Resolved")
        now = time.time()
        incident.assigned = [(now, to)]
        incident.status, incident.changed, incident.changed_by = "triggered", now, by
        incident.acknowledged.clear()
        self._note_down(incident, kind, summary, by)

    def _all(self) -> Iterator[Incident]:
        return iter(self.incidents.values())

    def _note_down(
        self, incident: Incident, kind: str, summary: str, agent: Thing, channel: dict[str, Any] | None = None
    ) -> None:
        when = incident.created if kind in ("trigger", "assign") else time.time()
        incident.log.append(LogEntry(self._id("R"), kind, summary, agent, when, channel or {"type": "api"}))

    def _tell(self, event: str, incident: Incident, by: Thing) -> None:
        for watcher in self.watchers:
            watcher(event, incident, by)

    def _id(self, letter: str) -> str:
        self._ids += 1
        return f"{letter}{self._ids:05}SANDBOX"


def _channel(title: str, details: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"type": "api", "summary": title} | ({"details": details} if details else {})
