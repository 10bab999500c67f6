"""An incident's whole record, for a review or an audit: what came, what was made of it, asked, answered and approved.

It reads only, and makes no database where there is none. Everything is as it is stored: bodies of webhooks, prompts and
transcripts quote logs and conversations, so the output deserves the care that they do.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sre_bot.incidents.database import Database
from sre_bot.incidents.tables import (
    approvals,
    cases,
    deliveries,
    exhibits,
    feedback,
    incidents,
    threads,
    transcript_entries,
    turns,
)

Record = dict[str, Any]
_AT_ONCE = 500  # rows that are asked for by their ids in one statement


async def export_incident(url: str, reference: str) -> Record | None:
    """The record of the case that an incident is in, or of a thread; None where the ledger knows none.

    Args:
        url: the ledger's database.
        reference: PagerDuty's id, an incident's key, `case:` and its number, or a channel's id, `/` and a thread's
            timestamp.

    Raises:
        LedgerError: the database is not there, or cannot be read.
    """
    database = Database(url)
    try:
        database.must_exist()
        async with database.reading() as connection:
            return await _export(connection, reference)
    finally:
        await database.close()


async def _export(connection: AsyncConnection, reference: str) -> Record | None:
    case = await _find_case(connection, reference)
    place = (case["channel"], case["thread_ts"]) if case else tuple(reference.partition("/")[::2])
    thread = await _one(connection, threads, (threads.c.channel == place[0]) & (threads.c.thread_ts == place[1]))
    if not case and not thread:
        return None
    members = await _all(connection, incidents, incidents.c.case_id == case["id"]) if case else []
    asked = await _all(connection, turns, turns.c.thread_id == thread["id"]) if thread else []
    about = feedback.c.turn_id.in_([UUID(turn["id"]) for turn in asked])
    session = thread["session_id"] if thread else None
    return {
        "case": case,
        "incidents": members,
        "deliveries": await _deliveries(connection, {member["key"] for member in members}),
        "thread": thread,
        "turns": sorted(asked, key=lambda turn: turn["created_at"]),
        "evidence": await _all(connection, exhibits, exhibits.c.thread_id == thread["id"]) if thread else [],
        "feedback": await _all(connection, feedback, about),
        "approvals": await _all(connection, approvals, _proposed_in(thread)) if thread else [],
        "transcript": await _all(connection, transcript_entries, transcript_entries.c.session_id == session)
        if session
        else [],
    }


def _proposed_in(thread: Record) -> ColumnElement[bool]:
    """What its conversation proposed, and what code sealed in the same place."""
    here = and_(approvals.c.channel == thread["channel"], approvals.c.thread_ts == thread["thread_ts"])
    session = thread["session_id"]
    return or_(here, approvals.c.session_id == UUID(session)) if session else here


async def _find_case(connection: AsyncConnection, reference: str) -> Record | None:
    if reference.startswith("case:") and reference[5:].isdecimal():
        return await _one(connection, cases, cases.c.id == int(reference[5:]))
    keys = [reference, f"pd:{reference}"]
    member = await _one(connection, incidents, incidents.c.key.in_(keys))
    if member:
        return await _one(connection, cases, cases.c.id == member["case_id"])
    channel, _, ts = reference.partition("/")
    return await _one(connection, cases, (cases.c.channel == channel) & (cases.c.thread_ts == ts))


async def _deliveries(connection: AsyncConnection, keys: set[str]) -> list[Record]:
    """Those that said something of these incidents; which they are is in their changes, so all of these are looked
    through, but only the bodies of those are read.
    """
    found = await connection.stream(select(deliveries.c.id, deliveries.c.changes).order_by(deliveries.c.id))
    theirs = [row.id async for row in found if any(change.get("incident") in keys for change in row.changes)]
    records: list[Record] = []
    for first in range(0, len(theirs), _AT_ONCE):
        records += await _all(connection, deliveries, deliveries.c.id.in_(theirs[first : first + _AT_ONCE]))
    return records


async def _one(connection: AsyncConnection, table: Table, condition: ColumnElement[bool]) -> Record | None:
    row = (await connection.execute(select(table).where(condition).limit(1))).one_or_none()
    return _plain(row._mapping) if row else None


async def _all(connection: AsyncConnection, table: Table, condition: ColumnElement[bool]) -> list[Record]:
    rows = await connection.execute(select(table).where(condition).order_by(*table.primary_key.columns))
    return [_plain(row._mapping) for row in rows]


def _plain(row: Mapping[Any, Any]) -> Record:
    """A row with moments and ids as text."""
    return {
        str(name): value.isoformat()
        if isinstance(value, datetime)
        else str(value)
        if isinstance(value, UUID)
        else value
        for name, value in row.items()
    }
