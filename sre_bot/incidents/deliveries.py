"""The inbox of the webhooks: what came is on disk before it is answered, several deliveries in one commit.

A commit waits for the disk, and a burst comes when the disk is busy. So while one commit is under way the deliveries
that arrive are gathered, and the next commit takes all of them: the more arrive, the cheaper each becomes. Nobody is
told that a delivery was accepted before the commit that holds it has returned.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from sre_bot.errors import LedgerError
from sre_bot.incidents.database import Database
from sre_bot.incidents.paging import Delivery
from sre_bot.incidents.tables import deliveries

BATCH = 200
"""Deliveries in one commit at most."""


class Deliveries:
    """The deliveries in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Delivery, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def record(self, delivery: Delivery) -> bool:
        """Store a delivery; True for the first with its key, False where it is there already.

        A caller that is cancelled before its commit began has stored nothing, and holds up nobody.

        Raises:
            LedgerError: it is not stored, and neither is any part of it.
        """
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        place = (delivery, stored)
        self._waiting.append(place)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="inbox")
        try:
            return await stored
        except asyncio.CancelledError:
            # Its sender will repeat it. Kept, what was given up would pile up behind a database that hangs.
            self._waiting = [each for each in self._waiting if each is not place]
            raise

    async def backlog(self) -> int:
        """How many deliveries are stored and not folded yet."""
        async with self._database.reading() as connection:
            waiting = select(func.count()).select_from(deliveries).where(deliveries.c.folded_at.is_(None))
            return await connection.scalar(waiting) or 0

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                new = await self._commit([delivery for delivery, _ in batch])
            except LedgerError as error:
                _settle(batch, str(error))
            except BaseException:
                # Nobody would write for those who came meanwhile.
                left, self._waiting = [*batch, *self._waiting], []
                _settle(left, "The inbox was stopped; this was not recorded.")
                raise
            else:
                _settle(batch, new)

    async def _commit(self, batch: list[Delivery]) -> set[str]:
        """Store a batch; gives the keys that were new.

        In the order of their keys: replicas that are given the same deliveries then never wait for each other in a
        circle. Which of a batch comes first matters to nobody.
        """
        now = datetime.now(UTC)
        rows: dict[str, dict[str, Any]] = {}
        for each in batch:
            row = {
                "key": each.key,
                "source": each.source,
                "kind": each.kind,
                "changes": [change.as_json() for change in each.changes],
                "body": each.body,
                "received_at": now,
                "outcome": "",
            }
            rows.setdefault(each.key, row)
        insert = self._database.insert_or_ignore(deliveries, "key").returning(deliveries.c.key)
        async with self._database.writing() as connection:
            # Values in one statement, so that the database can say which rows were new.
            return set(await connection.scalars(insert.values([rows[key] for key in sorted(rows)])))


def _settle(batch: list[tuple[Delivery, asyncio.Future[bool]]], outcome: set[str] | str) -> None:
    """Tell everybody in a batch: the keys that were new, or why nothing is stored."""
    for delivery, stored in batch:
        if stored.done():
            continue  # who asked is gone
        if isinstance(outcome, str):
            stored.set_exception(LedgerError(outcome))
        else:
            stored.set_result(delivery.key in outcome)
            outcome.discard(delivery.key)  # of two with one key in a batch, one is the first
