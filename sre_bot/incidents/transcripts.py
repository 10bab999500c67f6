"""The Agent SDK's transcripts in the ledger's database, so that a thread resumes after a restart or on another machine.

Implements the SDK's `SessionStore` by its shape alone (this room loads no agent), and passes the SDK's conformance
suite. Entries are opaque: this store never looks into one, except for the `uuid` that makes a repeated append
harmless. It keeps no summaries: the SDK derives them from the transcripts where it needs them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, delete, func, select

from sre_bot.incidents.database import Database
from sre_bot.incidents.tables import transcript_entries

if TYPE_CHECKING:
    from claude_agent_sdk import SessionKey, SessionListSubkeysKey, SessionStoreEntry, SessionStoreListEntry
    from claude_agent_sdk.types import SessionSummaryEntry

_MAIN = ""  # the subpath of a session's main transcript
_columns = transcript_entries.c


class TranscriptStore:
    """Appends and loads transcripts; every append is on disk when it returns.

    Every method raises LedgerError where the database cannot be used; the SDK then tries an append again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Add entries in order, in one transaction; those whose uuid is known already are left out."""
        if not entries:
            return
        place = {
            "project_key": key["project_key"],
            "session_id": key["session_id"],
            "subpath": key.get("subpath", _MAIN),
            "stored_at": datetime.now(UTC),
        }
        rows = [place | {"uuid": entry.get("uuid"), "entry": entry} for entry in entries]
        async with self._database.writing() as connection:
            await connection.execute(self._database.insert_or_ignore(transcript_entries), rows)

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        """Give a transcript's entries in the order appended; None where there are none."""
        this = _session(key) & (_columns.subpath == key.get("subpath", _MAIN))
        async with self._database.reading() as connection:
            found = await connection.scalars(select(_columns.entry).where(this).order_by(_columns.id))
            return list(found) or None

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        """Give each session of a project with the time of its last append, in milliseconds since 1970."""
        main = (_columns.project_key == project_key) & (_columns.subpath == _MAIN)
        query = select(_columns.session_id, func.max(_columns.stored_at)).where(main).group_by(_columns.session_id)
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return [{"session_id": session, "mtime": int(at.timestamp() * 1000)} for session, at in rows]

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        """Give the subpaths of a session's subagent transcripts."""
        query = select(_columns.subpath).distinct().where(_session(key), _columns.subpath != _MAIN)
        async with self._database.reading() as connection:
            return list(await connection.scalars(query))

    async def delete(self, key: SessionKey) -> None:
        """Forget one subagent's transcript, or, without a subpath, the session with all of them."""
        unwanted = _session(key)
        if "subpath" in key:
            unwanted &= _columns.subpath == key["subpath"]
        async with self._database.writing() as connection:
            await connection.execute(delete(transcript_entries).where(unwanted))

    if TYPE_CHECKING:  # The SDK's Protocol cannot say "optional": absent at run time is how it asks us to say no.

        async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
            """Exist for the type checker only."""
            raise NotImplementedError


def _session(key: SessionKey | SessionListSubkeysKey) -> ColumnElement[bool]:
    return and_(_columns.project_key == key["project_key"], _columns.session_id == key["session_id"])
