"""The ledger's database: whether it can be opened, and whether its schema is this version's. Nothing is migrated."""

import os
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url

from sre_bot.doctor.finding import Finding, ok, problem
from sre_bot.doctor.folders import why_not_writable
from sre_bot.doctor.known import Known
from sre_bot.incidents.database import Database
from sre_bot.incidents.migrations import VERSION_TABLE
from sre_bot.settings import LedgerSettings, load_group


async def look(known: Known) -> list[Finding]:
    """One row."""
    url = load_group(LedgerSettings, known.environ).database_url
    database = Database(url)  # LedgerError for an address that cannot be used
    try:
        if database.single:
            path = Path(make_url(url).database or "")
            if obstacle := _obstacle(path):
                return [problem("Ledger", obstacle, "Let DATABASE_URL name a file that this user may write.")]
            if not _is_there(path):
                return [ok("Ledger", f"{database.name} is not there yet; the first start makes it.")]
        async with database.reading() as connection:
            present = await connection.run_sync(_revision)
    finally:
        await database.close()
    return [_judge(database.name, present)]


def _is_there(path: Path) -> bool:
    return path.exists()


def _obstacle(path: Path) -> str:
    if path.exists() and not os.access(path, os.W_OK):
        return f"This user may not write to {path}."
    return why_not_writable(path.parent)


def _revision(connection: Connection) -> str:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision() or ""


def _judge(name: str, present: str) -> Finding:
    config = Config()
    config.set_main_option("script_location", "sre_bot.incidents:migrations")
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_current_head() or ""
    if present == newest:
        return ok("Ledger", f"{name} is up to date (revision {present}).")
    if not present:
        return ok("Ledger", f"{name} has no tables of ours yet; the first start makes them.")
    if present in {script.revision for script in scripts.walk_revisions()}:
        return ok("Ledger", f"{name} is at revision {present}; the next start migrates it to {newest}.")
    return problem(
        "Ledger",
        f"{name} has a schema that this version does not know (revision {present}): a newer version made it.",
        "Start the newer version, or let DATABASE_URL name another database.",
    )
