"""What people think of an answer, told by a click below it: kept in the ledger, and counted for those who watch."""

import logging
from collections import Counter
from uuid import UUID

from sre_bot.errors import BadRequest
from sre_bot.incidents.feedback import Feedback
from sre_bot.incidents.model import Rating

log = logging.getLogger(__name__)

THANKS = {
    Rating.GOOD: "Thank you: I noted that this answer helped.",
    Rating.BAD: "Thank you: I noted that this answer did not help. Write here what was wrong, and I look again.",
}


class Ratings:
    """Takes ratings.

    Attributes:
        given: how many were given in this process; somebody who changes their mind is counted again, one who repeats
            themselves is not.
    """

    def __init__(self, feedback: Feedback) -> None:
        self._feedback = feedback
        self.given: Counter[Rating] = Counter(dict.fromkeys(Rating, 0))

    async def rate(self, turn: str, person: str, *, good: bool, channel: str, thread_ts: str) -> str:
        """Keep what a person thinks of a turn's answer, in place of what they thought before; gives one sentence.

        Args:
            turn: the turn's id, as the button carries it.
            person: Slack's id.
            good: whether the answer helped.
            channel: id of the channel in which they clicked.
            thread_ts: timestamp of the first message of the thread.

        Raises:
            BadRequest: no such answer was given there.
            LedgerError: it is not kept.
        """
        rating = Rating.GOOD if good else Rating.BAD
        try:
            turn_id = UUID(turn)
        except ValueError as error:
            raise BadRequest("This button belongs to no answer of mine.") from error
        before = await self._feedback.rate(turn_id, person, rating, channel=channel, thread_ts=thread_ts)
        if before is not rating:
            self.given[rating] += 1
        log.info("turn %s was rated %s", turn_id, rating)
        return THANKS[rating]
