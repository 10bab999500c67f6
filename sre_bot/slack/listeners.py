"""Slack's events to workflows: who may speak to the bot, and which events are words to it. No formatting, no HTTP.

Bolt acknowledges an event before a listener runs, so what a listener does must be safe by itself: the first thing that
`Turns.submit` does is to record the prompt. Slack delivers a mention twice (as `app_mention` and as `message`) and
repeats what was not acknowledged; both are one prompt, told by channel and timestamp.
"""

import asyncio
import html
import logging
import re
from collections.abc import Mapping
from typing import Any, Protocol
from weakref import WeakValueDictionary

from slack_bolt.async_app import AsyncApp

from sre_bot.errors import SreBotError
from sre_bot.slack.mrkdwn import to_mrkdwn
from sre_bot.workflows.people import Decisions, Prompt

log = logging.getLogger(__name__)

SPOKEN_SUBTYPES = frozenset({None, "file_share", "thread_broadcast"})
"""Subtypes of message events that are a person's words; edits, deletions and joins are not."""
AMENDMENTS = frozenset({"message_changed", "message_deleted"})
STOP_WORDS = frozenset({"stop", "cancel", "abort", "halt"})
"""Words that, alone in a message, end the run in the thread."""
DECISION = re.compile(r"\s*`?(?P<word>approve|reject)\s+#?(?P<number>[1-9][0-9]{0,8})\b`?(?P<reason>.*)", re.I | re.S)
"""What decides on a proposal when it is typed, also as the card prints it, as code."""
ANEW = "A decision is a message of its own: typed anew, not edited, with nothing attached. I did not take this one."
CATCH_UP = re.compile(r"\s*`?(?:please\s+)?catch(?:\s+me)?\s+up(?:,?\s+please)?`?[\s.!?]*", re.I)
"""The whole of a message that asks for a briefing; more words are a question to the model."""
WORDS_LIMIT = 20_000
"""Characters of one message that become a prompt; more is a log, and belongs in a file."""
WORDLESS = "Please look into what this thread is about."
"""What a mention without words means."""


class Desk(Protocol):
    """Where prompts are handed in."""

    async def submit(self, prompt: Prompt) -> None:
        """Record a prompt and see that it is answered."""

    async def knows(self, channel: str, thread_ts: str) -> bool:
        """Whether the bot takes part in this thread already."""

    async def stop(self, channel: str, thread_ts: str) -> bool:
        """End the run in flight in a thread; False where none is."""

    async def amend(self, channel: str, thread_ts: str, ts: str, text: str | None) -> None:
        """A prompt was edited, or deleted where `text` is None."""


class Door(Protocol):
    """Knows who may speak."""

    async def refuse(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> str:
        """Why a person's message is not taken; empty where it is."""

    async def tell(self, event: Mapping[str, Any], why: str) -> None:
        """Say it to the person alone."""


class Briefer(Protocol):
    """Tells what happened so far."""

    async def answer(self, event: Mapping[str, Any]) -> None:
        """Brief the person who wrote a message, so that they alone see it; never raises."""


def register(
    app: AsyncApp,
    desk: Desk,
    door: Door,
    bot_user: str,
    decisions: Decisions | None = None,
    briefer: Briefer | None = None,
) -> None:
    """Bind the app's events to the desk.

    Args:
        app: the Bolt app.
        desk: takes the prompts.
        door: keeps out who may not speak.
        bot_user: the bot's own user id, whose mention is left out of the prompt.
        decisions: takes decisions that are typed, before any model reads them.
        briefer: tells who asks to catch up, before any model reads that.
    """
    mention = f"<@{bot_user}>"
    in_order = _InOrder()

    async def take(event: dict[str, Any], body: dict[str, Any]) -> None:
        prompt = read_prompt(event, body, bot_user)
        if briefer and CATCH_UP.fullmatch(prompt.text):
            why = await door.refuse(event, body)
            await (door.tell(event, why) if why else briefer.answer(event))
        else:
            await _take(desk, door, decisions, event, prompt, body, bot_user)

    @app.event("app_mention")
    async def on_mention(event: dict[str, Any], body: dict[str, Any]) -> None:
        if _spoken_by_person(event):
            async with in_order.of(event):
                await take(event, body)

    @app.event("message")
    async def on_message(event: dict[str, Any], body: dict[str, Any]) -> None:
        async with in_order.of(event.get("previous_message", event) | {"channel": event["channel"]}):
            if event.get("subtype") in AMENDMENTS:
                await amend(desk, event, bot_user)
            elif _spoken_by_person(event) and await _is_ours(desk, event, mention):
                await take(event, body)


class _InOrder:
    """One event of a thread after the other: what follows a mention at once must find that it is known."""

    def __init__(self) -> None:
        self._threads: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, event: Mapping[str, Any]) -> asyncio.Lock:
        """The turn of a message in its thread."""
        place = (event["channel"], event.get("thread_ts") or event.get("ts", ""))
        return self._threads.setdefault(place, asyncio.Lock())


