"""`workflows.people` on Slack: replies, acknowledgements and single messages that never raise."""

import logging
from uuid import UUID, uuid4

from sre_bot.errors import BackendError, LedgerError
from sre_bot.incidents.ledger import Ledger
from sre_bot.slack.cards.reply import Page
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.writer import LiveReply
from sre_bot.workflows.people import Prompt

log = logging.getLogger(__name__)


class SlackPeople:
    """The people in Slack's threads.

    Args:
        outbox: the way to Slack.
        ledger: remembers which messages belong to a turn.
    """

    def __init__(self, outbox: Outbox, ledger: Ledger) -> None:
        self._outbox = outbox
        self._ledger = ledger

    async def acknowledge(self, prompt: Prompt) -> None:
        """An eye under the message: it was read, its turn has not come yet."""
        await self._outbox.react(prompt.channel, prompt.ts, "eyes")

    async def open_reply(self, prompt: Prompt, turn_id: UUID) -> LiveReply:
        """A live reply under the prompt; its first message is on its way when this returns."""

        async def note(ts: str) -> None:
            try:
                await self._ledger.note_reply(turn_id, ts)
            except LedgerError as error:
                log.warning("message %s of turn %s is not recorded: %s", ts, turn_id, error)

        return LiveReply(self._outbox, prompt.channel, prompt.thread_ts, f"turn:{turn_id}", note)

    async def say(self, channel: str, thread_ts: str, text: str) -> None:
        """One message of Markdown in a thread."""
        try:
            await self._outbox.post(channel, thread_ts, Page(text), key=f"say:{uuid4()}")
        except BackendError as error:
            log.error("message in %s %s was not delivered: %s", channel, thread_ts, error)
