"""What the reader is told when PostgreSQL cannot be used, and that the ledger works again as soon as it can."""

import asyncio
import struct
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import func, insert, make_url, select

from sandbox.postgres import Postgres
from sre_bot.errors import LedgerError
from sre_bot.incidents import Ledger, Thread, Turn
from sre_bot.incidents.database import Database
from sre_bot.incidents.paging import Delivery
from sre_bot.incidents.tables import seen_events, turns

from .conftest import OpenLedger

SHORT = 0.05
MORE_THAN_THE_POOL_HOLDS = 12
PAGERDUTY_WAITS = 5.0  # seconds for the answer to a webhook
SECRET = "the word is hunter2"


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
async def restartable(own_postgres: Postgres, open_ledger: OpenLedger) -> Ledger:
    """A ledger on a server of its own, with every connection of the pool made."""
    ledger = await open_ledger(own_postgres.create_database("bot"))
    await see_many(ledger, "warm")
    return ledger


async def see_many(ledger: Ledger, name: str) -> list[bool]:
    keys = (f"{name}{n}" for n in range(MORE_THAN_THE_POOL_HOLDS))
    return await asyncio.gather(*(ledger.first_sight(key, "slack") for key in keys))


async def test_a_restart_of_the_server_in_an_idle_moment_is_not_noticed(
    restartable: Ledger, own_postgres: Postgres
) -> None:
    await own_postgres.stop()
    await own_postgres.resume()

    assert all(await see_many(restartable, "afterwards"))


async def test_a_server_that_is_away_is_said_so_at_once_and_used_again_when_it_is_back(
    restartable: Ledger, own_postgres: Postgres
) -> None:
    await own_postgres.stop()
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"The ledger postgresql://.*/bot failed: .*refused.*Check that it runs"):
            await restartable.first_sight("Ev1", "slack")
    with pytest.raises(LedgerError, match="Check that it runs"):
        await Ledger.open(own_postgres.url("bot"))
    assert time.monotonic() - began < 4 * PAGERDUTY_WAITS

    await own_postgres.resume()

    assert all(await see_many(restartable, "afterwards"))
    assert await restartable.first_sight("Ev1", "slack")


async def test_a_crash_leaves_all_that_was_recorded_and_nothing_of_a_transaction_that_was_under_way(
    restartable: Ledger, own_postgres: Postgres
) -> None:
    database = Database(own_postgres.url("bot"))

    async def write_while_it_crashes() -> None:
        async with database.writing() as connection:
            row = {"key": "Ev1", "source": "slack", "seen_at": func.now()}
            await connection.execute(insert(seen_events).values(row))
            await own_postgres.crash()
            await connection.execute(select(1))

    with pytest.raises(LedgerError, match=r"being started or stopped|went away in the middle of a transaction"):
        await write_while_it_crashes()
    await database.close()
    await own_postgres.resume()

    assert await restartable.first_sight("Ev1", "slack")
    assert not any(await see_many(restartable, "warm"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"password": SECRET}, "does not let us in: .*password authentication failed"),
        ({"password": ""}, "does not let us in: .*no password supplied"),
        ({"username": "nobody"}, "does not let us in: "),
        ({"database": "elsewhere"}, "does not exist. Create it with createdb"),
        ({"query": {"sslmode": "require"}}, "does not support SSL"),
    ],
)
async def test_a_wrong_url_is_explained_without_its_password(
    postgres: Postgres, change: dict[str, object], complaint: str
) -> None:
    right = make_url(postgres.url())
    wrong = right.set(**change).render_as_string(hide_password=False)  # type: ignore[arg-type]  # one of several

    with pytest.raises(LedgerError, match=complaint) as refusal:
        await Ledger.open(wrong)

    said = "".join(traceback.format_exception(refusal.value))
    assert str(right.password) not in said
    assert SECRET not in said


async def test_the_scheme_of_hosting_providers_is_understood(url: str, open_ledger: OpenLedger) -> None:
    ledger = await open_ledger(url.replace("postgresql://", "postgres://"))

    assert await ledger.first_sight("Ev1", "slack")


async def test_a_lock_of_somebody_else_is_said_to_be_one_and_waited_for_no_longer_than_told(
    url: str, open_ledger: OpenLedger
) -> None:
    ledger = await open_ledger(url, busy_timeout=SHORT)
    async with await psycopg.AsyncConnection.connect(url) as other:
        await other.execute("LOCK TABLE seen_events")
        with pytest.raises(LedgerError, match=r"is locked: .*pg_stat_activity.*Nothing was recorded"):
            await ledger.first_sight("Ev1", "slack")

    assert await ledger.first_sight("Ev1", "slack")


async def test_two_bots_that_store_the_same_deliveries_never_wait_for_each_other_in_a_circle(
    url: str, ledger: Ledger, open_ledger: OpenLedger
) -> None:
    bots = [await open_ledger(url, busy_timeout=60) for _ in range(2)]
    inbox = [Delivery(f"pd:{n}", "pagerduty", "incident.triggered", (), "{}") for n in range(9)]
    async with await psycopg.AsyncConnection.connect(url) as third:
        # Somebody in the middle, so that both bots stop on their way and hold what they have.
        row = "('pd:4', 'pagerduty', 'pagey.ping', '[]', '', now(), '')"
        await third.execute(
            f"INSERT INTO deliveries (key, source, kind, changes, body, received_at, outcome) VALUES {row}"  # noqa: S608
        )
        storing = asyncio.gather(
            *(bots[0].deliveries.record(each) for each in inbox),
            *(bots[1].deliveries.record(each) for each in reversed(inbox)),
        )
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while await (await third.execute(waiting)).fetchone() != (2,):
            await asyncio.sleep(0.01)
        await third.rollback()

    assert sum(await storing) == len(inbox)


