"""Slack's events to workflows: who may speak to the bot, and which events are words to it. No formatting, no HTTP.

Bolt acknowledges an event before a listener runs, so what a listener does must be safe by itself: the first thing that
`Turns.submit` does is to record the prompt. Slack delivers a mention twice (as `app_mention` and as `message`) and
repeats what was not acknowledged; both are one prompt, told by channel and timestamp.
"""

import html
import logging
import re
from collections.abc import Mapping
from typing import Any, Protocol

from slack_bolt.async_app import AsyncApp

from sre_bot.workflows.people import Prompt

log = logging.getLogger(__name__)

SPOKEN_SUBTYPES = frozenset({None, "file_share", "thread_broadcast"})
"""Subtypes of message events that are a person's words; edits, deletions and joins are not."""
WORDLESS = "Please look into what this thread is about."
"""What a mention without words means."""


class Desk(Protocol):
    """Where prompts are handed in."""

    async def submit(self, prompt: Prompt) -> None:
        """Record a prompt and see that it is answered."""

    async def knows(self, channel: str, thread_ts: str) -> bool:
        """Whether the bot takes part in this thread already."""


def register(app: AsyncApp, desk: Desk, bot_user: str) -> None:
    """Bind the app's events to the desk.

    Args:
        app: the Bolt app.
        desk: takes the prompts.
        bot_user: the bot's own user id, whose mention is left out of the prompt.
    """

    @app.event("app_mention")
    async def on_mention(event: dict[str, Any], body: dict[str, Any]) -> None:
        if _spoken_by_person(event):
            await desk.submit(read_prompt(event, body, bot_user))

    @app.event("message")
    async def on_message(event: dict[str, Any], body: dict[str, Any]) -> None:
        if not _spoken_by_person(event) or f"<@{bot_user}>" in event.get("text", ""):
            return  # a mention also arrives as app_mention, and is taken there
        direct = event.get("channel_type") == "im"
        if direct or await desk.knows(event["channel"], event.get("thread_ts", "")):
            await desk.submit(read_prompt(event, body, bot_user))


def read_prompt(event: Mapping[str, Any], body: Mapping[str, Any], bot_user: str) -> Prompt:
    """A message event as a prompt."""
    words = re.sub(rf"<@{re.escape(bot_user)}(\|[^>]*)?>", "", event.get("text", ""))
    return Prompt(
        team=body.get("team_id", ""),
        channel=event["channel"],
        thread_ts=event.get("thread_ts", event["ts"]),
        ts=event["ts"],
        author=event["user"],
        text=html.unescape(words).strip() or WORDLESS,
    )


def _spoken_by_person(event: Mapping[str, Any]) -> bool:
    robot = event.get("bot_id") or event.get("bot_profile")
    return not robot and "user" in event and event.get("subtype") in SPOKEN_SUBTYPES
