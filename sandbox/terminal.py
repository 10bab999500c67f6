"""A Slack thread in a terminal: printed as it grows, and taken part in.

Slack shows a message that changes in place; a terminal that scrolls cannot. So a line is printed once, when it can no
longer grow: when another line has come below it, or when the reply is complete.
"""

import asyncio
import re
import sys
from contextlib import suppress
from typing import Any, TextIO

from sandbox.surroundings import ADA, Surroundings

WORKING = "⏳"  # the bot's last line while it works
SETTLED = re.compile(r"(Carried out|Failed|Void): #")
"""At the head of a card, when nothing more will happen to what was approved."""
PROPOSES = "I propose an action"  # in the last lines of an answer that ends in a proposal
APPROVE = "proposal_approve"
"""The button of a proposal's card, by its action id."""
DATE = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>")
TOOL = re.compile(r"- [✅⚠✋]")
VERDICT = re.compile(r"^(RECOVERED|NOT RECOVERED|INCONCLUSIVE): ", re.MULTILINE)
ANSWER_TIMEOUT = 300.0  # seconds; the real model may take minutes
CARD_TIMEOUT = 30.0  # seconds; a card may be behind the words about it by what Slack limits
LOOK_EVERY = 0.2  # seconds


class ThreadPrinter:
    """Prints messages of one thread; feed it each message whenever it changes.

    Args:
        names: user and bot ids to what people call them.
        out: where to print.
    """

    def __init__(self, names: dict[str, str], out: TextIO = sys.stdout) -> None:
        self._names = names
        self._out = out
        self._printed: dict[str, list[str]] = {}
        self._last = ""

    def show(self, message: dict[str, Any]) -> None:
        """Print what is new and final in a message."""
        ts = message["ts"]
        text = DATE.sub(r"\1", text_of(message))
        lines = [line for line in text.splitlines() if line.strip(" `") and not line.startswith((WORKING, "- 🔄"))]
        growing = WORKING in text
        final = lines[:-1] if growing and lines and not TOOL.match(lines[-1]) else lines
        final += [f"📎 {file['title']}" for file in message.get("files", [])]
        printed = self._printed.setdefault(ts, [])
        if new := [line for line in dict.fromkeys(final) if line not in printed]:
            printed += new
            if ts != self._last:
                self._last = ts
                author = self._names.get(message.get("user") or message.get("bot_id") or "", "somebody")
                self._line(f"\n  {author}")
            for line in new:
                self._line(f"    {line}")

    def _line(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def is_complete(message: dict[str, Any]) -> bool:
    """Whether a reply of the bot has its last line: the footer that counts its tool calls."""
    text = message.get("markdown") or message.get("text", "")
    return WORKING not in text and "tool call" in text.rstrip().splitlines()[-1] if text.strip() else False


def has_button(message: dict[str, Any], action_id: str) -> bool:
    """Whether a message shows a button now."""
    elements = (element for block in message["blocks"] for element in block.get("elements", []))
    return any(element.get("action_id") == action_id for element in elements)


def text_of(message: dict[str, Any]) -> str:
    """What a message says."""
    return str(message.get("markdown") or message.get("text", ""))


class Telling:
    """A thread that is printed, with somebody who takes part in it.

    Args:
        around: where it is.
        ts: the message that began it.
    """

    def __init__(self, around: Surroundings, ts: str) -> None:
        self.ts = ts
        self.proposed = False
        """Whether the answer that was followed ended in a proposal."""
        self._answers = 0
        self._approved = ""  # the card that was clicked
        self._around = around
        self._printer = ThreadPrinter(around.names())

    async def look(self) -> list[dict[str, Any]]:
        """Print what is new; gives all messages but the first."""
        messages = await self._around.thread(self.ts)
        for message in messages:
            self._printer.show(message)
        return [message for message in messages if message["ts"] != self.ts]

    async def say(self, words: str) -> None:
        """Ada writes in the thread."""
        await self._around.say(words, thread_ts=self.ts)

    async def follow(self) -> str:
        """Print until the bot has given one more answer, and with it the card where it proposes something; gives its
        words.

        Raises:
            TimeoutError: it has not, in the end.
        """
        async with asyncio.timeout(ANSWER_TIMEOUT):
            while True:
                replies = await self.look()
                answers = [text_of(reply) for reply in replies if is_complete(reply)]
                if len(answers) > self._answers:
                    self.proposed = PROPOSES in answers[-1]
                    if not self.proposed or any(has_button(reply, APPROVE) for reply in replies):
                        said = "\n".join(answers[self._answers :])
                        self._answers = len(answers)
                        return said
                await asyncio.sleep(LOOK_EVERY)

    async def card(self) -> dict[str, Any]:
        """The card that waits for a decision."""
        (card,) = [reply for reply in await self.look() if has_button(reply, APPROVE)]
        return card

    async def approve(self) -> str:
        """Ada clicks Approve on the card; gives what the bot says when it was carried out."""
        card = await self.card()
        self._approved = card["ts"]
        print(f"\n  ({ADA} clicks Approve)", flush=True)
        await self._around.click(card, APPROVE)
        return await self.follow()

    async def carried_out(self) -> bool:
        """Whether what was approved was done, as soon as its card says what became of it; else the card says why."""
        return await self._on_card(SETTLED) == "Carried out"

    async def verdict(self) -> str:
        """Print until code has compared the figures, and the bot has said what it makes of that; gives the verdict.

        Raises:
            TimeoutError: it has not, in the end.
        """
        await self.follow()
        return await self._on_card(VERDICT) or "no verdict"

    async def _on_card(self, words: re.Pattern[str]) -> str:
        """What the card that was approved says, found by the first group; empty where it does not say it in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CARD_TIMEOUT):
                while True:
                    card = next(reply for reply in await self.look() if reply["ts"] == self._approved)
                    if found := words.search(text_of(card)):
                        return found[1]
                    await asyncio.sleep(LOOK_EVERY)
        return ""
