"""Pages as the webhooks record them, and a grouping that is easy to foresee: by the source's word for the service."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sre_bot.incidents import Ledger
from sre_bot.incidents.paging import Case, Change, Delivery, Incident, IncidentStatus, Snapshot, Urgency

START = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=10)

TRIGGERED, ACKNOWLEDGED, RESOLVED = IncidentStatus


class ByService:
    """Pages of one service belong together."""

    window = WINDOW

    def service_of(self, label: str, title: str) -> str:
        return label or title.partition(" ")[0]

    def choose(self, incident: Incident, candidates: Sequence[Case]) -> Case | None:
        return next((case for case in candidates if case.first.service == incident.service), None)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def snapshot(status: IncidentStatus = TRIGGERED, service: str = "api", urgency: Urgency = Urgency.HIGH) -> Snapshot:
    return Snapshot(f"{service} is slow", status, urgency, service=service)


def change(key: str, kind: str, seconds: float, seen: Snapshot | None = None, title: str = "") -> Change:
    return Change(f"pd:{key}", kind, at(seconds), seen, title)


def page(key: str, seconds: float = 0, service: str = "api", urgency: Urgency = Urgency.HIGH) -> Change:
    return change(key, "triggered", seconds, snapshot(TRIGGERED, service, urgency))


def resolution(key: str, seconds: float, service: str = "api") -> Change:
    return change(key, "resolved", seconds, snapshot(RESOLVED, service))


async def deliver(ledger: Ledger, *changes: Change, key: str = "") -> None:
    """Record one delivery for each change; each is another event, unless a key says that it is the same."""
    for each in changes:
        name = key or f"{each.incident}/{each.kind}/{each.occurred_at.isoformat()}"
        await ledger.deliveries.record(Delivery(name, "pagerduty", each.kind, (each,), "{}"))


async def fold(ledger: Ledger, channel: str = "C1") -> set[int]:
    """Fold everything; gives the cases that were touched."""
    touched: set[int] = set()
    more = True
    while more:
        folded = await ledger.cases.fold(ByService(), channel)
        touched |= folded.cases
        more = folded.more
    return touched


async def only_case(ledger: Ledger, key: str) -> Case:
    case = await ledger.cases.of_incident(f"pd:{key}")
    assert case
    return case
