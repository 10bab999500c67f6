"""Who runs which turn: claims between replicas, stops that reach another replica, and what runs have cost.

One run at a time is in a thread, and so many in all, whichever replicas they are on. The database decides both, in one
transaction under one lock; on SQLite there is one replica, and its own bounds have decided before.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sre_bot.incidents.database import Database
from sre_bot.incidents.model import UNFINISHED, Turn, TurnState
from sre_bot.incidents.paging import Urgency
from sre_bot.incidents.tables import threads, turns
from sre_bot.incidents.turn_rows import read_turns

CLAIMING = 0x5245_4C45_434C_4149
"""Key of the PostgreSQL advisory lock under which runs are begun."""

_queued = turns.c.state == TurnState.QUEUED
_running = turns.c.state == TurnState.RUNNING


class Claim(Enum):
    """What came of asking to run a turn."""

    BEGUN = "begun"
    BUSY = "busy"  # as many run as may, or another replica runs in this thread
    GONE = "gone"  # another replica's run took it in, or it was withdrawn


class Runs:
    """The turns in one database, as replicas share them out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, turn_id: UUID, owner: str, most: int) -> Claim:
        """Move a turn from queued to running, where that may be.

        Args:
            turn_id: the turn.
            owner: the replica that asks.
            most: runs at once in all replicas; a turn of low urgency leaves the places that urgent ones wait for.
        """
        async with self._database.writing() as connection:
            await self._database.lock(connection, CLAIMING)
            this = (
                await connection.execute(
                    select(turns.c.thread_id, turns.c.state, turns.c.owner, turns.c.urgency).where(
                        turns.c.id == turn_id
                    )
                )
            ).one_or_none()
            if this is None or this.state not in UNFINISHED or this.owner != owner:
                return Claim.GONE
            if this.state == TurnState.RUNNING:
                return Claim.BEGUN  # a run here took it in, could not keep it, and could not put it back either
            if await _is_busy(connection, this.thread_id, owner):
                return Claim.BUSY
            if await _places(connection, this.thread_id, most, this.urgency) <= 0:
                return Claim.BUSY
            await connection.execute(update(turns).where(turns.c.id == turn_id).values(_begun(owner)))
            return Claim.BEGUN

    async def take_in(self, turn_id: UUID, owner: str) -> bool:
        """Let a run that goes on take a queued turn in, whoever recorded it; False where it is not queued any more."""
        move = update(turns).where(turns.c.id == turn_id, _queued).values(_begun(owner))
        async with self._database.writing() as connection:
            return (await connection.execute(move)).rowcount == 1

    async def put_back(self, turn_id: UUID, owner: str, *, to: str) -> bool:
        """Let a run that ended without an end begin again; False where the turn is not this replica's to put back.

        Args:
            turn_id: a turn that runs.
            owner: the replica that has it.
            to: who shall begin it; empty for whoever comes first.
        """
        return await self._requeue(turn_id, owner, {"owner": to})

    async def refuse(self, turn_id: UUID, owner: str, *, to: str) -> bool:
        """As `put_back`, for a turn that a run took in and could not give to the model: as if it had not begun."""
        values = {"owner": to, "stop_requested": False, "attempts": turns.c.attempts - 1}
        return await self._requeue(turn_id, owner, values)

    async def _requeue(self, turn_id: UUID, owner: str, values: dict[str, Any]) -> bool:
        mine = (turns.c.id == turn_id) & _running & (turns.c.owner == owner)
        again = update(turns).where(mine).values({"state": TurnState.QUEUED, **values})
        async with self._database.writing() as connection:
            return (await connection.execute(again)).rowcount == 1

    async def unfinished(self, owner: str) -> list[Turn]:
        """Give the turns that a replica has to bring to an end, oldest first."""
        return await self._read((turns.c.owner == owner) & (_queued | _running))

    async def waiting_elsewhere(self, thread_ids: Collection[int], owner: str) -> list[Turn]:
        """Give what other replicas were asked in these threads, in which this one has runs that could take it in."""
        return await self._read(turns.c.thread_id.in_(thread_ids) & _queued & (turns.c.owner != owner))

    async def busy_elsewhere(self, thread_id: int, owner: str) -> bool:
        """Whether another replica runs in a thread."""
        async with self._database.reading() as connection:
            return await _is_busy(connection, thread_id, owner)

    async def request_stop(self, channel: str, thread_ts: str, reason: str) -> bool:
        """Ask whichever replica runs in a thread, or is about to, to stop and to say this; False where none does."""
        this = select(threads.c.id).where(threads.c.channel == channel, threads.c.thread_ts == thread_ts)
        here = turns.c.thread_id.in_(this)
        async with self._database.writing() as connection:
            for which in (_running, _queued, _running):  # what began after the first look is found by the last
                asked = update(turns).where(here, which).values(stop_requested=True, reason=reason)
                if (await connection.execute(asked)).rowcount > 0:
                    return True
        return False

    async def withdraw(self, turn_id: UUID, reason: str) -> None:
        """End a turn that has not begun; whoever runs it is asked to stop and to say this; an end stays as it is."""
        this = turns.c.id == turn_id
        gone = {"state": TurnState.STOPPED, "ended_at": datetime.now(UTC), "reason": reason}
        async with self._database.writing() as connection:
            if (await connection.execute(update(turns).where(this, _queued).values(gone))).rowcount == 0:
                asked = update(turns).where(this, _running).values(stop_requested=True, reason=reason)
                await connection.execute(asked)

    async def to_stop(self, owner: str) -> list[Turn]:
        """Give the turns of this replica that somebody stopped through another one, each with what to say."""
        return await self._read((turns.c.owner == owner) & (_queued | _running) & turns.c.stop_requested)

    async def read(self, turn_id: UUID) -> Turn | None:
        """Give a turn as it is now."""
        return next(iter(await self._read(turns.c.id == turn_id)), None)

    async def find(self, channel: str, thread_ts: str, prompt_ts: str) -> Turn | None:
        """Give the turn of a message; None where it is no prompt."""
        here = (threads.c.channel == channel) & (threads.c.thread_ts == thread_ts)
        return next(iter(await self._read(here & (turns.c.prompt_ts == prompt_ts))), None)

    async def count_running(self) -> int:
        """How many runs go on, on all replicas."""
        async with self._database.reading() as connection:
            return await _count_running(connection)

    async def spent(self, since: datetime | None = None, thread_id: int | None = None) -> float:
        """US dollars that runs have cost: those which ended since a moment, and those of one thread."""
        query = select(func.coalesce(func.sum(turns.c.cost_usd), 0.0))
        if since:
            query = query.where(turns.c.ended_at >= since)
        if thread_id is not None:
            query = query.where(turns.c.thread_id == thread_id)
        async with self._database.reading() as connection:
            return float(await connection.scalar(query) or 0.0)

    async def _read(self, condition: ColumnElement[bool]) -> list[Turn]:
        async with self._database.reading() as connection:
            return await read_turns(connection, condition)


