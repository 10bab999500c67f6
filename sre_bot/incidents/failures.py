"""What went wrong in the database, in one sentence with what to do: the only place that reads SQLAlchemy's errors.

Refuses to show a statement or its parameters: they carry what people wrote. It knows PostgreSQL's errors by their
SQLSTATE (PostgreSQL, "Error Codes"), and those of a connection that was never made by the words of the server, since
libpq keeps the SQLSTATE of these to itself.
"""

import re
import sqlite3

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
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

_GONE = (
    "went away in the middle of a transaction, which it has recorded as a whole or not at all. "
    "It is restarting, or the network fails: try again."
)
_BY_SQLSTATE = {
    "25006": "is read-only here: {message}. If this server is a standby, let DATABASE_URL name the primary.",
    "25P03": "has ended a transaction in which nothing happened for too long. Look at what kept the bot busy.",
    "28P01": "does not let us in: {message}. Check user and password in DATABASE_URL, and pg_hba.conf.",
    "3D000": "does not exist. Create it with createdb, or correct DATABASE_URL.",
    "40P01": "ended one of two transactions that waited for each other. Try again.",
    "42501": "does not allow this user to do it: {message}. Make the user the owner of the database.",
    "42P01": "is not the bot's own, or no bot has been started on it yet: {message}. Check DATABASE_URL.",
    "53100": "cannot grow: its disk is full. Free some space.",
    "53300": "has no connection left: {message}. Close other clients, or raise max_connections.",
    "55P03": (
        "is locked: another transaction has been holding what we need for longer than we wait. "
        "Look in pg_stat_activity for one that is long-running or idle."
    ),
    "57014": "is too slow: a statement took longer than we wait. Look at the load of its server.",
    "57P03": "is being started or stopped. Try again in a moment.",
}
_SAME_STATE = {"28000": "28P01", "57P01": "57P03", "57P02": "57P03", "57P05": "25P03"}
_WORDS = {
    "57P03": re.compile(r"database system is (starting|shutting|in recovery|not )|not yet accepting connections"),
    "53300": re.compile(r"too many (clients|connections)|remaining connection slots"),
    "3D000": re.compile(r'database ".*" does not exist'),
    "28P01": re.compile(r"authentication failed|no password supplied|no pg_hba\.conf entry|role .* is not permitted"),
}
_SAME_AS = {sqlite3.SQLITE_LOCKED: sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PERM: sqlite3.SQLITE_READONLY}


def explain(error: Failure, database: str) -> LedgerError:
    """Give the error that the rest of the product sees.

    Args:
        error: what SQLAlchemy, Alembic, SQLite or the file system raised.
        database: the database's URL without its password.
    """
    return LedgerError(f"The ledger {database} {_sentence(error)}")


def without_details(error: Failure) -> Exception:
    """Give the error to chain, without the rows and statements that PostgreSQL quotes (DETAIL, LINE)."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    if not isinstance(cause, Exception) or getattr(cause, "sqlstate", None) is None:
        return error
    return type(cause)(_message(cause)).with_traceback(error.__traceback__)


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
            return f"refused a row that contradicts the others: {_message(error.orig)}. Nothing was recorded."
    cause = getattr(error, "orig", None) or error
    if (code := _sqlite_code(cause)) in _BY_SQLITE_CODE:
        return f"{_BY_SQLITE_CODE[code]} Nothing was recorded."
    if (state := _sqlstate(cause)) in _BY_SQLSTATE:
        return f"{_BY_SQLSTATE[state].format(message=_message(cause))} Nothing was recorded."
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return _GONE
    return f"failed: {_message(cause)}. Check that it runs and can be reached, then try again."


def _sqlstate(cause: BaseException) -> str:
    """Give the SQLSTATE; empty for an error that PostgreSQL did not make."""
    if state := getattr(cause, "sqlstate", None):
        return _SAME_STATE.get(state, str(state))
    if not hasattr(cause, "sqlstate"):
        return ""
    return next((state for state, words in _WORDS.items() if words.search(str(cause))), "")


def _message(cause: BaseException | None) -> str:
    """Give what went wrong, on one line; of what a server says, the main message alone."""
    said = getattr(getattr(cause, "diag", None), "message_primary", None) or str(cause)
    return " ".join(said.split()).removesuffix(".")


def _sqlite_code(cause: BaseException) -> int:
    """Give SQLite's primary result code (the low byte of the extended one: SQLite, "Result and Error Codes")."""
    primary = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return _SAME_AS.get(primary, primary)
