"""Cases in the ledger: folding deliveries into them, and what was shown, asked and told of each.

Every move is one statement that names what it must find, so that two processes never both make it.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select, update

from sre_bot.incidents.database import Database
from sre_bot.incidents.folding import Folded, Folding, Grouping
from sre_bot.incidents.paging import Case
from sre_bot.incidents.reading import read_cases
from sre_bot.incidents.tables import cases, incidents

FOLDING = 0x5245_4C45_464F_4C44
"""Key of the PostgreSQL advisory lock under which deliveries are folded: which case a page joins is decided in turn."""


class Cases:
    """The cases in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fold(self, grouping: Grouping, channel: str) -> Folded:
        """Fold deliveries that are waiting, a batch of them, into incidents and cases.

        Args:
            grouping: says what belongs together.
            channel: where new cases get their cards.

        Raises:
            LedgerError: nothing of the batch was folded.
        """
        async with self._database.writing() as connection:
            await self._database.lock(connection, FOLDING)
            return await Folding(connection, grouping, channel).fold()

    async def get(self, case_id: int) -> Case | None:
        """Give a case with its incidents; None where there is none."""
        async with self._database.reading() as connection:
            return next(iter(await read_cases(connection, cases.c.id == case_id)), None)

    async def at(self, channel: str, thread_ts: str) -> Case | None:
        """Give the case whose card begins a thread; None where it is no such thread."""
        async with self._database.reading() as connection:
            this = (cases.c.channel == channel) & (cases.c.thread_ts == thread_ts)
            return next(iter(await read_cases(connection, this)), None)

    async def of_incident(self, key: str) -> Case | None:
        """Give the case that an incident is in."""
        async with self._database.reading() as connection:
            holds = cases.c.id.in_(select(incidents.c.case_id).where(incidents.c.key == key))
            return next(iter(await read_cases(connection, holds)), None)

    async def behind(self, among: Collection[int] | None = None) -> list[tuple[int, int]]:
        """Give every case, or those among these, of which not all was done that its revision asks for, with that."""
        query = select(cases.c.id, cases.c.revision).where(cases.c.shown_revision < cases.c.revision)
        if among is not None:
            query = query.where(cases.c.id.in_(among))
        async with self._database.reading() as connection:
            return [(row.id, row.revision) for row in await connection.execute(query.order_by(cases.c.id))]

    async def newest_open(self, most: int) -> list[Case]:
        """Give the cases that are not closed, the newest first, at most so many."""
        newest = select(cases.c.id).where(cases.c.closed_at.is_(None)).order_by(cases.c.id.desc()).limit(most)
        async with self._database.reading() as connection:
            ids = (await connection.scalars(newest)).all()
            return (await read_cases(connection, cases.c.id.in_(ids)))[::-1]

    async def count_open(self) -> int:
        """How many cases are not closed."""
        query = select(func.count()).select_from(cases).where(cases.c.closed_at.is_(None))
        async with self._database.reading() as connection:
            return await connection.scalar(query) or 0

    async def touch(self, channel: str, thread_ts: str) -> tuple[int, int] | None:
        """Something changed that a card shows; gives the case and its new revision, None where it is no case."""
        this = (cases.c.channel == channel) & (cases.c.thread_ts == thread_ts)
        move = update(cases).where(this).values(revision=cases.c.revision + 1).returning(cases.c.id, cases.c.revision)
        async with self._database.writing() as connection:
            row = (await connection.execute(move)).one_or_none()
            return (row.id, row.revision) if row else None

    async def posted(self, case_id: int, channel: str, thread_ts: str) -> None:
        """Remember the card's message."""
        place = {"channel": channel, "thread_ts": thread_ts}
        async with self._database.writing() as connection:
            await connection.execute(update(cases).where(cases.c.id == case_id).values(place))

    async def redirect(self, channel: str) -> int:
        """Let cards that were never posted be posted in this channel; gives how many were meant for another one."""
        lost = cases.c.thread_ts.is_(None) & (cases.c.channel != channel)
        async with self._database.writing() as connection:
            return (await connection.execute(update(cases).where(lost).values(channel=channel))).rowcount

    async def shown(self, case_id: int, revision: int) -> None:
        """Everything that a revision asks for was done."""
        behind = (cases.c.id == case_id) & (cases.c.shown_revision < revision)
        async with self._database.writing() as connection:
            await connection.execute(update(cases).where(behind).values(shown_revision=revision))

    async def ask(self, case_id: int, number: int, symptoms: Sequence[str]) -> bool:
        """Remember the question of this number and what it told the agent of; True for the one caller that asks it."""
        this = (cases.c.id == case_id) & (cases.c.asked == number - 1)
        values = {"asked": number, "asked_at": datetime.now(UTC), "symptoms_asked": list(symptoms)}
        async with self._database.writing() as connection:
            return (await connection.execute(update(cases).where(this).values(values))).rowcount == 1

    async def told(self, case_id: int, episode: int) -> None:
        """People were told that an episode is over."""
        this = (cases.c.id == case_id) & (cases.c.told_episode < episode)
        async with self._database.writing() as connection:
            await connection.execute(update(cases).where(this).values(told_episode=episode))
