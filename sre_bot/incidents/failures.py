"""What went wrong in the database, in one sentence with what to do: the only place that reads SQLAlchemy's errors.

Refuses to show a statement or its parameters: they carry what people wrote.
"""

import sqlite3

from alembic.util import CommandError
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sre_bot.errors import LedgerError

Failure = SQLAlchemyError | CommandError | sqlite3.Error | OSError

_BY_SQLITE_CODE = {
    sqlite3.SQLITE_BUSY: (
        "is locked: another process has been writing to it for longer than we wait. "
        "Stop the other process (a second bot, a backup, an open sqlite3 shell), or wait until it is done."
    ),
    sqlite3.SQLITE_FULL: "cannot grow: the disk or the quota is full. Free some space.",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error. Check the disk and its free space.",
    sqlite3.SQLITE_READONLY: "is read-only for this user. Give the bot's user write access to the file and its folder.",
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened. Check in DATABASE_URL that the path is a file in a folder which the bot's user may write to."
    ),
    sqlite3.SQLITE_CORRUPT: "is damaged. Stop the bot, keep a copy of the file, and restore it from a backup.",
    sqlite3.SQLITE_NOTADB: "is not an SQLite database. Let DATABASE_URL name another file, or move this one away.",
}
_SAME_AS = {sqlite3.SQLITE_LOCKED: sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PERM: sqlite3.SQLITE_READONLY}


def explain(error: Failure, database: str) -> LedgerError:
    """Give the error that the rest of the product sees.

    Args:
        error: what SQLAlchemy, Alembic, SQLite or the file system raised.
        database: the database's URL without its password.
    """
    return LedgerError(f"The ledger {database} {_sentence(error)}")


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another connection's lock is all that is wrong."""
    return _sqlite_code(error) == sqlite3.SQLITE_BUSY


def _sentence(error: Failure) -> str:
    match error:
        case OSError():
            return f"cannot be opened: {error.strerror}. Let DATABASE_URL name a file that this user may write."
        case CommandError():
            return f"has a schema that this version does not know ({error}). Start the newer version."
        case PoolTimeout():
            return "is too slow: no connection became free in time. Look for a long-running writer, then try again."
        case IntegrityError():
            return f"refused a row that contradicts the others: {error.orig}. Nothing was recorded."
    cause = getattr(error, "orig", None) or error
    if (code := _sqlite_code(cause)) in _BY_SQLITE_CODE:
        return f"{_BY_SQLITE_CODE[code]} Nothing was recorded."
    return f"failed: {cause}. Check that it runs and can be reached, then try again."


def _sqlite_code(cause: BaseException) -> int:
    """Give SQLite's primary result code (the low byte of the extended one: SQLite, "Result and Error Codes")."""
    primary = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return _SAME_AS.get(primary, primary)
