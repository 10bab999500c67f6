"""What the Slack stand-in recorded of a thread: when each state of the bot's reply became visible.

Times are the stand-in's own: from a person's message being accepted to the end of the call that showed something.
Nothing is polled for them, so the measuring does not blur what it measures.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.stack import Stack
from sandbox.terminal import WORKING, is_complete

WRITES = ("chat.postMessage", "chat.update")
OWN_LINES = (WORKING, "ℹ️", "- ", "⚠️", "🛑")  # noqa: RUF001  (signs that the bot uses)
"""How lines begin that the bot writes itself: notices, tool calls, a bad end."""
FOOTER = re.compile(r"_\d+ tool calls? · ")
LOOK_EVERY = 0.5  # seconds; only to learn that a reply has ended, no figure depends on it


@dataclass(frozen=True, slots=True)
class Shown:
    """A state of the reply: seconds after the person's message, and its Markdown."""

    after: float
    markdown: str

    @property
    def has_words(self) -> bool:
        """Whether the model has said something: a line that is none of the bot's own."""
        lines = [line for line in self.markdown.splitlines() if line.strip() and not FOOTER.match(line)]
        return any(not line.startswith(OWN_LINES) for line in lines)


async def await_answer(stack: Stack, ts: str, patience: float) -> None:
    """Wait until the reply in a thread is complete.

    Raises:
        TimeoutError: it is not, after `patience` seconds.
    """
    async with asyncio.timeout(patience):
        while True:
            replies = [message for message in await stack.thread(ts) if message["bot"]]
            if replies and is_complete(replies[-1]):
                return
            await asyncio.sleep(LOOK_EVERY)


async def read_calls(stack: Stack) -> list[dict[str, Any]]:
    """Every call that the bot made of Slack's Web API."""
    return list((await stack.look(stack.slack, "calls"))["calls"])


async def read_thread(stack: Stack, ts: str, calls: Iterable[Mapping[str, Any]]) -> list[Shown]:
    """All states of the bot's reply in a thread, oldest first."""
    own = {message["ts"] for message in await stack.thread(ts) if message["bot"]}
    written = (
        call for call in calls if call["method"] in WRITES and call.get("ok") and _belongs(call["args"], ts, own)
    )
    return [
        Shown(call["time"] + call["duration_ms"] / 1000 - float(ts), call["args"]["blocks"][0]["text"])
        for call in written
    ]


async def when_asked(stack: Stack, ts: str, marker: str) -> float | None:
    """Seconds from a mention until the model was first asked with `marker` in the prompt; None when never."""
    assert stack.model  # there is no real one here
    requests = (await stack.look(stack.model, "requests"))["requests"]
    return next((request["time"] - float(ts) for request in requests if marker in request["last_user_text"]), None)


def first(states: Iterable[Shown], words: str = "") -> float | None:
    """When the model's first words were visible, or the first that contain `words`; None when never."""
    return next((s.after for s in states if (words in s.markdown if words else s.has_words)), None)


def _belongs(args: Mapping[str, Any], thread_ts: str, own: set[str]) -> bool:
    return args.get("thread_ts") == thread_ts or args.get("ts") in own
