"""Everything that leaves for Slack: paced, defused, and posted once even when the answer to a post is lost.

Slack applies a call and may still fail to answer it. An update can be repeated; a post cannot, so each carries a key
in its metadata, and after an ambiguous failure the thread is searched for that key first. Slack's own retry handler is
used for rate limits only (its default repeats posts after a reset connection, which doubles them).
"""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
from aiolimiter import AsyncLimiter
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from sre_bot.errors import BackendError, RateLimited, Refused, Unreachable
from sre_bot.slack.cards import reply
from sre_bot.slack.defusal import defuse
from sre_bot.slack.mrkdwn import plain

log = logging.getLogger(__name__)

POST_EVENT = "sre_bot_post"
UNCERTAIN = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
"""Slack's codes for trouble of its own; of the first two it says that a part of the call may have been applied."""

NOTIFICATION_LIMIT = 150  # characters: about what a phone shows of a notification


class SlackRefused(Refused):
    """Slack answered with an error code, such as `msg_too_long`; nothing was applied."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Slack refused the call ({code}).", status=200)
        self.code = code


class Outbox:
    """Posts and updates messages of Markdown.

    Pace, from Slack's rate-limit documentation: chat.update is Tier 3 (50 a minute and workspace), chat.postMessage one
    a second and channel, with short bursts. A bucket of 10 that refills 40 a minute never exceeds 50 in any minute.
    What only shows progress takes at most half of it, so that the last words of a reply do not wait behind it.

    Args:
        client: the Web API; its retry handlers must not repeat a call whose answer was lost.
        speed: above 1 only where "Slack" is a stand-in whose clock runs as much faster.
    """

    def __init__(self, client: AsyncWebClient, speed: float = 1.0) -> None:
        self._client = client
        self._updates = AsyncLimiter(10, 15.0 / speed)
        self._progress = AsyncLimiter(5, 15.0 / speed)
        self._posts: defaultdict[str, AsyncLimiter] = defaultdict(lambda: AsyncLimiter(2, 2.0 / speed))
        self._uncertain: set[str] = set()

    async def post(self, channel: str, thread_ts: str, page: reply.Page, key: str) -> str:
        """Post a message in a thread and give its timestamp.

        Args:
            channel: id of the channel.
            thread_ts: timestamp of the thread's first message.
            page: what it says; defused here.
            key: the same for every attempt at this message; an earlier attempt that arrived is found by it, and
                made to say what `page` says now.

        Raises:
            SlackRefused: it will not be posted as it is.
            Unreachable, RateLimited: try again with the same key.
        """
        if key in self._uncertain:
            found = await self._find(channel, thread_ts, key)
            if found:
                await self.update(channel, found, lambda: page)
            self._uncertain.discard(key)
            if found:
                return found
        async with self._posts[channel]:
            call = self._client.chat_postMessage(
                channel=channel,
                thread_ts=thread_ts,
                **_content(page),
                metadata={"event_type": POST_EVENT, "event_payload": {"key": key}},
                unfurl_links=False,
                unfurl_media=False,
            )
            try:
                return str((await answer(call))["ts"])
            except Unreachable:
                self._uncertain.add(key)
                raise

    async def update(self, channel: str, ts: str, now: Callable[[], reply.Page]) -> reply.Page:
        """Replace a message of ours and give what was sent; may be repeated. Raises as `post` does.

        Args:
            channel: id of the channel.
            ts: the message's timestamp.
            now: what the message should say; asked when its turn has come, since by then there is more to show.
        """
        if now().running:
            await self._progress.acquire()
        async with self._updates:
            page = now()
            await answer(self._client.chat_update(channel=channel, ts=ts, **_content(page)))
            return page

    async def remove(self, channel: str, ts: str) -> None:
        """Delete a message of ours; one that is gone already is fine. Raises as `post` does."""
        try:
            await answer(self._client.chat_delete(channel=channel, ts=ts))
        except SlackRefused as error:
            if error.code != "message_not_found":
                raise

    async def react(self, channel: str, ts: str, name: str) -> None:
        """Put an emoji under a message; a courtesy, so that a failure is only logged."""
        try:
            await answer(self._client.reactions_add(channel=channel, timestamp=ts, name=name))
        except BackendError as error:
            log.info("no reaction on %s %s: %s", channel, ts, error)

    async def _find(self, channel: str, thread_ts: str, key: str) -> str | None:
        """The message that carries `key`, if an earlier attempt at it arrived."""
        cursor = ""
        while True:
            call = self._client.conversations_replies(
                channel=channel, ts=thread_ts, include_all_metadata=True, limit=200, cursor=cursor
            )
            page = await answer(call)
            for message in page["messages"]:
                if message.get("metadata", {}).get("event_payload", {}).get("key") == key:
                    return str(message["ts"])
            cursor = page.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                return None


def _content(page: reply.Page) -> dict[str, Any]:
    """The text twice: as blocks for the thread, and short and plain for notifications."""
    safe = replace(page, text=defuse(page.text))
    return {"blocks": reply.render(safe), "text": plain(safe.text, NOTIFICATION_LIMIT)}


async def answer(call: Awaitable[AsyncSlackResponse]) -> dict[str, Any]:
    """Slack's answer, or one of our errors: trouble on Slack's side leaves open whether the call was applied."""
    try:
        given = await call
    except SlackApiError as error:
        status = error.response.status_code
        if status == 429:
            raise RateLimited("Slack limits our rate.", float(error.response.headers.get("Retry-After", 1))) from error
        code = refusal(error)
        if status >= 500 or code in UNCERTAIN:
            raise Unreachable(f"Slack answered {status} ({code}).") from error
        raise SlackRefused(code) from error
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        raise Unreachable(f"Slack did not answer ({type(error).__name__}).") from error
    return dict(given.data) if isinstance(given.data, dict) else {}


def refusal(error: SlackApiError) -> str:
    """Slack's error code, such as `invalid_auth`; the HTTP status where the body is not Slack's."""
    body = error.response.data
    return str(body.get("error")) if isinstance(body, dict) else f"http_{error.response.status_code}"
