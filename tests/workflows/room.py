"""People who remember what they were shown; they stand where Slack does."""

import asyncio
from uuid import UUID

from sre_bot.agent.events import Event, RunEnded, TextDelta
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import TurnState
from sre_bot.workflows.people import Prompt


class Room:
    """The people in every thread."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Event]] = {}
        self.said: list[str] = []
        self.acknowledged: list[str] = []
        self.closed: list[tuple[UUID, int, str]] = []
        self.context = ""
        self.delivers = True
        self.complete = False
        self.told: list[tuple[str, str]] = []
        self.changed = asyncio.Condition()

    async def acknowledge(self, prompt: Prompt) -> None:
        self.acknowledged.append(prompt.ts)

    async def read_context(self, prompt: Prompt, *, above: bool) -> str:
        return self.context if above else ""

    async def close_reply(self, channel: str, thread_ts: str, turn_id: UUID, attempt: int, reason: str) -> bool:
        self.closed.append((turn_id, attempt, reason))
        return not self.complete

    async def open_reply(self, prompt: Prompt, turn_id: UUID, attempt: int, *, search: bool = False) -> "Shown":
        self.replies.setdefault(prompt.ts, [])
        return Shown(self, prompt.ts)

    async def say(self, channel: str, thread_ts: str, text: str) -> bool:
        self.said.append(text)
        return self.delivers

    async def spoken(self, ts: str) -> None:
        """Wait until a reply shows anything."""
        async with asyncio.timeout(60):
            while not self.replies.get(ts):
                await asyncio.sleep(0.03)

    async def ends(self, count: int) -> list[RunEnded]:
        """Wait until so many replies have ended."""
        async with asyncio.timeout(100), self.changed:
            await self.changed.wait_for(lambda: len(self._ended()) >= count)
        return self._ended()

    def text(self, ts: str) -> str:
        return "".join(event.text for event in self.replies.get(ts, []) if isinstance(event, TextDelta))

    def _ended(self) -> list[RunEnded]:
        return [event for events in self.replies.values() for event in events if isinstance(event, RunEnded)]


class Shown:
    def __init__(self, room: Room, ts: str) -> None:
        self._room = room
        self._events = room.replies[ts]

    def show(self, event: Event) -> None:
        self._events.append(event)

    async def settle(self) -> None:
        async with self._room.changed:
            self._room.changed.notify_all()


def prompt(text: str, ts: str = "2.0", thread_ts: str = "1.0") -> Prompt:
    """What somebody wrote."""
    return Prompt(team="T1", channel="C1", thread_ts=thread_ts, ts=ts, author="U1", text=text)


async def turn_states(ledger: Ledger) -> list[TurnState]:
    """Of the thread of `prompt`, in the order asked."""
    thread = await ledger.find_thread("C1", "1.0")
    assert thread
    return [turn.state for turn in await ledger.turns_of(thread.id)]
