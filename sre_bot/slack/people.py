"""`workflows.people` on Slack: replies, acknowledgements and single messages that never raise."""

import asyncio
import logging
from uuid import UUID, uuid4

from sre_bot.errors import BackendError, LedgerError
from sre_bot.incidents.ledger import Ledger
from sre_bot.slack.cards.reply import Page
from sre_bot.slack.following import Spot
from sre_bot.slack.outbox import Outbox, SlackRefused
from sre_bot.slack.reading import ThreadReader
from sre_bot.slack.replies import Replies
from sre_bot.slack.sweep import Abandoned, close_abandoned
from sre_bot.workflows.people import Prompt, Reply

log = logging.getLogger(__name__)

SAY_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds before each further attempt at a single message


class SlackPeople:
    """The people in Slack's threads.

    Args:
        outbox: the way to Slack.
        reader: reads threads and files.
        ledger: remembers which messages belong to a turn.
        replies: begins the replies.
    """

    def __init__(self, outbox: Outbox, reader: ThreadReader, ledger: Ledger, replies: Replies) -> None:
        self._outbox = outbox
        self._reader = reader
        self._ledger = ledger
        self._replies = replies

    async def acknowledge(self, prompt: Prompt) -> None:
        """An eye under the message: it was read, its turn has not come yet."""
        await self._outbox.react(prompt.channel, prompt.ts, "eyes")

    async def read_context(self, prompt: Prompt, *, above: bool) -> str:
        """The prompt's attachments and files, and where `above` the thread before it."""
        return await self._reader.read_context(prompt.channel, prompt.thread_ts, prompt.ts, above=above)

    async def open_reply(self, prompt: Prompt, turn_id: UUID, attempt: int, *, search: bool = False) -> Reply:
        """A live reply under the prompt; its first message is on its way when this returns."""

        async def note(ts: str) -> None:
            try:
                await self._ledger.note_reply(turn_id, ts)
            except LedgerError as error:
                log.warning("message %s of turn %s is not recorded: %s", ts, turn_id, error)

        spot = Spot(prompt.channel, prompt.thread_ts, _key(turn_id, attempt), note, search, str(turn_id))
        return self._replies.begin(prompt, spot)

    async def close_reply(self, channel: str, thread_ts: str, turn_id: UUID, attempt: int, reason: str) -> bool:
        """End the messages that a crash left open; False where they are complete."""
        try:
            left = Abandoned(channel, thread_ts, _key(turn_id, attempt), await self._noted(channel, thread_ts, turn_id))
            return await close_abandoned(self._outbox, self._replies.streams, left, reason)
        except (BackendError, LedgerError) as error:
            log.warning("a reply in %s %s still looks as if it ran: %s", channel, thread_ts, error)
            return True

    async def _noted(self, channel: str, thread_ts: str, turn_id: UUID) -> frozenset[str]:
        """Timestamps of the messages that a turn is known to have."""
        thread = await self._ledger.find_thread(channel, thread_ts)
        turns = await self._ledger.turns_of(thread.id) if thread else []
        return frozenset(ts for turn in turns if turn.id == turn_id for ts in turn.reply_ts)

    async def say(self, channel: str, thread_ts: str, text: str) -> bool:
        """One message of Markdown in a thread, tried again for a minute while Slack fails."""
        key = f"say:{uuid4()}"
        for pause in (*SAY_PAUSES, None):
            try:
                await self._outbox.post(channel, thread_ts, Page(text), key)
                return True
            except BackendError as error:
                if pause is None or isinstance(error, SlackRefused):
                    log.error("message in %s %s was not delivered: %s", channel, thread_ts, error)
                    return False
                await asyncio.sleep(pause)
        return False


def _key(turn_id: UUID, attempt: int) -> str:
    return f"turn:{turn_id}" if attempt == 1 else f"turn:{turn_id}:{attempt}"
