"""The inbox: many deliveries in one commit, each caller told of its own, and nothing of a commit that failed."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sre_bot.errors import LedgerError
from sre_bot.incidents import Ledger
from sre_bot.incidents.database import Database
from sre_bot.incidents.deliveries import BATCH, Deliveries
from sre_bot.incidents.paging import Change, Delivery, IncidentStatus, Snapshot, Urgency
from sre_bot.incidents.tables import deliveries

from .conftest import OpenLedger

CHANGE = Change(
    "pd:P1",
    "triggered",
    datetime(2026, 11, 25, 12, 0, 0, 250_000, UTC),
    Snapshot("down", IncidentStatus.TRIGGERED, Urgency.HIGH, assignees=("Ada", "Grace")),
)


def delivery(key: str, body: str = "{}") -> Delivery:
    return Delivery(key, "pagerduty", "incident.triggered", (CHANGE,), body)


class Counted(Database):
    """A database that counts its transactions for writing."""

    written = 0

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        self.written += 1
        async with super().writing() as connection:
            yield connection


async def keys(url: str) -> list[str]:
    """What is on disk."""
    database = Database(url)
    async with database.reading() as connection:
        found = sorted(await connection.scalars(select(deliveries.c.key)))
    await database.close()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "sre_bot.db"


@pytest.fixture
async def on_file(path: Path, open_ledger: OpenLedger) -> Ledger:
    """A ledger on SQLite, whose lock a test can hold."""
    return await open_ledger(f"sqlite:///{path}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_the_first_with_a_key_is_new_and_every_other_one_is_not(ledger: Ledger, url: str) -> None:
    assert await ledger.deliveries.record(delivery("pd:1"))
    assert not await ledger.deliveries.record(delivery("pd:1", "another body"))
    assert await keys(url) == ["pd:1"]
    assert await ledger.deliveries.backlog() == 1


async def test_two_of_one_event_in_one_commit_are_one_and_the_first_is_the_new_one(ledger: Ledger, url: str) -> None:
    await ledger.deliveries.record(delivery("pd:old"))
    wanted = ["pd:1", "pd:2", "pd:1", "pd:old", "pd:2", "pd:3"]
    new = await asyncio.gather(*(ledger.deliveries.record(delivery(key)) for key in wanted))
    assert new == [True, True, False, False, False, True]
    assert await keys(url) == ["pd:1", "pd:2", "pd:3", "pd:old"]


async def test_a_burst_takes_few_commits(ledger: Ledger, url: str) -> None:
    database = Counted(url)
    inbox = Deliveries(database)
    assert all(await asyncio.gather(*(inbox.record(delivery(f"pd:{number}")) for number in range(BATCH + 50))))
    assert database.written <= 3
    assert await keys(url) == sorted(f"pd:{number}" for number in range(BATCH + 50))
    await database.close()


async def test_two_processes_record_an_event_once(url: str, ledger: Ledger, open_ledger: OpenLedger) -> None:
    other = await open_ledger(url)
    asked = [each.deliveries.record(delivery(f"pd:{n}")) for n in range(30) for each in (ledger, other)]
    assert sum(await asyncio.gather(*asked)) == 30
    assert await ledger.deliveries.backlog() == 30


async def test_a_commit_that_fails_fails_for_all_and_leaves_nothing(path: Path, open_ledger: OpenLedger) -> None:
    inbox = (await open_ledger(f"sqlite:///{path}", busy_timeout=0.05)).deliveries
    with locked(path):
        asked = [inbox.record(delivery(f"pd:{number}")) for number in range(20)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {LedgerError}
    assert "is locked" in str(outcomes[0])
    assert await keys(f"sqlite:///{path}") == []
    assert await inbox.record(delivery("pd:1"))


async def test_one_that_does_not_fit_on_the_disk_takes_those_with_it_which_it_shares_a_commit_with(
    on_file: Ledger, path: Path
) -> None:
    database = Database(f"sqlite:///{path}")
    async with database.writing() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count = 1")
    inbox = Deliveries(database)
    asked = [inbox.record(delivery("pd:small")), inbox.record(delivery("pd:large", "x" * 1_000_000))]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {LedgerError}
    assert await keys(f"sqlite:///{path}") == []
    await database.close()


async def test_a_caller_that_gives_up_in_the_queue_is_not_recorded_and_holds_nobody_up(
    path: Path, on_file: Ledger
) -> None:
    with locked(path):
        first = asyncio.create_task(on_file.deliveries.record(delivery("pd:first")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # its commit has begun, and waits for the lock
        others = [asyncio.create_task(on_file.deliveries.record(delivery(f"pd:{n}"))) for n in range(3)]
        await asyncio.sleep(0)
        others[1].cancel()
        await asyncio.wait([others[1]])
    assert await first
    assert await others[0]
    assert await others[2]
    assert await keys(f"sqlite:///{path}") == ["pd:0", "pd:2", "pd:first"]


async def test_a_caller_that_gives_up_during_its_commit_leaves_it_to_the_others(path: Path, on_file: Ledger) -> None:
    with locked(path):
        both = [asyncio.create_task(on_file.deliveries.record(delivery(f"pd:{n}"))) for n in range(2)]
        done, _ = await asyncio.wait(both, timeout=0.1)
        assert not done
        both[0].cancel()
    assert await both[1]
    assert await keys(f"sqlite:///{path}") == ["pd:0", "pd:1"]


async def test_a_writer_that_is_stopped_tells_everybody_who_waits(path: Path, open_ledger: OpenLedger) -> None:
    inbox = (await open_ledger(f"sqlite:///{path}", busy_timeout=60)).deliveries
    with locked(path):
        first = asyncio.create_task(inbox.record(delivery("pd:first")))
        await asyncio.wait([first], timeout=0.05)
        second = asyncio.create_task(inbox.record(delivery("pd:second")))
        await asyncio.sleep(0)
        (writer,) = [task for task in asyncio.all_tasks() if task.get_name() == "inbox"]
        writer.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LedgerError, LedgerError]
    assert await inbox.record(delivery("pd:third"))


@pytest.mark.parametrize("snapshot", [CHANGE.snapshot, None])
def test_a_change_is_read_back_as_it_was_stored(snapshot: Snapshot | None) -> None:
    change = Change("pd:P1", "annotated", CHANGE.occurred_at, snapshot, "a title")
    assert Change.from_json(change.as_json()) == change
