"""Replies under faults in every order: seeded, so that a failure can be run again."""

import asyncio
import random
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.agent.events import Event, Outcome, RunEnded, Steered, TextBreak, TextDelta, ToolFinished, ToolStarted
from sre_bot.slack.files import Files
from sre_bot.slack.following import Spot
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.writer import LiveReply

SEEDS = 40
ORDERS = 4  # of faults in a run; more only make the writer pause longer
SPEED = 60.0  # of the outbox: a minute's pace takes a second
METHODS = ("chat.postMessage", "chat.update", "conversations.replies")
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "ratelimited"},
    {"kind": "http_500"},
    {"kind": "error_after"},
    {"kind": "too_long", "limit": 5_000},
)


class Story:
    """What happens in a run, and what a thread should read like after it."""

    def __init__(self, seed: int) -> None:
        self.events: list[Event] = []
        self.text = ""
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
        self.text += "_4 tool calls · 9 s_"

    def _tell(self, text: str) -> None:
        self.text += text
        half = self._chance.randint(0, len(text))
        self.events += [TextBreak(), TextDelta(text[:half]), TextDelta(text[half:])]

    def _call(self, summary: str) -> None:
        self.text += f"- ✅ {summary} · 0.4 s"
        self.events += [ToolStarted(summary, "get_logs", summary), ToolFinished(summary, True, 0.4)]


async def test_whatever_fails_in_whatever_order_the_thread_ends_with_every_word_once(slack):
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/", retry_handlers=[])
    await slack.order("clock", rate=10 * SPEED)  # its limits are not met: only what a seed orders goes wrong
    for seed in range(SEEDS):
        await _tell_under_faults(slack, client, seed)


async def _tell_under_faults(slack: Any, client: AsyncWebClient, seed: int) -> None:
    chance, story = random.Random(-seed), Story(seed)
    prompt, spoken = await slack.say(f"question {seed}"), ""
    posted: list[str] = []

    async def note(ts: str) -> None:
        posted.append(ts)

    outbox = Outbox(client, SPEED)
    reply = LiveReply(outbox, Files(client, outbox), Spot(slack.channel, prompt, f"turn:{seed}", note), tick=0.001)
    faulty = chance.sample(range(len(story.events)), ORDERS)
    for step, event in enumerate(story.events):
        if step in faulty:
            fault = chance.choice(FAULTS)
            await slack.order("faults", method=chance.choice(METHODS), count=chance.randint(1, 2), **fault)
        if isinstance(event, Steered):
            spoken = await slack.say("and auth-svc?", thread_ts=prompt)
        reply.show(event)
        await asyncio.sleep(chance.choice((0.0, 0.01)))
    await reply.settle()
    await slack.order("faults", clear=True)

    messages = await slack.replies(prompt)
    shown = "".join(message["markdown"] for message in messages)
    assert _words(shown) == _words(story.text), f"seed {seed}"
    assert [message["ts"] for message in messages] == posted, f"seed {seed}"
    (answer,) = [message for message in messages if story.below in message["markdown"]]
    assert answer["ts"] > spoken, f"seed {seed}"


def _words(text: str) -> str:
    """The text without white space, which is all that pages may change."""
    return "".join(text.split())
