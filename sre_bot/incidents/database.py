"""The engine under the ledger: from a plain URL to short transactions that are durable when they return.

SQLite runs in WAL mode with `synchronous=FULL` (a commit has reached the disk), foreign keys on, and `BEGIN IMMEDIATE`
for writers: a writer waits its turn at the start, for at most the busy timeout, instead of failing half-way when a
read lock cannot be upgraded. Refuses a database in memory, since a ledger has to outlive its process.

PostgreSQL commits to the disk by default. Here it gets bounds, so that a server which is gone, stuck or full of others'
locks is an error within seconds; a pooled connection is tried before it is used, so that a restart of the server fails
what was under way and nothing later.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from time import monotonic, sleep

from alembic.util import CommandError
from sqlalchemy import URL, Connection, Table, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from sre_bot.errors import LedgerError
from sre_bot.incidents import migrations
from sre_bot.incidents.failures import explain, is_busy, without_details

BUSY_TIMEOUT = 5.0
"""Seconds that a writer waits for another writer."""

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_POOL = {"pool_size": 4, "max_overflow": 0}  # writers queue here in order; inside SQLite they would poll for the lock

# Reading sees one state: by default PostgreSQL would show each statement a newer one.
_READS: dict[str, dict[str, object]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_POSTGRES_CONNECTION = {
    "application_name": "sre-bot",
    "connect_timeout": 3,  # seconds; together with the next it is less than a webhook's sender waits, PagerDuty's 5 s
    "tcp_user_timeout": 1_500,  # milliseconds until a host that acknowledges nothing is given up
    "keepalives_idle": 10,  # seconds; and for one that dies while we wait for its answer
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
_STATEMENT_TIMEOUT = 30.0
"""Seconds that PostgreSQL works on one statement at most; pruning a large ledger is the longest."""
_IDLE_IN_TRANSACTION = 30.0
"""Seconds after which PostgreSQL ends the transaction of a process that froze with locks in its hands."""


class _Connection(sqlite3.Connection):
    """Lets go of the write lock when it is closed, also in the middle of a statement.

    SQLite keeps a closed connection, its transaction included, for as long as a statement is unfinished, and a cursor
    has one while it has rows to give. A cancelled writer's cursor lives in the traceback until the garbage is
    collected; meanwhile nobody else could write.
    """

    def close(self) -> None:
        """Undo what is not committed, then close; a second time it does nothing."""
        with suppress(sqlite3.ProgrammingError):  # closed already
            self.rollback()
        super().close()


class Database:
    """One database: connections for reading and for writing, every failure as a `LedgerError`.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`, as people write it.
        busy_timeout: seconds that a writer waits while another process writes; on PostgreSQL, seconds to wait for
            each lock that another transaction holds, and for a free connection.

    Raises:
        LedgerError: the URL cannot be used.
    """

    def __init__(self, url: str, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self._url = _with_async_driver(url)
        self._busy_timeout = busy_timeout
        self._engine = self._make_engine()
        self._reads = self._engine.execution_options(**_READS[self._url.get_backend_name()])
        self._writes = self._engine.execution_options(writes=True)

    @property
    def name(self) -> str:
        """The URL without its password: for messages."""
        return self._url.set(drivername=self._url.get_backend_name()).render_as_string(hide_password=True)

    @property
    def single(self) -> bool:
        """Whether one process has this database to itself."""
        return self._url.get_backend_name() == "sqlite"

    async def lock(self, connection: AsyncConnection, key: int) -> None:
        """Let no other process into work of this key until the transaction ends; a writer in SQLite is alone anyway."""
        if not self.single:
            await connection.execute(select(func.pg_advisory_xact_lock(key)))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees one state of the database."""
        async with self._transaction(self._reads) as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that is on disk when the block ends, and undone when it raises."""
        async with self._transaction(self._writes) as connection:
            yield connection

    def insert_or_ignore(self, table: Table, *unique: str) -> sqlite.Insert | postgresql.Insert:
        """Begin an INSERT that does nothing where the row exists, judged by the `unique` columns (default: any)."""
        insert = sqlite.insert if self._url.get_backend_name() == "sqlite" else postgresql.insert
        return insert(table).on_conflict_do_nothing(index_elements=unique or None)

    def insert_or_replace(self, table: Table, *unique: str) -> sqlite.Insert | postgresql.Insert:
        """Begin an INSERT that replaces the other columns of a row of the same `unique` columns."""
        insert = (sqlite.insert if self._url.get_backend_name() == "sqlite" else postgresql.insert)(table)
        others = {column.name: insert.excluded[column.name] for column in table.c if column.name not in unique}
        return insert.on_conflict_do_update(index_elements=unique, set_=others)

    def must_exist(self) -> None:
        """Refuse an SQLite file that is not there: opening it would make an empty one.

        Raises:
            LedgerError: it is not there.
        """
        if self._url.get_backend_name() == "sqlite" and not Path(self._url.database or "").is_file():
            raise LedgerError(f"There is no ledger {self.name}. Check DATABASE_URL: it must be the bot's own.")

    async def migrate(self) -> None:
        """Bring the schema up to date; safe when several processes do it at once: the first works, the rest wait.

        Raises:
            LedgerError: the database cannot be created or written, or a newer version of the product made it.
        """
        if self._url.get_backend_name() == "sqlite":
            await self._prepare_file()
        # Without foreign keys: SQLite alters a table by copying and dropping it, and dropping it would empty the tables
        # that refer to it.
        engine = self._make_engine(migrates=True)
        try:
            async with self._transaction(engine.execution_options(writes=True)) as connection:
                await connection.run_sync(migrations.upgrade)
        finally:
            await engine.dispose()

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, CommandError) as error:
            raise explain(error, self.name) from without_details(error)

    def _make_engine(self, *, migrates: bool = False) -> AsyncEngine:
        if self._url.get_backend_name() != "sqlite":
            return _create(self._url, **_postgres_options(self._url, self._busy_timeout, migrates=migrates))
        # isolation_level None: the driver begins no transactions of its own, the listener below does.
        connect_args = {"timeout": self._busy_timeout, "isolation_level": None, "factory": _Connection}
        engine = _create(self._url, connect_args=connect_args)

        @event.listens_for(engine.sync_engine, "connect")
        def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
            try:
                cursor = connection.cursor()
                cursor.execute("PRAGMA synchronous = FULL")
                cursor.execute(f"PRAGMA foreign_keys = {int(not migrates)}")
                cursor.close()
            except BaseException:
                connection.close()  # the pool would forget it, and its thread with it
                raise

        @event.listens_for(engine.sync_engine, "begin")
        def begin(connection: Connection) -> None:
            writes = connection.get_execution_options().get("writes")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    async def _prepare_file(self) -> None:
        try:
            await prepare_file(Path(self._url.database or ""), self._busy_timeout)
        except (OSError, sqlite3.Error) as error:
            raise explain(error, self.name) from error


async def prepare_file(path: Path, busy_timeout: float = BUSY_TIMEOUT) -> None:
    """Make an SQLite file in WAL mode where there is none; raises OSError or sqlite3.Error."""
    await asyncio.to_thread(_make_wal_file, path, busy_timeout)


def _make_wal_file(path: Path, busy_timeout: float) -> None:
    """Make the file where it is missing, and turn WAL on: for that alone SQLite does not wait its busy timeout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():  # Never open it for this: closing it would drop SQLite's locks in this process.
        path.touch(mode=0o600)  # Transcripts quote logs and conversations; SQLite's side files take the same mode.
    deadline = monotonic() + busy_timeout
    with closing(sqlite3.connect(path, timeout=busy_timeout)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or monotonic() > deadline:
                    raise
                sleep(0.01)
            else:
                return


def _with_async_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise LedgerError("DATABASE_URL is not a URL; write for example sqlite:///var/sre_bot.db") from error
    backend = parsed.get_backend_name()
    if backend not in _DRIVERS:
        raise LedgerError(f"DATABASE_URL names {backend!r}; the ledger speaks sqlite:/// and postgresql:// only.")
    if backend == "sqlite" and (parsed.database or ":memory:").startswith((":memory:", "file:")):
        raise LedgerError("DATABASE_URL names no plain file; a ledger in memory would be lost with the process.")
    return parsed.set(drivername=_DRIVERS[backend])


def _postgres_options(url: URL, busy_timeout: float, *, migrates: bool) -> dict[str, object]:
    """Give the engine's options; what the URL says itself (`?connect_timeout=10`) is left as it says."""
    timeouts = {
        "lock_timeout": busy_timeout,
        "statement_timeout": 0 if migrates else _STATEMENT_TIMEOUT,  # an index on a large table takes its time
        "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION,
    }
    options = " ".join(f"-c {name}={round(seconds * 1000)}" for name, seconds in timeouts.items())
    ours = _POSTGRES_CONNECTION | {"options": options}
    connect_args = {name: value for name, value in ours.items() if name not in url.query}
    return {"connect_args": connect_args, "pool_timeout": busy_timeout, "pool_pre_ping": True}


def _create(url: URL, **options: object) -> AsyncEngine:
    try:
        # hide_parameters: a logged cause must not quote what people wrote.
        return create_async_engine(url, hide_parameters=True, **_POOL, **options)
    except ModuleNotFoundError as error:
        raise LedgerError(f"DATABASE_URL needs the Python package {error.name!r}, which is not installed.") from error