async def _take(
    desk: Desk,
    door: Door,
    decisions: Decisions | None,
    event: Mapping[str, Any],
    prompt: Prompt,
    body: Mapping[str, Any],
    bot_user: str,
) -> None:
    """Words to the bot: an order to stop, a decision, or a prompt."""
    if why := await door.refuse(event, body):
        await door.tell(event, why)
    elif decisions and (typed := read_decision(event.get("text", ""), bot_user)):
        changed = any(event.get(name) for name in ("edited", "attachments", "files"))
        await door.tell(event, ANEW if changed else to_mrkdwn(await _decide(decisions, prompt, typed)))
    elif prompt.text.lower().strip(" .!") not in STOP_WORDS or not await desk.stop(prompt.channel, prompt.thread_ts):
        await desk.submit(prompt)


async def _decide(decisions: Decisions, prompt: Prompt, typed: re.Match[str]) -> str:
    """A decision in words: nothing but the word, the number and, for a rejection, the reason."""
    approve = typed["word"].lower() == "approve"
    if approve and (typed["reason"].strip() or typed[0].count("`") == 1):
        return f"To approve, type `approve {typed['number']}` and nothing else."
    try:
        return await decisions.decide(
            int(typed["number"]),
            prompt.author,
            approve=approve,
            reason=html.unescape(typed["reason"]).strip()[:1_000],
            thread=f"{prompt.channel}/{prompt.thread_ts}",
        )
    except SreBotError as error:
        return str(error)


async def _is_ours(desk: Desk, event: Mapping[str, Any], mention: str) -> bool:
    """Whether a message that is not an app_mention is for us: in a channel, one with a mention arrives as that too."""
    if event.get("channel_type") == "im":
        return True
    return mention not in event.get("text", "") and await desk.knows(event["channel"], event.get("thread_ts", ""))


async def amend(desk: Desk, event: Mapping[str, Any], bot_user: str) -> None:
    """Somebody edited or deleted their message; the bot's own edits come back as events too and are passed over."""
    before: Mapping[str, Any] = event.get("previous_message", {})
    if not _spoken_by_person(before):
        return
    text = None
    # The first message of a thread, deleted while it has replies, is "changed" into a tombstone.
    if event["subtype"] == "message_changed" and event["message"].get("subtype") != "tombstone":
        text = _words(event["message"].get("text", ""), bot_user)
        if text == _words(before.get("text", ""), bot_user):
            return  # an unfurled link, a reply count: not an edit of the words
    await desk.amend(event["channel"], before.get("thread_ts", before["ts"]), before["ts"], text)


def read_prompt(event: Mapping[str, Any], body: Mapping[str, Any], bot_user: str) -> Prompt:
    """A message event as a prompt."""
    return Prompt(
        team=body.get("team_id", ""),
        channel=event["channel"],
        thread_ts=event.get("thread_ts", event["ts"]),
        ts=event["ts"],
        author=event["user"],
        text=_words(event.get("text", ""), bot_user) or WORDLESS,
    )


def read_decision(text: str, bot_user: str) -> re.Match[str] | None:
    """The decision that a message is, as it was typed: nothing is decoded or left out but a mention that begins it."""
    return DECISION.fullmatch(re.sub(rf"\A\s*<@{re.escape(bot_user)}(\|[^>]*)?>", "", text))


def _words(text: str, bot_user: str) -> str:
    """What was said, without the bot's own mention and Slack's escapes; bounded."""
    words = html.unescape(re.sub(rf"<@{re.escape(bot_user)}(\|[^>]*)?>", "", text)).strip()
    return words if len(words) <= WORDS_LIMIT else f"{words[:WORDS_LIMIT]}\n[cut: {len(words):,} characters were sent]"


def _spoken_by_person(event: Mapping[str, Any]) -> bool:
    robot = event.get("bot_id") or event.get("bot_profile")
    return not robot and "user" in event and event.get("subtype") in SPOKEN_SUBTYPES
