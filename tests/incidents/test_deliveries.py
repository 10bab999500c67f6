"""The inbox: many deliveries in one commit, each caller told of its own, and nothing of a commit that failed."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from sre_bot.errors import LedgerError
from sre_bot.incidents import Ledger
from sre_bot.incidents.database import Database
from sre_bot.incidents.deliveries import BATCH, Deliveries
from sre_bot.incidents.paging import Change, Delivery, IncidentStatus, Snapshot, Urgency

from .conftest import OpenLedger

CHANGE = Change(
    "pd:P1",
    "triggered",
    datetime(2026, 11, 25, 12, 0, 0, 250_000, UTC),
    Snapshot("down", IncidentStatus.TRIGGERED, Urgency.HIGH, assignees=("Ada", "Grace")),
)


def delivery(key: str, body: str = "{}") -> Delivery:
    return Delivery(key, "pagerduty", "incident.triggered", (CHANGE,), body)


def keys(path: Path) -> list[str]:
    """What is on disk, in the order of arrival."""
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM deliveries ORDER BY id")]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_the_first_with_a_key_is_new_and_every_other_one_is_not(ledger: Ledger, path: Path) -> None:
    assert await ledger.deliveries.record(delivery("pd:1"))
    assert not await ledger.deliveries.record(delivery("pd:1", "another body"))
    assert keys(path) == ["pd:1"]
    assert await ledger.deliveries.backlog() == 1


async def test_two_of_one_event_in_one_commit_are_one_and_the_first_is_the_new_one(ledger: Ledger, path: Path) -> None:
    await ledger.deliveries.record(delivery("pd:old"))
    wanted = ["pd:1", "pd:2", "pd:1", "pd:old", "pd:2", "pd:3"]
    new = await asyncio.gather(*(ledger.deliveries.record(delivery(key)) for key in wanted))
    assert new == [True, True, False, False, False, True]
    assert keys(path) == ["pd:old", "pd:1", "pd:2", "pd:3"]


async def test_a_burst_takes_few_commits(url: str, ledger: Ledger, path: Path) -> None:
    database = Database(url)
    commits: list[object] = []
    event.listen(database._reads.sync_engine, "commit", commits.append)
    inbox = Deliveries(database)
    assert all(await asyncio.gather(*(inbox.record(delivery(f"pd:{number}")) for number in range(BATCH + 50))))
    assert len(commits) <= 3
    assert keys(path) == [f"pd:{number}" for number in range(BATCH + 50)]
    await database.close()


async def test_two_processes_record_an_event_once(url: str, ledger: Ledger, open_ledger: OpenLedger) -> None:
    other = await open_ledger(url)
    asked = [each.deliveries.record(delivery(f"pd:{n}")) for n in range(30) for each in (ledger, other)]
    assert sum(await asyncio.gather(*asked)) == 30
    assert await ledger.deliveries.backlog() == 30


async def test_a_commit_that_fails_fails_for_all_and_leaves_nothing(
    url: str, path: Path, open_ledger: OpenLedger
) -> None:
    inbox = (await open_ledger(url, busy_timeout=0.05)).deliveries
    with locked(path):
        asked = [inbox.record(delivery(f"pd:{number}")) for number in range(20)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {LedgerError}
    assert "is locked" in str(outcomes[0])
    assert keys(path) == []
    assert await inbox.record(delivery("pd:1"))


async def test_one_that_does_not_fit_on_the_disk_takes_those_with_it_which_it_shares_a_commit_with(
    url: str, ledger: Ledger, path: Path
) -> None:
    database = Database(url)
    async with database.writing() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count = 1")
    inbox = Deliveries(database)
    asked = [inbox.record(delivery("pd:small")), inbox.record(delivery("pd:large", "x" * 1_000_000))]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {LedgerError}
    assert keys(path) == []
    await database.close()


async def test_a_caller_that_gives_up_in_the_queue_is_not_recorded_and_holds_nobody_up(
    path: Path, ledger: Ledger
) -> None:
    with locked(path):
        first = asyncio.create_task(ledger.deliveries.record(delivery("pd:first")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # its commit has begun, and waits for the lock
        others = [asyncio.create_task(ledger.deliveries.record(delivery(f"pd:{n}"))) for n in range(3)]
        await asyncio.sleep(0)
        others[1].cancel()
        await asyncio.wait([others[1]])
    assert await first
    assert await others[0]
    assert await others[2]
    assert keys(path) == ["pd:first", "pd:0", "pd:2"]


async def test_a_caller_that_gives_up_during_its_commit_leaves_it_to_the_others(path: Path, ledger: Ledger) -> None:
    with locked(path):
        both = [asyncio.create_task(ledger.deliveries.record(delivery(f"pd:{n}"))) for n in range(2)]
        done, _ = await asyncio.wait(both, timeout=0.1)
        assert not done
        both[0].cancel()
    assert await both[1]
    assert keys(path) == ["pd:0", "pd:1"]


async def test_a_writer_that_is_stopped_tells_everybody_who_waits(
    url: str, path: Path, open_ledger: OpenLedger
) -> None:
    inbox = (await open_ledger(url, busy_timeout=0.5)).deliveries
    with locked(path):
        first = asyncio.create_task(inbox.record(delivery("pd:first")))
        await asyncio.wait([first], timeout=0.05)
        second = asyncio.create_task(inbox.record(delivery("pd:second")))
        await asyncio.sleep(0)
        (writer,) = [task for task in asyncio.all_tasks() if task.get_name() == "inbox"]
        writer.cancel()
        async with asyncio.timeout(10):
            outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LedgerError, LedgerError]
    assert await inbox.record(delivery("pd:third"))


@pytest.mark.parametrize("snapshot", [CHANGE.snapshot, None])
def test_a_change_is_read_back_as_it_was_stored(snapshot: Snapshot | None) -> None:
    change = Change("pd:P1", "annotated", CHANGE.occurred_at, snapshot, "a title")
    assert Change.from_json(change.as_json()) == change
