"""Replies told under random faults, and whether every word arrived once: for `make bench` and for the tests.

A story is a run by its seed: text in pieces, tool calls, somebody who speaks in between. Several are told at the same
time to one Slack, so that a fault that one story orders may hit another.
"""

import asyncio
import random
import re
from dataclasses import dataclass
from typing import Any, Protocol

from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.agent.events import Event, Outcome, RunEnded, Steered, TextBreak, TextDelta, ToolFinished, ToolStarted
from sre_bot.slack.files import Files
from sre_bot.slack.following import Following, Spot
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.streamed import StreamedReply
from sre_bot.slack.streams import Recipient, Streams
from sre_bot.slack.writer import LiveReply

DM, ADA = "D0ADA00001", "U0ADA00001"
PACE = 60.0  # of the writer: a minute takes a second
LIFETIME = 3_000.0  # seconds of the stand-in's clock, which the stories let run ten times as fast as the writer's
ORDERS = 4  # of faults in a run; more only make the writer pause longer
READING = "conversations.replies"
METHODS = {
    "edit": ("chat.postMessage", "chat.update", READING),
    "native": ("chat.startStream", "chat.appendStream", "chat.stopStream", READING),
}
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "ratelimited"},
    {"kind": "http_500"},
    {"kind": "error_after"},
    {"kind": "too_long", "limit": 5_000},
    {"kind": "bad_blocks"},
)
STREAM_FAULTS: tuple[dict[str, Any], ...] = (
    {"lifetime": 0.0},
    {"most_bytes": 4_000, "lifetime": LIFETIME},
    {"read_back": "first", "lifetime": LIFETIME},
)


class Control(Protocol):
    """The stand-in's control API."""

    async def look(self, path: str, **query: str) -> dict[str, Any]:
        """Read something."""

    async def order(self, path: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
        """Have something done."""


@dataclass(frozen=True)
class Room:
    """Who tells stories: one bot, as far as Slack is concerned."""

    control: Control
    channel: str
    outbox: Outbox
    files: Files
    streams: Streams

    @classmethod
    def open(cls, control: Control, url: str, world: dict[str, Any], mode: str, speed: float) -> "Room":
        """A bot on a stand-in.

        Args:
            control: its control API.
            url: its address.
            world: what it says of itself.
            mode: `edit` in a channel, or `native` in a direct message.
            speed: of the bot's clock.
        """
        client = AsyncWebClient(token=world["tokens"]["bot"], base_url=f"{url}/api/", retry_handlers=[])
        outbox = Outbox(client, speed)
        channel = DM if mode == "native" else world["channels"]["incidents"]
        streams = Streams(client, outbox, world["bot"]["user"], speed)
        return cls(control, channel, outbox, Files(client, outbox), streams)

    async def ask(self, text: str, **more: str) -> str:
        """Somebody writes; gives the timestamp."""
        order = {"channel": self.channel, "user": "Ada", "text": text, **more}
        return str((await self.control.order("messages", **order))["ts"])

    def reply(self, mode: str, prompt: str, key: str, tick: float = 0.001) -> Following:
        """A reply below a message."""

        async def note(_: str) -> None:
            pass

        async def stop(_channel: str, _thread_ts: str) -> None:
            pass

        spot = Spot(self.channel, prompt, key, note)
        if mode == "edit":
            return LiveReply(self.outbox, self.files, spot, tick)
        team = "T0SANDBOX1"
        return StreamedReply(self.outbox, self.files, self.streams, spot, Recipient(ADA, team), stop, prompt)

    async def read(self, prompt: str) -> list[dict[str, Any]]:
        """The bot's messages in a thread."""
        thread = await self.control.look("thread", channel=self.channel, ts=prompt)
        return [message for message in thread["messages"] if message["bot"]]


class Story:
    """What happens in a run, and what a thread should read like after it."""

    def __init__(self, seed: int) -> None:
        self.events: list[Event] = []
        self.words = ""  # without the tool calls
        self.calls: list[str] = []
        self.below = ""  # what was said after somebody spoke
        self._chance = random.Random(seed)
        for part in range(8):
            if part == 4:
                self.events.append(Steered())
                self.below = f"Part {part}."
            self._tell(f"Part {part}. " + f"word{part} " * self._chance.randint(50, 700))
            if self._chance.random() < 0.7:
                self._call(f"Reading log {part}")
        self.events.append(RunEnded(Outcome.ANSWERED, "", "", None, 9.0, 4))
        self.words += "_4 tool calls · 9 s_"

    def _tell(self, text: str) -> None:
        self.words += text
        half = self._chance.randint(0, len(text))
        self.events += [TextBreak(), TextDelta(text[:half]), TextDelta(text[half:])]

    def _call(self, summary: str) -> None:
        self.calls.append(f"{summary} · 0.4 s")
        self.events += [ToolStarted(summary, "get_logs", summary), ToolFinished(summary, ok=True, seconds=0.4)]


async def tell(room: Room, mode: str, seed: int) -> str:
    """Tell one story under faults; what is wrong with the thread then, or nothing."""
    chance, story = random.Random(-seed), Story(seed)
    prompt, spoken = await room.ask(f"question {seed}"), ""
    reply = room.reply(mode, prompt, f"turn:{mode}:{seed}")
    faulty = chance.sample(range(len(story.events)), ORDERS)
    for step, event in enumerate(story.events):
        if step in faulty:
            await _break(room, mode, chance)
        if isinstance(event, Steered):
            spoken = await room.ask("and auth-svc?", thread_ts=prompt)
        reply.show(event)
        await asyncio.sleep(chance.choice((0.0, 0.01)))
    await reply.settle()
    return judge(story, await room.read(prompt), spoken)


async def _break(room: Room, mode: str, chance: random.Random) -> None:
    """Let something go wrong soon."""
    if mode == "native" and chance.random() < 0.3:
        await room.control.order("streams", **chance.choice(STREAM_FAULTS))
        await asyncio.sleep(0.03)
        await room.control.order("streams", lifetime=LIFETIME)
        return
    fault = chance.choice(FAULTS)
    await room.control.order("faults", method=chance.choice(METHODS[mode]), count=chance.randint(1, 2), **fault)


def judge(story: Story, messages: list[dict[str, Any]], spoken: str) -> str:
    """What is wrong with a thread, in words; empty where every word is there once and in its place."""
    shown = [_said(message) for message in messages]
    lines = "".join(shown).replace("• ", "- ")  # where blocks were refused, lists are text
    lines = re.sub(r"- ↪️ Reading log \d", "", lines)  # shown again below
    cards = str([message["blocks"] for message in messages])
    for call in story.calls:
        item = f"- ✅ {call}"
        if lines.count(item) + cards.count(f"'title': '{call}'") != 1:
            return f"the call {call!r} is not there once"
        lines = lines.replace(item, "")
    if squeeze(lines) != squeeze(story.words):
        return f"the text differs: {len(squeeze(lines))} characters for {len(squeeze(story.words))}"
    if any(message["stream"] == "open" for message in messages):
        return "a stream is open"
    (answer,) = [message for message, text in zip(messages, shown, strict=True) if story.below in text]
    return "" if float(answer["ts"]) > float(spoken) else "the answer stands above the question"


def _said(message: dict[str, Any]) -> str:
    return str(message["markdown"] if message["markdown"] is not None else message["text"])


def squeeze(text: str) -> str:
    """The text without white space, which is all that pages may change."""
    return "".join(text.split())
