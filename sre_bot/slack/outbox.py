"""Everything that leaves for Slack: paced, defused, and posted once even when the answer to a post is lost.

Slack applies a call and may still fail to answer it. An update can be repeated; a post cannot, so each carries a key
in its metadata, and after an ambiguous failure the thread is searched for that key first. Slack's own retry handler is
used for rate limits only (its default repeats posts after a reset connection, which doubles them).
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiolimiter import AsyncLimiter
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from sre_bot.slack.mrkdwn import defuse

log = logging.getLogger(__name__)

POST_EVENT = "sre_bot_post"
LOST = (aiohttp.ClientError, TimeoutError, ConnectionError)
"""Failures after which nobody knows whether Slack applied the call."""


class Outbox:
    """Posts and updates messages of Markdown.

    Pace, from Slack's rate-limit documentation: chat.update is Tier 3 (50 a minute and workspace), chat.postMessage one
    a second and channel. A bucket of 10 that refills 40 a minute never exceeds 50 in any minute.

    Args:
        client: the Web API; its retry handlers must not repeat a call whose answer was lost.
    """

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._updates = AsyncLimiter(10, 15.0)
        self._posts: defaultdict[str, AsyncLimiter] = defaultdict(lambda: AsyncLimiter(1, 1.0))
        self._uncertain: set[str] = set()

    async def post(self, channel: str, thread_ts: str, markdown: str, key: str) -> str:
        """Post a message in a thread and give its timestamp.

        Args:
            channel: id of the channel.
            thread_ts: timestamp of the thread's first message.
            markdown: the text; defused here.
            key: the same for every attempt at this message; an earlier attempt that arrived is found by it.

        Raises:
            SlackApiError: Slack refused it.
            aiohttp.ClientError, TimeoutError: no answer; try again with the same key.
        """
        if key in self._uncertain:
            found = await self._find(channel, thread_ts, key)
            self._uncertain.discard(key)
            if found:
                return found
        text = defuse(markdown)
        async with self._posts[channel]:
            try:
                answer = await self._client.chat_postMessage(
                    channel=channel,
                    thread_ts=thread_ts,
                    markdown_text=text,
                    metadata={"event_type": POST_EVENT, "event_payload": {"key": key}},
                    unfurl_links=False,
                    unfurl_media=False,
                )
            except LOST:
                self._uncertain.add(key)
                raise
        return str(answer["ts"])

    async def update(self, channel: str, ts: str, markdown: str) -> None:
        """Replace the text of a message of ours; may be repeated. Raises as `post` does."""
        async with self._updates:
            await self._client.chat_update(channel=channel, ts=ts, markdown_text=defuse(markdown))

    async def react(self, channel: str, ts: str, name: str) -> None:
        """Put an emoji under a message; a courtesy, so that a refusal is only logged."""
        try:
            await self._client.reactions_add(channel=channel, timestamp=ts, name=name)
        except (SlackApiError, *LOST) as error:
            log.info("no reaction on %s %s: %s", channel, ts, error)

    async def _find(self, channel: str, thread_ts: str, key: str) -> str | None:
        cursor = ""
        while True:
            page: Mapping[str, Any] = (
                await self._client.conversations_replies(
                    channel=channel, ts=thread_ts, include_all_metadata=True, limit=200, cursor=cursor
                )
            ).data  # type: ignore[assignment]  # JSON, never bytes, for this method
            for message in page["messages"]:
                if message.get("metadata", {}).get("event_payload", {}).get("key") == key:
                    return str(message["ts"])
            cursor = page.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                return None


def refusal(error: SlackApiError) -> str:
    """Slack's error code, such as `msg_too_long`."""
    return str(error.response.get("error", "unknown_error"))
