"""What the tools of a conversation said, kept under the numbers by which its answers cite it.

A call has one number, however often it is kept: a hook may be asked again on another replica. Numbers go up by one in
each thread, whatever calls end at the same time.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from sre_bot.evidence.exhibit import Exhibit
from sre_bot.incidents.database import Database
from sre_bot.incidents.tables import exhibits, threads

RESULT_LIMIT = 40_000
"""Characters kept of a result: no tool of ours gives more, and of what exceeds 50,000 the model sees 2,000."""
ARGUMENT_LIMIT = 2_000  # characters kept of one argument
ARGUMENTS_LIMIT = 8_000  # characters of all of them as JSON
CUT = "… (cut)"


class Exhibits:
    """The exhibits in one database. Every method raises LedgerError where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(
        self, session_id: UUID, tool_use_id: str, tool: str, arguments: Mapping[str, Any], result: str, *, ok: bool
    ) -> int | None:
        """Keep a result; gives its number in the thread whose conversation this is, None where there is no thread."""
        async with self._database.writing() as connection:
            # Locked, so that calls which end at once are numbered one after the other.
            own = select(threads.c.id).where(threads.c.session_id == session_id).with_for_update()
            thread_id = await connection.scalar(own)
            if thread_id is None:
                return None
            in_thread = exhibits.c.thread_id == thread_id
            known = select(exhibits.c.number).where(in_thread, exhibits.c.tool_use_id == tool_use_id)
            number: int | None = await connection.scalar(known)
            if number is not None:
                return number
            number = (await connection.scalar(select(func.max(exhibits.c.number)).where(in_thread)) or 0) + 1
            row = {
                "thread_id": thread_id,
                "number": number,
                "tool_use_id": tool_use_id,
                "tool": tool,
                "arguments": _bounded(arguments),
                "result": _cut(result, RESULT_LIMIT),
                "ok": ok,
                "kept_at": datetime.now(UTC),
            }
            await connection.execute(exhibits.insert(), row)
            return number

    async def read(self, thread_id: int, numbers: Iterable[int]) -> dict[int, Exhibit]:
        """Those of a thread with these numbers, as far as there are any."""
        c = exhibits.c
        wanted = select(c.number, c.tool, c.arguments, c.result, c.ok, c.kept_at).where(
            c.thread_id == thread_id, c.number.in_(set(numbers))
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(wanted)
            return {
                row.number: Exhibit(row.number, row.tool, row.arguments, row.result, row.ok, row.kept_at)
                for row in rows
            }


def _bounded(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with long texts cut; of more than can be kept only their names."""
    kept = {name: _cut(value, ARGUMENT_LIMIT) if isinstance(value, str) else value for name, value in arguments.items()}
    if len(json.dumps(kept)) > ARGUMENTS_LIMIT:
        kept = dict.fromkeys(list(kept)[:50], CUT)
    return kept


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - len(CUT)] + CUT
