"""Which bots are alive, by the database's clock: each keeps a lease, and the work of one whose lease ran out is taken.

A replica that was taken for dead finds its lease gone when it wakes up. It must then do nothing more in its own name:
every move of a turn names its owner, so what it still tries is refused.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sre_bot.incidents.database import Database
from sre_bot.incidents.model import UNFINISHED
from sre_bot.incidents.tables import replicas, turns

TAKING_OVER = 0x5245_4C45_4845_4952
"""Key of the PostgreSQL advisory lock under which a dead replica's work is given away."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Replicas:
    """The leases in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def join(self, replica: str) -> None:
        """Take a lease."""
        async with self._database.writing() as connection:
            now = await self._now(connection)
            row = {"id": replica, "started_at": now, "beat_at": now}
            await connection.execute(self._database.insert_or_ignore(replicas, "id").values(row))
            await connection.execute(update(replicas).where(replicas.c.id == replica).values(beat_at=now))

    async def beat(self, replica: str) -> bool:
        """Renew a lease; False where it is gone, because others took this replica for dead."""
        async with self._database.writing() as connection:
            now = await self._now(connection)
            renewed = update(replicas).where(replicas.c.id == replica).values(beat_at=now)
            return (await connection.execute(renewed)).rowcount == 1

    async def leave(self, replica: str) -> None:
        """Let a lease run out at once, so that others take over what is left."""
        async with self._database.writing() as connection:
            await connection.execute(update(replicas).where(replicas.c.id == replica).values(beat_at=_LONG_AGO))

    async def count(self) -> int:
        """How many replicas have a lease, in force or not."""
        async with self._database.reading() as connection:
            return await connection.scalar(select(func.count()).select_from(replicas)) or 0

    @asynccontextmanager
    async def taking_over(self, heir: str, ttl: timedelta) -> AsyncIterator[list[str]]:
        """Take over from every replica whose lease is older than `ttl`, alone: one replica at a time is in here.

        Gives the replicas that are taken for dead. When the block ends their turns, and those of nobody, are the heir's
        and their leases are gone; when it raises nothing has happened, and the next attempt finds them again.
        """
        async with self._database.writing() as connection:
            await self._database.lock(connection, TAKING_OVER)
            limit = await self._now(connection) - ttl
            stale = select(replicas.c.id).where(replicas.c.beat_at < limit, replicas.c.id != heir)
            dead = list(await connection.scalars(stale))
            yield dead
            await connection.execute(delete(replicas).where(replicas.c.id.in_(dead)))
            orphaned = turns.c.owner.not_in(select(replicas.c.id)) & turns.c.state.in_(UNFINISHED)
            await connection.execute(update(turns).where(orphaned).values(owner=heir))

    async def _now(self, connection: AsyncConnection) -> datetime:
        """The database's clock, which all replicas share; an SQLite file has one process, and that one's clock."""
        if self._database.single:
            return datetime.now(UTC)
        now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
        return now
