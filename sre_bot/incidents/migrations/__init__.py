"""How a database becomes what `tables.py` describes, step by step and back.

Run by the ledger at every start, within the transaction of the connection that it is given; there is no alembic.ini.
A new step is a new file in `versions/` that names the one before it as `down_revision`; a step that has been released
is never edited. `differences` tells what a step still lacks.
"""

from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from sre_bot.incidents.tables import metadata

VERSION_TABLE = "ledger_version"
"""Not Alembic's default name: a durable engine or another tool may keep its own versions in the same database."""

_LOCK = 0x5245_4C45_4447_4552
"""Key of the PostgreSQL advisory lock that lets one process migrate at a time (any number that is ours alone)."""

_PATIENCE = 60
"""Seconds to wait for another process's migration; for a lock on a table, as long as everybody waits: while a migration
queues for one, all that use the table queue behind it."""


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest version.

    The connection's transaction is the lock: SQLite's BEGIN IMMEDIATE lets one writer in, PostgreSQL an advisory lock.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
    command.upgrade(_config(connection), "head")


def downgrade(connection: Connection, revision: str) -> None:
    """Bring the schema back to a revision; `base` removes everything."""
    command.downgrade(_config(connection), revision)


def differences(connection: Connection) -> list[Any]:
    """Give what the database and `tables.py` disagree about, as Alembic's operations; empty when they agree."""
    options = {"version_table": VERSION_TABLE}
    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return found


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "sre_bot.incidents:migrations")
    config.attributes["connection"] = connection
    return config
