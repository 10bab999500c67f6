"""Deliveries become incidents and cases, each exactly once: one transaction for a batch of them.

An incident is as its newest snapshot says, by the source's clock, so that the order of arrival does not matter; every
change makes sure that its incident exists and is in a case. Which case that is, is not decided here: `Grouping` says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sre_bot.incidents.paging import Case, Change, Incident, IncidentStatus, Snapshot
from sre_bot.incidents.reading import case_of, incident_of, read_cases
from sre_bot.incidents.tables import cases, deliveries, incidents

BATCH = 100
"""Deliveries folded in one transaction at most: other writers wait for it."""
CANDIDATES = 50
"""Cases that an incident may join at most, the latest first."""

_RANK = {IncidentStatus.TRIGGERED: 0, IncidentStatus.ACKNOWLEDGED: 1, IncidentStatus.RESOLVED: 2}


class Grouping(Protocol):
    """Decides what belongs together."""

    window: timedelta
    """How long after a page of a case a related one joins it."""

    def service_of(self, label: str, title: str) -> str:
        """The catalog's service that a source speaks of; empty where it is none."""

    def choose(self, incident: Incident, candidates: Sequence[Case]) -> Case | None:
        """The case that an incident joins, of those that had a page within the window; None for one of its own."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What a transaction did: how many deliveries, which cases they touched, and whether more are waiting."""

    deliveries: int
    cases: frozenset[int]
    more: bool


@dataclass(slots=True)
class Folding:
    """One transaction's work; what was read or written in it stays at hand, for a storm is many pages of one case."""

    connection: AsyncConnection
    grouping: Grouping
    channel: str
    _known: dict[int, Case] = field(default_factory=dict)
    _touched: set[int] = field(default_factory=set)

    async def fold(self) -> Folded:
        """Fold the oldest deliveries that are waiting."""
        waiting = select(deliveries.c.id, deliveries.c.changes).where(deliveries.c.folded_at.is_(None))
        rows = (await self.connection.execute(waiting.order_by(deliveries.c.id).limit(BATCH + 1))).all()
        for row in rows[:BATCH]:
            outcome = await self._fold_one(row.changes)
            done = {"folded_at": datetime.now(UTC), "outcome": outcome}
            await self.connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(done))
        for case_id in self._touched:
            await self._store(self._known[case_id])
        return Folded(min(len(rows), BATCH), frozenset(self._touched), len(rows) > BATCH)

    async def _fold_one(self, stored: Sequence[Mapping[str, Any]]) -> str:
        try:
            changes = [Change.from_json(each) for each in stored]
        except (KeyError, TypeError, ValueError) as error:
            return f"unreadable: {error}"  # of another version; it must not stand in the way of the others
        for change in changes:
            await self._apply(change)
        return f"{len(changes)} applied" if changes else "nothing to apply"

    async def _apply(self, change: Change) -> None:
        query = select(incidents).where(incidents.c.key == change.incident)
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            # What only refers to an incident does not open it: it may have ended long ago, and its trigger, should it
            # still be on its way, says what it is.
            if change.snapshot:
                await self._open(change, change.snapshot)
            return
        known = incident_of(row)
        case = await self._case(known.case_id)
        changed = _newer(known, change)
        changed = replace(changed, service=self.grouping.service_of(changed.service_label, changed.title))
        if changed != known:
            values = {
                name: getattr(changed, name) for name in ("title", "status", "urgency", "priority", "service")
            } | {
                name: getattr(changed, name)
                for name in ("service_label", "url", "group_key", "details", "opened_at", "snapshot_at", "resolved_at")
            }
            values["assignees"] = list(changed.assignees)
            await self.connection.execute(update(incidents).where(incidents.c.key == known.key).values(values))
            self._replace(case, changed)
        self._touched.add(case.id)

    async def _open(self, change: Change, seen: Snapshot) -> None:
        """An incident that is seen for the first time, in the case that it belongs to."""
        incident = Incident(
            key=change.incident,
            case_id=0,
            source=change.incident.partition(":")[0],
            title=seen.title or change.title or change.incident,
            status=seen.status,
            urgency=seen.urgency,
            priority=seen.priority,
            service=self.grouping.service_of(seen.service, seen.title or change.title),
            service_label=seen.service,
            url=seen.url,
            group_key=seen.group_key,
            assignees=seen.assignees,
            details=seen.details,
            opened_at=change.occurred_at,
            snapshot_at=change.occurred_at,
            resolved_at=change.occurred_at if seen.status is IncidentStatus.RESOLVED else None,
        )
        case = self.grouping.choose(incident, await self._candidates(change.occurred_at))
        if case is None:
            case = await self._open_case(change.occurred_at)
        incident = replace(incident, case_id=case.id)
        row = {name: getattr(incident, name) for name in Incident.__dataclass_fields__}
        await self.connection.execute(insert(incidents).values(row | {"assignees": list(incident.assignees)}))
        self._keep(case, (*case.incidents, incident))
        self._touched.add(case.id)

    async def _open_case(self, at: datetime) -> Case:
        row: dict[str, Any] = {
            "channel": self.channel,
            "opened_at": at,
            "last_page_at": at,
            "revision": 0,
            "shown_revision": 0,
            "episode": 1,
            "told_episode": 0,
            "asked": 0,
            "symptoms_asked": [],
        }
        made = (await self.connection.execute(insert(cases).values(row).returning(cases))).one()
        return case_of(made, ())

    async def _candidates(self, at: datetime) -> list[Case]:
        """Cases that had a page within the window of this moment, the latest first, as this transaction left them."""
        window = self.grouping.window
        near = cases.c.last_page_at.between(at - window, at + window)
        query = select(cases.c.id).where(near).order_by(cases.c.last_page_at.desc()).limit(CANDIDATES)
        found = {*(await self.connection.scalars(query)), *self._known}
        await self._load(found - self._known.keys())
        chosen = (self._known[case_id] for case_id in found)
        near_now = [case for case in chosen if abs(case.last_page_at - at) <= window]
        return sorted(near_now, key=lambda case: case.last_page_at, reverse=True)

    async def _case(self, case_id: int) -> Case:
        await self._load({case_id} - self._known.keys())
        return self._known[case_id]

    async def _load(self, ids: set[int]) -> None:
        if ids:
            self._known |= {case.id: case for case in await read_cases(self.connection, cases.c.id.in_(ids))}

    def _replace(self, case: Case, incident: Incident) -> None:
        self._keep(case, tuple(incident if each.key == incident.key else each for each in case.incidents))

    def _keep(self, case: Case, members: tuple[Incident, ...]) -> None:
        last = max(each.opened_at for each in members)
        self._known[case.id] = replace(case, incidents=members, last_page_at=last)

    async def _store(self, case: Case) -> None:
        """Write what became of a case; one that was closed and is open again begins another episode."""
        ends = [each.resolved_at for each in case.incidents if each.resolved_at]
        values = {
            "last_page_at": case.last_page_at,
            "opened_at": min(each.opened_at for each in case.incidents),
            "closed_at": None if case.open else max(ends),
            "episode": case.episode + 1 if case.open and case.closed_at else case.episode,
            "revision": cases.c.revision + 1,
        }
        await self.connection.execute(update(cases).where(cases.c.id == case.id).values(values))