async def _is_busy(connection: AsyncConnection, thread_id: int, owner: str) -> bool:
    others = select(turns.c.id).where(turns.c.thread_id == thread_id, _running, turns.c.owner != owner)
    return await connection.scalar(others.limit(1)) is not None


async def _places(connection: AsyncConnection, thread_id: int, most: int, urgency: Urgency) -> int:
    """How many runs may still begin; several turns of one thread share a run."""
    free = most - await _count_running(connection, beside=thread_id)
    if urgency is Urgency.HIGH:
        return free
    running = select(turns.c.thread_id).where(_running)
    urgent = select(func.count(turns.c.thread_id.distinct())).where(
        _queued, turns.c.urgency == Urgency.HIGH, turns.c.thread_id != thread_id, turns.c.thread_id.not_in(running)
    )
    return free - (await connection.scalar(urgent) or 0)


async def _count_running(connection: AsyncConnection, beside: int = 0) -> int:
    query = select(func.count(turns.c.thread_id.distinct())).where(_running, turns.c.thread_id != beside)
    return await connection.scalar(query) or 0


def _begun(owner: str) -> dict[str, Any]:
    return {
        "state": TurnState.RUNNING,
        "owner": owner,
        "started_at": datetime.now(UTC),
        "attempts": turns.c.attempts + 1,
    }
