"""The ledger locked, full or gone: the sender is asked to come again, nothing is half-recorded, and it works after."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from sre_bot.incidents.database import Database
from sre_bot.incidents.deliveries import Deliveries
from sre_bot.incidents.ledger import Ledger
from sre_bot.webhooks import Limits
from tests.webhooks.conftest import Door, OpenDoor, alert, event, group

SHORT = 0.05


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock, as another process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest_asyncio.fixture
async def impatient(ledger: Ledger, open_door: OpenDoor, tmp_path: Path) -> AsyncIterator[Door]:
    """A listener whose ledger waits for no lock."""
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}", busy_timeout=SHORT)
    yield await open_door(inbox=Deliveries(database))
    await database.close()


async def assert_refused_and_nothing_kept(door: Door) -> None:
    pages = [door.page(event(id=f"bad{number}")) for number in range(10)]
    answers = await asyncio.gather(*pages, door.notify(group(alert())))
    assert {answer.status for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert "ledger.db" not in str(answers), "a stranger is not told where the ledger is"
    assert door.rung == []


async def assert_accepts_the_repetitions(door: Door) -> None:
    answers = [await door.page(event(id=f"bad{number}")) for number in range(10)]
    assert {answer.said["status"] for answer in answers} == {"recorded"}
    assert len(door.recorded()) == 10


async def test_a_locked_ledger_is_a_503_and_nothing_is_lost(impatient: Door, warnings: Callable[[], list[str]]) -> None:
    with locked(impatient.database):
        await assert_refused_and_nothing_kept(impatient)
    assert impatient.recorded() == []
    await assert_accepts_the_repetitions(impatient)
    assert "is locked" in warnings()[0]
    assert len(warnings()) == 2, "one for each route"


async def test_a_ledger_that_stays_locked_is_answered_before_pagerduty_gives_up(
    ledger: Ledger, open_door: OpenDoor
) -> None:
    door = await open_door(limits=Limits(answer=0.2))
    with locked(door.database):
        await assert_refused_and_nothing_kept(door)
    await assert_accepts_the_repetitions_or_has_them(await open_door())  # on the same ledger, in its ordinary time


async def assert_accepts_the_repetitions_or_has_them(door: Door) -> None:
    """A commit that had begun when its sender was told to come back may end later: then it is a repetition."""
    answers = [await door.page(event(id=f"bad{number}")) for number in range(10)]
    assert {answer.status for answer in answers} == {202}
    assert len({row["key"] for row in door.recorded() if row["source"] == "pagerduty"}) == 10


async def test_a_full_disk_is_a_503_and_nothing_is_half_recorded(open_door: OpenDoor, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    door = await open_door(inbox=Deliveries(database))
    async with database.writing() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count = 1")  # as if the disk ended where the file ends
    large = event(note="x" * 500_000)
    answers = await asyncio.gather(*(door.page(large | {"number": number}) for number in range(3)))
    assert [answer.status for answer in answers] == [503] * 3
    assert door.recorded() == []
    async with database.writing() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert (await door.page(large)).said == {"status": "recorded"}
    await database.close()


async def test_a_ledger_that_is_gone_for_a_while_is_a_503_until_it_is_back(open_door: OpenDoor, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    database = Database(f"sqlite:///{path}")
    door = await open_door(inbox=Deliveries(database))
    path.parent.rename(tmp_path.with_name(f"{tmp_path.name}-away"))
    try:
        await assert_refused_and_nothing_kept(door)
    finally:
        tmp_path.with_name(f"{tmp_path.name}-away").rename(tmp_path)
    await assert_accepts_the_repetitions(door)
    await database.close()


@pytest.mark.parametrize("sender", ["pagerduty", "alertmanager"])
async def test_a_sender_that_hangs_up_while_it_waits_leaves_the_others_alone(
    sender: str, ledger: Ledger, open_door: OpenDoor
) -> None:
    door = await open_door()
    send = door.page if sender == "pagerduty" else door.notify
    with locked(door.database):
        given_up = asyncio.create_task(send(event(id="bad0") if sender == "pagerduty" else group(alert())))
        done, _ = await asyncio.wait([given_up], timeout=SHORT)
        assert not done
        given_up.cancel()
    assert (await door.page(event(id="other"))).said == {"status": "recorded"}
