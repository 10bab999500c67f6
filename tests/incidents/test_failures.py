"""What the reader is told when an SQLite file cannot be used, and that nothing is half-recorded then."""

import asyncio
import os
import sqlite3
import stat
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import pytest
from claude_agent_sdk import SessionKey

from sre_bot.errors import LedgerError
from sre_bot.incidents import Ledger, Thread, TranscriptStore, Turn
from sre_bot.incidents.database import Database

from .conftest import OpenLedger

SHORT = 0.05
NOBODY = 65534
FULL = 2  # SQLite: "PRAGMA synchronous"
SECRET = "the word is hunter2"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "sre_bot.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock, as another process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """Drop root's right to write everywhere, where the tests run as root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def readonly_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


@pytest.fixture
def readonly_database(readonly_folder: Path) -> Path:
    path = readonly_folder / "x.db"
    readonly_folder.chmod(0o755)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    path.chmod(0o444)
    readonly_folder.chmod(0o555)
    return path


@pytest.fixture
def no_database(tmp_path: Path) -> Path:
    path = tmp_path / "minutes.txt"
    path.write_text("minutes of the last meeting\n" * 100)
    return path


def make_folder_of(path: Path) -> None:
    path.parent.mkdir()


def damage(path: Path) -> None:
    """Overwrite everything but the first page."""
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))


async def test_a_locked_database_is_said_to_be_locked_and_works_again_afterwards(
    path: Path, url: str, open_ledger: OpenLedger
) -> None:
    ledger = await open_ledger(url, busy_timeout=SHORT)
    with locked(path), pytest.raises(LedgerError, match=r"sqlite:///.*sre_bot\.db is locked: .*Nothing was recorded"):
        await ledger.first_sight("Ev1", "slack")

    assert await ledger.first_sight("Ev1", "slack")


async def test_a_bot_cannot_start_on_a_database_that_stays_locked(path: Path, url: str, ledger: Ledger) -> None:
    with locked(path), pytest.raises(LedgerError, match="is locked"):
        await Ledger.open(url, busy_timeout=SHORT)


async def test_a_first_start_waits_for_another_one_that_is_making_the_file(path: Path, url: str) -> None:
    make_folder_of(path)
    with locked(path):
        opening = asyncio.create_task(Ledger.open(url, busy_timeout=60))
        done, _ = await asyncio.wait([opening], timeout=SHORT)
        assert not done

    await (await opening).close()


async def test_a_writer_waits_for_the_one_before_it(path: Path, url: str, open_ledger: OpenLedger) -> None:
    ledger = await open_ledger(url, busy_timeout=60)
    with locked(path):
        waiting = asyncio.create_task(ledger.first_sight("Ev1", "slack"))
        done, _ = await asyncio.wait([waiting], timeout=SHORT)
        assert not done

    assert await waiting


async def test_a_writer_that_is_stopped_in_the_middle_of_a_statement_lets_the_next_one_in(
    url: str, open_ledger: OpenLedger
) -> None:
    database, began, proceed = Database(url), Event(), Event()
    ledger = await open_ledger(url, busy_timeout=SHORT)

    def held() -> int:
        began.set()
        proceed.wait(10)
        return 1

    async def write() -> None:
        async with database.writing() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver
            await driver.create_function("held", 0, held)
            await connection.exec_driver_sql("SELECT held() UNION ALL SELECT 2")  # it has a second row to give

    writer = asyncio.create_task(write())
    await asyncio.to_thread(began.wait, 10)
    writer.cancel()
    proceed.set()
    with pytest.raises(asyncio.CancelledError) as stopped:
        await writer
    assert await ledger.first_sight("Ev1", "slack")
    del stopped  # until here its traceback holds the cursor
    await database.close()


async def test_reading_goes_on_while_another_process_writes(path: Path, ledger: Ledger, thread: Thread) -> None:
    with locked(path):
        assert await ledger.find_thread(thread.channel, thread.thread_ts) == thread


async def test_a_full_disk_is_said_to_be_full(url: str, ledger: Ledger) -> None:
    key: SessionKey = {"project_key": "p", "session_id": "s"}
    database = Database(url)
    async with database.writing() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count = 1")  # as if the disk ended where the file ends

    store = TranscriptStore(database)
    with pytest.raises(LedgerError, match=r"full\. Free some space"):
        await store.append(key, [{"type": "small"}, {"type": "large" * 100_000}])

    assert await store.load(key) is None
    await database.close()


async def test_a_folder_that_cannot_be_written_is_named(readonly_folder: Path) -> None:
    with as_an_ordinary_user(), pytest.raises(LedgerError, match=rf"{readonly_folder}/var/x\.db cannot be opened: "):
        await Ledger.open(f"sqlite:///{readonly_folder}/var/x.db")


async def test_a_database_that_cannot_be_written_is_named(readonly_database: Path) -> None:
    with (
        as_an_ordinary_user(),
        pytest.raises(LedgerError, match=rf"{readonly_database} (is read-only|cannot be opened)"),
    ):
        await Ledger.open(f"sqlite:///{readonly_database}")


async def test_a_path_that_leads_through_a_file_is_named(no_database: Path) -> None:
    with pytest.raises(LedgerError, match=r"cannot be opened: .* Let DATABASE_URL name a file"):
        await Ledger.open(f"sqlite:///{no_database}/x.db")


async def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be opened"):
        await Ledger.open(f"sqlite:///{tmp_path}")


async def test_a_file_that_is_no_database_is_refused(no_database: Path) -> None:
    with pytest.raises(LedgerError, match="is not an SQLite database"):
        await Ledger.open(f"sqlite:///{no_database}")


async def test_a_damaged_database_is_said_to_be_damaged(path: Path, url: str, ledger: Ledger) -> None:
    await ledger.close()
    damage(path)

    with pytest.raises(LedgerError, match="is damaged"):
        await Ledger.open(url)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("var/sre_bot.db", "is not a URL"),
        ("postgresql://host:port/bot", "is not a URL"),
        ("mysql://localhost/bot", "names 'mysql'"),
        ("sqlite://", "names no plain file"),
        ("sqlite:///:memory:", "names no plain file"),
        ("sqlite:///file:x.db?uri=true", "names no plain file"),
    ],
)
async def test_an_unusable_url_is_explained(url: str, complaint: str) -> None:
    with pytest.raises(LedgerError, match=complaint):
        await Ledger.open(url)


async def test_no_error_shows_what_people_wrote(ledger: Ledger, thread: Thread, turn: Turn) -> None:
    with pytest.raises(LedgerError) as refusal:
        await ledger.queue_turn(thread.id, turn_id=turn.id, prompt_ts="2.5", author="U1", prompt=SECRET)

    assert SECRET not in "".join(traceback.format_exception(refusal.value))


async def test_a_commit_waits_for_the_disk(url: str, ledger: Ledger) -> None:
    database = Database(url)
    async with database.writing() as connection:
        journal = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()
        synchronous = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar()
    await database.close()

    assert (journal, synchronous) == ("wal", FULL)


async def test_transcripts_are_readable_by_the_bots_user_only(path: Path, thread: Thread) -> None:
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in [path, *path.parent.glob("sre_bot.db-*")]}

    assert modes == dict.fromkeys(["sre_bot.db", "sre_bot.db-wal", "sre_bot.db-shm"], 0o600)