async def test_reading_goes_on_while_another_process_writes(url: str, ledger: Ledger, thread: Thread) -> None:
    async with await psycopg.AsyncConnection.connect(url) as other:
        await other.execute("UPDATE threads SET team = 'T2'")

        assert await ledger.find_thread(thread.channel, thread.thread_ts) == thread


async def test_a_statement_that_finds_every_connection_in_use_gives_up_in_time(url: str) -> None:
    database = Database(url, busy_timeout=SHORT)

    async def take_them_all(stack: AsyncExitStack) -> None:
        for _ in range(MORE_THAN_THE_POOL_HOLDS):
            await stack.enter_async_context(database.reading())

    async with AsyncExitStack() as stack:
        with pytest.raises(LedgerError, match="no connection became free in time"):
            await take_them_all(stack)

    async with database.reading() as connection:
        assert await connection.scalar(select(1)) == 1
    await database.close()


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(url: str) -> None:
    database = Database(f"{url}?options=-c%20statement_timeout%3D50")

    with pytest.raises(LedgerError, match="is too slow: a statement took longer"):
        async with database.reading() as connection:
            await connection.execute(select(func.pg_sleep(60)))
    await database.close()


async def test_a_process_that_froze_loses_its_locks(url: str, ledger: Ledger) -> None:
    frozen = Database(f"{url}?options=-c%20idle_in_transaction_session_timeout%3D50")

    async def freeze_while_writing() -> None:
        async with frozen.writing() as connection:
            await connection.exec_driver_sql("LOCK TABLE seen_events")
            assert await ledger.first_sight("Ev1", "slack")
            await connection.execute(select(1))

    with pytest.raises(LedgerError, match="nothing happened for too long"):
        await freeze_while_writing()
    await frozen.close()


async def test_a_standby_is_said_to_be_read_only(url: str, ledger: Ledger) -> None:
    database = Database(f"{url}?options=-c%20default_transaction_read_only%3Don")

    with pytest.raises(LedgerError, match="If this server is a standby"):
        async with database.writing() as connection:
            await connection.exec_driver_sql("DELETE FROM seen_events")
    await database.close()


async def test_no_error_shows_what_people_wrote(url: str, ledger: Ledger, thread: Thread, turn: Turn) -> None:
    database = Database(url)

    async def contradict() -> None:  # the server's own account quotes the row
        async with database.writing() as connection:
            row = {"id": uuid4(), "thread_id": thread.id, "prompt": SECRET}
            await connection.execute(insert(turns).values(row))

    async def misspell() -> None:  # and here the statement
        async with database.writing() as connection:
            await connection.exec_driver_sql(f"SELECT nothing, '{SECRET}' FROM turns")  # noqa: S608

    for mistake in (contradict, misspell):
        with pytest.raises(LedgerError) as refusal:
            await mistake()
        assert SECRET not in "".join(traceback.format_exception(refusal.value))
    await database.close()


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def refuse(sqlstate: str, words: str) -> Answer:
    """Answer as a server that lets nobody in (PostgreSQL, "Message Formats": ErrorResponse)."""
    fields = b"".join(kind + text.encode() + b"\0" for kind, text in ((b"S", "FATAL"), (b"C", sqlstate), (b"M", words)))

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0")
        await writer.drain()

    return answer


async def say_nothing(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Answer], Awaitable[str]]]:
    """Start a server that answers each start-up message in one way; gives its URL."""
    async with AsyncExitStack() as stack:

        async def start(answer: Answer) -> str:
            open_calls: set[asyncio.Task[None]] = set()

            async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                (length,) = struct.unpack("!i", await reader.readexactly(4))
                await reader.readexactly(length - 4)
                call = asyncio.ensure_future(answer(writer))
                open_calls.add(call)
                await asyncio.wait([call])
                writer.close()

            server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
            stack.callback(server.close)
            stack.callback(lambda: [call.cancel() for call in open_calls])
            port = server.sockets[0].getsockname()[1]
            return f"postgresql://bot:secret@127.0.0.1:{port}/bot?sslmode=disable&gssencmode=disable"

        yield start


@pytest.mark.parametrize(
    ("sqlstate", "words", "complaint"),
    [
        ("57P03", "the database system is starting up", "is being started or stopped"),
        ("57P03", "the database system is shutting down", "is being started or stopped"),
        ("57P03", "the database system is in recovery mode", "is being started or stopped"),
        ("53300", "sorry, too many clients already", "has no connection left: .*raise max_connections"),
        ("28000", 'no pg_hba.conf entry for host "10.0.0.7", user "bot"', "does not let us in: "),
        ("XX000", "could not open file", "failed: .*could not open file. Check that it runs"),
    ],
)
async def test_a_server_that_lets_nobody_in_is_explained(
    serve: Callable[[Answer], Awaitable[str]], sqlstate: str, words: str, complaint: str
) -> None:
    with pytest.raises(LedgerError, match=complaint):
        await Ledger.open(await serve(refuse(sqlstate, words)))


async def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time(
    serve: Callable[[Answer], Awaitable[str]],
) -> None:
    began = time.monotonic()

    with pytest.raises(LedgerError, match="Check that it runs"):
        await Ledger.open(await serve(say_nothing))

    assert time.monotonic() - began < 4 * PAGERDUTY_WAITS, "without a limit it would wait for ever"
