import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, make_url

from sre_bot.errors import LedgerError
from sre_bot.incidents import Ledger, migrations
from sre_bot.incidents.tables import metadata

from .conftest import OpenLedger, start_python


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without the tables."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("empty_postgres_url"))
    return f"sqlite:///{tmp_path}/sre_bot.db"


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """A plain connection to the test's database, whatever is in it."""
    parsed = make_url(url)
    engine = create_engine(parsed if parsed.drivername == "sqlite" else parsed.set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


async def test_the_migrations_lead_to_what_the_code_expects(ledger: Ledger, connection: Connection) -> None:
    assert migrations.differences(connection) == []


async def test_a_column_without_a_migration_is_noticed(ledger: Ledger, connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE turns DROP COLUMN reason")

    assert "add_column" in str(migrations.differences(connection))


def test_the_way_back_leaves_nothing_and_can_be_gone_again(connection: Connection) -> None:
    migrations.upgrade(connection)
    migrations.downgrade(connection, "base")
    assert inspect(connection).get_table_names() == [migrations.VERSION_TABLE]

    migrations.upgrade(connection)

    assert {*inspect(connection).get_table_names()} == {migrations.VERSION_TABLE, *metadata.tables}


async def test_opening_again_keeps_what_is_there(ledger: Ledger, url: str, open_ledger: OpenLedger) -> None:
    await ledger.first_sight("Ev1", "slack")

    assert not await (await open_ledger(url)).first_sight("Ev1", "slack")


async def test_processes_that_start_at_once_on_an_empty_database_all_get_the_schema(url: str) -> None:
    bots = [start_python(OPENS_WHEN_TOLD, url) for _ in range(4)]
    for bot in bots:
        assert bot.stdout is not None
        assert await asyncio.to_thread(bot.stdout.readline) == "ready\n"
    for bot in bots:
        assert bot.stdin is not None
        bot.stdin.write("go\n")
        bot.stdin.flush()

    said = [(await asyncio.to_thread(bot.communicate))[0] for bot in bots]

    assert sorted(said) == ["False\n"] * 3 + ["True\n"]


async def test_ledgers_that_open_at_once_in_one_process_all_work(url: str, open_ledger: OpenLedger) -> None:
    ledgers = await asyncio.gather(*(open_ledger(url, busy_timeout=60) for _ in range(4)))

    assert sorted([await ledger.first_sight("Ev1", "slack") for ledger in ledgers]) == [False, False, False, True]


async def test_a_migration_that_fails_half_way_leaves_no_half_schema(url: str, connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE transcript_entries (mine TEXT)")
    connection.commit()

    with pytest.raises(LedgerError, match=r"transcript_entries.* already exists"):
        await Ledger.open(url)

    assert inspect(connection).get_table_names() == ["transcript_entries"]


async def test_an_older_bot_says_that_the_database_is_newer(ledger: Ledger, url: str, connection: Connection) -> None:
    connection.exec_driver_sql("UPDATE ledger_version SET version_num = '9999'")
    connection.commit()

    with pytest.raises(LedgerError, match=r"does not know .* Start the newer version"):
        await Ledger.open(url)


OPENS_WHEN_TOLD = """
import asyncio, sys
from sre_bot.incidents import Ledger

async def run():
    print("ready", flush=True)
    sys.stdin.readline()
    ledger = await Ledger.open(sys.argv[1], busy_timeout=60)
    print(await ledger.first_sight("Ev1", "slack"))
    await ledger.close()

asyncio.run(run())
"""
