"""`catch up`, typed in a thread: a briefing that only who typed it sees, so that nobody else's thread grows by it."""

import logging
from collections.abc import Mapping
from typing import Any, Protocol

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import SreBotError
from sre_bot.slack.cards.briefing import TITLE, render
from sre_bot.slack.mrkdwn import to_mrkdwn
from sre_bot.workflows.briefing import Briefing

log = logging.getLogger(__name__)


class Briefings(Protocol):
    """Writes briefings; see `workflows.briefing.Briefings`."""

    async def of(self, channel: str, thread_ts: str) -> Briefing:
        """The briefing of a thread; raises SreBotError with a sentence where there is none."""


class CatchingUp:
    """Answers it.

    Args:
        client: the Web API.
        briefings: writes them.
    """

    def __init__(self, client: AsyncWebClient, briefings: Briefings) -> None:
        self._client = client
        self._briefings = briefings

    async def answer(self, event: Mapping[str, Any]) -> None:
        """Brief the person who wrote a message; never raises.

        Slack shows such a message in a thread only where the thread has replies, and the one that asks is a reply.
        """
        try:
            briefing = await self._briefings.of(event["channel"], event.get("thread_ts", event["ts"]))
        except SreBotError as error:
            await self._tell(event, text=to_mrkdwn(str(error)))
            return
        await self._tell(event, text=TITLE, blocks=render(briefing))

    async def _tell(self, event: Mapping[str, Any], **content: Any) -> None:  # noqa: ANN401  (JSON)
        thread = {"thread_ts": event["thread_ts"]} if "thread_ts" in event else {}
        try:
            await self._client.chat_postEphemeral(channel=event["channel"], user=event["user"], **thread, **content)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("user %s was not briefed: %s", event["user"], error)
