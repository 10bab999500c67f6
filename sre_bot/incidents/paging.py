"""What monitoring told us, and what was made of it: deliveries, incidents and cases.

    delivery ──▶ changes ──▶ incident ──▶ case
    one webhook  what it     one page     one card, one thread, one investigation:
    request      says of     of a source  the incidents that belong together
                 incidents

A delivery is stored before it is answered, and folded into incidents and cases exactly once, in one transaction. An
incident is as its newest snapshot says, whatever the order of arrival, and is in exactly one case.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self


class Urgency(StrEnum):
    """Whether somebody is woken up for it."""

    HIGH = "high"
    LOW = "low"


class IncidentStatus(StrEnum):
    """Where an incident stands in its source."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An incident as its source described it at one moment.

    Attributes:
        service: as the source names it; it need not be in the catalog.
        group_key: what the source says belongs together; empty where it says nothing.
        details: what the monitoring sent with it, in words for the model; the words of others.
    """

    title: str
    status: IncidentStatus
    urgency: Urgency
    service: str = ""
    priority: str = ""
    url: str = ""
    group_key: str = ""
    assignees: tuple[str, ...] = ()
    details: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What one delivery says of one incident.

    Attributes:
        incident: `pd:{id}` for PagerDuty, `am:{fingerprint}:{startsAt}` for Alertmanager.
        kind: what happened, such as `triggered` or `annotated`.
        occurred_at: by the source's clock; changes are applied in this order.
        snapshot: the incident as it was then; None where the delivery only refers to it.
        title: what the incident is called, where there is no snapshot that says so.
    """

    incident: str
    kind: str
    occurred_at: datetime
    snapshot: Snapshot | None = None
    title: str = ""

    def as_json(self) -> dict[str, Any]:
        """The change as it is stored."""
        return {**asdict(self), "occurred_at": self.occurred_at.isoformat()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read a stored change back.

        Raises:
            KeyError, TypeError, ValueError: another version wrote it.
        """
        seen = stored["snapshot"]
        snapshot = seen and Snapshot(
            **{
                **seen,
                "status": IncidentStatus(seen["status"]),
                "urgency": Urgency(seen["urgency"]),
                "assignees": tuple(seen["assignees"]),
            }
        )
        change = cls(
            **{**stored, "occurred_at": datetime.fromisoformat(stored["occurred_at"]), "snapshot": snapshot or None}
        )
        for part in filter(None, (change, snapshot)):
            _check_types(part)
        return change


_FAR = timedelta(days=36_500)  # from now; beyond that no window around a moment can be computed


def _check_types(part: Change | Snapshot) -> None:
    """Refuse what could not be stored again: folding stands or falls with a whole batch."""
    texts = {field.name: getattr(part, field.name) for field in fields(part) if field.type is str}
    if isinstance(part, Snapshot):
        texts |= {f"assignee {place}": name for place, name in enumerate(part.assignees)}
    elif part.occurred_at.tzinfo is None or abs(part.occurred_at - datetime.now(UTC)) > _FAR:
        raise ValueError(f"{part.occurred_at} is no moment of our time")
    for name, value in texts.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} is no text")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of a webhook, verified.

    Attributes:
        key: the same for every delivery of the same event, such as `pd:{event.id}`.
        source: `pagerduty` or `alertmanager`.
        kind: the event's type as the source names it.
        changes: none where the event is of no kind that we act on; it is recorded all the same.
        body: the request's body as it came, for the record.
    """

    key: str
    source: str
    kind: str
    changes: tuple[Change, ...]
    body: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One page of a source, as its newest snapshot says.

    `service` is a name of the catalog, or empty where the incident is of none; `service_label` is the source's word.
    """

    key: str
    case_id: int
    source: str
    title: str
    status: IncidentStatus
    urgency: Urgency
    priority: str
    service: str
    service_label: str
    url: str
    group_key: str
    assignees: tuple[str, ...]
    details: str
    opened_at: datetime
    snapshot_at: datetime
    resolved_at: datetime | None

    @property
    def open(self) -> bool:
        """Whether it still wants somebody."""
        return self.status is not IncidentStatus.RESOLVED


@dataclass(frozen=True, slots=True)
class Case:
    """The incidents that belong together: one card, one thread, one investigation.

    Attributes:
        thread_ts: timestamp of the card, once it was posted.
        revision: rises with everything that the card should show; `shown_revision` is what it shows.
        episode: how often all of it was resolved and came back, from 1.
        told_episode: the episode whose end people were told.
        asked: how many questions the bot asked the agent by itself.
        asked_at: when the last of them was asked.
        symptoms_asked: what the agent was told of: `service: title`.
    """

    id: int
    channel: str
    thread_ts: str | None
    opened_at: datetime
    last_page_at: datetime
    closed_at: datetime | None
    revision: int
    shown_revision: int
    episode: int
    told_episode: int
    asked: int
    asked_at: datetime | None
    symptoms_asked: tuple[str, ...]
    incidents: tuple[Incident, ...] = ()

    @property
    def open(self) -> bool:
        """Whether any of its incidents is."""
        return any(incident.open for incident in self.incidents)

    @property
    def urgency(self) -> Urgency:
        """The highest of its open incidents, or of all where none is open."""
        considered = [each for each in self.incidents if each.open] or self.incidents
        return Urgency.HIGH if any(each.urgency is Urgency.HIGH for each in considered) else Urgency.LOW

    @property
    def first(self) -> Incident:
        """The incident that opened it."""
        return self.incidents[0]
