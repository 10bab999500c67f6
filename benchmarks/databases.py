"""The databases that a bot can have, empty, each for one measurement."""

from contextlib import AsyncExitStack
from pathlib import Path

from sandbox import postgres

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


async def make_databases(folder: Path, parts: AsyncExitStack, only: str = "") -> dict[str, str]:
    """URLs by name: SQLite, and PostgreSQL where it is installed, on a server that runs until `parts` is closed; or the
    one of them that is named.
    """
    urls = {SQLITE: f"sqlite:///{folder}/ledger.db"} if only in ("", SQLITE) else {}
    if only in ("", POSTGRESQL) and postgres.find_binaries() is not None:
        server = await postgres.Postgres.start(folder)
        parts.push_async_callback(server.stop)
        urls[POSTGRESQL] = server.create_database("bot")
    return urls
