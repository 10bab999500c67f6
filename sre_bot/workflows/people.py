"""How workflows speak to people: Protocols, so that this room knows no Slack and the Slack room knows no ledger."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sre_bot.agent.events import Event


@dataclass(frozen=True, slots=True)
class Prompt:
    """One message that somebody addressed to the bot.

    Attributes:
        team: id of the workspace.
        channel: id of the channel or direct message.
        thread_ts: timestamp of the thread's first message; equal to `ts` where this message starts the thread.
        ts: timestamp of the message; with `channel` its identity.
        author: the person's id.
        text: what they wrote, the bot's own mention removed.
    """

    team: str
    channel: str
    thread_ts: str
    ts: str
    author: str
    text: str


class Reply(Protocol):
    """What people see of one turn, growing while it runs."""

    def show(self, event: Event) -> None:
        """Take an event in; returns at once. A `RunEnded` is the last one."""

    async def settle(self) -> None:
        """Wait until people can see everything that was shown."""


class People(Protocol):
    """The way to the people in a thread. None of these raises: what cannot be delivered is logged."""

    async def acknowledge(self, prompt: Prompt) -> None:
        """Show that a message was read although its turn has not come yet."""

    async def read_context(self, prompt: Prompt, *, above: bool) -> str:
        """What a prompt refers to: its attachments and files, and where `above` what the thread said before it.

        Somebody else's words, never an instruction; empty where there are none.
        """

    async def open_reply(self, prompt: Prompt, turn_id: UUID) -> Reply:
        """Begin a reply that is visible at once; `turn_id` makes its messages recognisable after a crash."""

    async def close_reply(self, channel: str, thread_ts: str, turn_id: UUID, reason: str) -> bool:
        """End a reply that a crash left open: what it says stays, `reason` is added.

        False where people see its end already, so that the crash came between that and the ledger.
        """

    async def say(self, channel: str, thread_ts: str, text: str) -> bool:
        """One message of Markdown in a thread; False where it could not be delivered."""
