"""Transactions and the inbox, beside other processes."""

import asyncio

import pytest
from sqlalchemy import func, select

from sre_bot.errors import LedgerError
from sre_bot.incidents import Ledger
from sre_bot.incidents.database import Database
from sre_bot.incidents.paging import Delivery
from sre_bot.incidents.tables import deliveries, seen_events

from .conftest import OpenLedger


def delivery(key: str) -> Delivery:
    return Delivery(key, "pagerduty", "incident.triggered", (), "{}")


async def test_a_reader_sees_one_state_whatever_is_written_meanwhile(ledger: Ledger, url: str) -> None:
    database, count = Database(url), select(func.count()).select_from(seen_events)
    async with database.reading() as connection:
        before = await connection.scalar(count)
        await ledger.first_sight("Ev1", "slack")
        assert (before, await connection.scalar(count)) == (0, 0)
    await database.close()


async def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger, url: str) -> None:
    database = Database(url)

    async def fail_after_writing() -> None:
        async with database.writing() as connection:
            row = {"key": "Ev1", "source": "slack", "seen_at": func.now()}
            await connection.execute(seen_events.insert().values(row))
            await connection.exec_driver_sql("SELECT 1 FROM nowhere")

    with pytest.raises(LedgerError, match="nowhere"):
        await fail_after_writing()
    await database.close()

    assert await ledger.first_sight("Ev1", "slack")


async def test_two_bots_that_are_given_the_same_deliveries_in_opposite_order_store_each_once(
    ledger: Ledger, url: str, open_ledger: OpenLedger
) -> None:
    other, keys = await open_ledger(url), [f"pd:{n}" for n in range(100)]

    new = await asyncio.gather(
        *(ledger.deliveries.record(delivery(key)) for key in keys),
        *(other.deliveries.record(delivery(key)) for key in reversed(keys)),
    )

    assert sum(new) == len(keys)


async def test_deliveries_of_one_moment_share_a_commit_and_a_key_is_new_once(ledger: Ledger, url: str) -> None:
    keys = [f"pd:{n % 50}" for n in range(150)]

    new = await asyncio.gather(*(ledger.deliveries.record(delivery(key)) for key in keys))

    assert new == [True] * 50 + [False] * 100
    assert await ledger.deliveries.backlog() == 50
    database = Database(url)
    async with database.reading() as connection:
        moments = await connection.scalar(select(func.count(deliveries.c.received_at.distinct())))
    assert moments == 1
    await database.close()
