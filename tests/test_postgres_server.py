"""The PostgreSQL that the tests run: theirs alone, on loopback, durable, and gone with them."""

import asyncio
import sys
from pathlib import Path

import psycopg
import pytest

from sandbox import postgres as postgresql
from sandbox.postgres import Postgres
from sre_bot.settings import ROOT
from tests.process_tree import await_gone, descendants


def ask(url: str, statement: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return str(row and row[0])


def test_it_keeps_its_promises_and_listens_on_loopback_only(postgres: Postgres) -> None:
    settings = ("listen_addresses", "unix_socket_directories", "fsync", "synchronous_commit", "full_page_writes")

    assert [ask(postgres.url(), f"SHOW {name}") for name in settings] == ["127.0.0.1", "", "on", "on", "on"]


def test_nobody_gets_in_without_the_password(postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(f"postgresql://bot@127.0.0.1:{postgres.port}/postgres", passfile="/dev/null")


async def test_a_second_start_on_the_same_folder_finds_the_data(own_postgres: Postgres, tmp_path: Path) -> None:
    own_postgres.create_database("kept")
    await own_postgres.stop()
    assert not own_postgres.running

    again = await Postgres.start(tmp_path / "postgres")

    assert ask(again.url("kept"), "SELECT current_database()") == "kept"
    await again.stop()


@pytest.mark.skipif(postgresql.find_binaries() is None, reason="no PostgreSQL here: `make` installs it where it can")
async def test_it_ends_with_the_process_that_started_it_however_that_ends(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from sandbox.postgres import Postgres\n"
        "async def run():\n    await Postgres.start(Path(sys.argv[1])); print('ready', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(run())"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, tmp_path, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    assert await parent.stdout.readline() == b"ready\n"
    started = descendants(parent.pid)
    assert started

    parent.kill()
    await parent.wait()

    await await_gone(started)
    assert "database system is shut down" in (tmp_path / "postgres.log").read_text()
