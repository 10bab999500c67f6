"""What the ledger holds of one thread: the pages that came, what was asked and answered, proposed and decided.

It is what a post-mortem's timeline is made of, so that no time and no name in it comes from a model's memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sre_bot.incidents.approvals import approvals_at
from sre_bot.incidents.database import Database
from sre_bot.incidents.model import Approval, Turn
from sre_bot.incidents.paging import Case, Change
from sre_bot.incidents.reading import read_cases
from sre_bot.incidents.tables import cases, deliveries, threads
from sre_bot.incidents.turn_rows import read_turns

CLOCKS_APART = timedelta(hours=1)
"""How much earlier by our clock a delivery may have come than what it tells of happened by its source's."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thread, as it stood at `read_at`.

    Attributes:
        case: the incidents whose card begins the thread; None where it is no such thread.
        changes: what was said of these incidents, in the order in which it happened.
        turns: what was asked in the thread, oldest first.
        approvals: what was proposed in it, oldest first.
        names: what people are called, by Slack's ids, as far as anybody looked.
    """

    channel: str
    thread_ts: str
    read_at: datetime
    case: Case | None = None
    changes: tuple[Change, ...] = ()
    turns: tuple[Turn, ...] = ()
    approvals: tuple[Approval, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


class Records:
    """The records in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_thread(self, channel: str, thread_ts: str) -> Record:
        """Read everything of a thread, as of one moment; raises LedgerError."""
        async with self._database.reading() as connection:
            place = (cases.c.channel == channel) & (cases.c.thread_ts == thread_ts)
            case = next(iter(await read_cases(connection, place)), None)
            here = (threads.c.channel == channel) & (threads.c.thread_ts == thread_ts)
            return Record(
                channel,
                thread_ts,
                datetime.now(UTC),
                case,
                tuple(await _changes(connection, case)) if case else (),
                tuple(await read_turns(connection, here)),
                tuple(await approvals_at(connection, channel, thread_ts)),
            )


async def _changes(connection: AsyncConnection, case: Case) -> list[Change]:
    """What deliveries said of a case's incidents; which they are is in the deliveries, so all since then are read."""
    keys = {incident.key for incident in case.incidents}
    since = deliveries.c.received_at >= case.opened_at - CLOCKS_APART
    rows = await connection.stream(select(deliveries.c.changes).where(since).order_by(deliveries.c.id))
    found: list[Change] = []
    async for row in rows:
        found += [change for each in row.changes if each.get("incident") in keys and (change := _read(each))]
    return sorted(found, key=lambda change: change.occurred_at)


def _read(stored: Mapping[str, object]) -> Change | None:
    try:
        return Change.from_json(stored)
    except (KeyError, TypeError, ValueError):
        return None  # of another version; folding has noted that
