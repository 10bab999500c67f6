"""What people thought of answers: one rating for each person and turn, the last one that they gave."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select

from sre_bot.errors import BadRequest
from sre_bot.incidents.database import Database
from sre_bot.incidents.model import Rating
from sre_bot.incidents.tables import feedback, threads, turns


class Feedback:
    """The ratings in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rate(self, turn_id: UUID, person: str, rating: Rating, *, channel: str, thread_ts: str) -> Rating | None:
        """Keep what a person thinks of an answer, in place of what they thought before; gives that.

        Args:
            turn_id: whose answer it is.
            person: Slack's id.
            rating: what they think now.
            channel: where they said so; with `thread_ts` it must be the turn's own thread.
            thread_ts: timestamp of that thread's first message.

        Raises:
            BadRequest: no such turn was asked there, or it is older than what is kept.
        """
        asked = select(turns.c.id).join_from(turns, threads).where(turns.c.id == turn_id)
        there = asked.where(threads.c.channel == channel, threads.c.thread_ts == thread_ts)
        mine = select(feedback.c.rating).where(feedback.c.turn_id == turn_id, feedback.c.person == person)
        row = {"turn_id": turn_id, "person": person, "rating": rating, "given_at": datetime.now(UTC)}
        async with self._database.writing() as connection:
            if await connection.scalar(there) is None:
                raise BadRequest("I do not know this answer any more: its record is older than I keep.")
            before: Rating | None = await connection.scalar(mine)
            await connection.execute(self._database.insert_or_replace(feedback, "turn_id", "person"), row)
            return before