def _newer(known: Incident, change: Change) -> Incident:
    """The incident after a change: as it was where the change is older than what is known."""
    opened = min(known.opened_at, change.occurred_at)
    seen = change.snapshot
    if seen is None:
        unnamed = known.title == known.key
        return replace(known, opened_at=opened, title=change.title or known.title if unnamed else known.title)
    if not _later(known, change.occurred_at, seen):
        return replace(
            known,
            opened_at=opened,
            service_label=known.service_label or seen.service,
            url=known.url or seen.url,
            group_key=known.group_key or seen.group_key,
            details=known.details or seen.details,
        )
    return replace(
        known,
        title=seen.title or known.title,
        status=seen.status,
        urgency=seen.urgency,
        priority=seen.priority,
        service_label=seen.service or known.service_label,
        url=seen.url or known.url,
        group_key=seen.group_key or known.group_key,
        assignees=seen.assignees,
        details=seen.details or known.details,
        opened_at=opened,
        snapshot_at=change.occurred_at,
        resolved_at=change.occurred_at if seen.status is IncidentStatus.RESOLVED else None,
    )


def _later(known: Incident, at: datetime, seen: Snapshot) -> bool:
    """Whether a snapshot is the newer one; within one tick of the source's clock the later status counts, and of the
    same status any one, as long as it is the same whichever comes first.
    """
    if at != known.snapshot_at:
        return at > known.snapshot_at
    ours = (_RANK[known.status], known.urgency, known.priority, known.assignees, known.title, known.service_label)
    theirs = (_RANK[seen.status], seen.urgency, seen.priority, seen.assignees, seen.title, seen.service)
    return (*theirs, seen.url, seen.group_key, seen.details) > (*ours, known.url, known.group_key, known.details)
