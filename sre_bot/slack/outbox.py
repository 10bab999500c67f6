"""Everything that leaves for Slack: paced, defused, and posted once even when the answer to a post is lost.

Slack applies a call and may still fail to answer it. An update can be repeated; a post cannot, so each carries a key
in its metadata, and after an ambiguous failure the thread, or the channel, is searched for that key first. Slack's own
retry handler is used for rate limits only (its default repeats posts after a reset connection, which doubles them).
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

import aiohttp
from aiolimiter import AsyncLimiter
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from sre_bot.errors import BackendError, RateLimited, Refused, Unreachable

log = logging.getLogger(__name__)

POST_EVENT = "sre_bot_post"
UNCERTAIN = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
"""Slack's codes for trouble of its own; of the first two it says that a part of the call may have been applied."""

TOO_LONG = frozenset({"msg_too_long", "msg_blocks_too_long", "msg_blocks_too_many"})
"""Codes with which Slack refuses a message that would be taken if it were shorter."""

UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=30)


UNSHOWABLE = frozenset({"invalid_blocks", "invalid_blocks_format"})
"""Codes with which Slack refuses what a message consists of."""

GONE = frozenset({"message_not_found", "cant_update_message"})
"""Codes for a message that is gone, or is a tombstone, or another app's since the bot got another identity."""


class SlackRefused(Refused):
    """Slack answered with an error code, such as `msg_too_long`; nothing was applied.

    Args:
        code: Slack's word.
        message: what it means and what to do, where more can be said than the code.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or f"Slack refused the call ({code}).", status=200)
        self.code = code


class Message(Protocol):
    """What is posted: a page of a reply, the card of a case."""

    @property
    def running(self) -> bool:
        """Whether more is to come, so that this only shows progress."""

    def content(self) -> dict[str, Any]:
        """The arguments `text` and `blocks` of the call, safe to send."""


Sent = TypeVar("Sent", bound=Message)


class Outbox:
    """Posts and updates messages.

    Pace, from Slack's rate-limit documentation: chat.update is Tier 3 (50 a minute and workspace), chat.postMessage one
    a second and channel, with short bursts. A bucket of 10 that refills 40 a minute never exceeds 50 in any minute.
    What only shows progress takes at most half of it, so that the last words of a reply do not wait behind it. Of the
    messages that begin a thread one at a time stands in the queue of its channel, so that a reply waits for one of
    them, not for all of a storm. Looking for keys is Tier 3 as well, by methods of its own; views.publish is Tier 4
    (100 a minute): a bucket of 20 that refills 80.

    Args:
        client: the Web API; its retry handlers must not repeat a call whose answer was lost.
        speed: above 1 only where Slack has raised its limits, or is a stand-in whose clock runs as much faster.
    """

    def __init__(self, client: AsyncWebClient, speed: float = 1.0) -> None:
        self._client = client
        self._updates = AsyncLimiter(10, 15.0 / speed)
        self._progress = AsyncLimiter(5, 15.0 / speed)
        self._posts: defaultdict[str, AsyncLimiter] = defaultdict(lambda: AsyncLimiter(2, 2.0 / speed))
        self._searches = AsyncLimiter(10, 15.0 / speed)
        self._views = AsyncLimiter(20, 15.0 / speed)
        self._beginnings: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._uncertain: set[str] = set()

    async def post(self, channel: str, thread_ts: str, page: Message, key: str, *, search: bool = False) -> str:
        """Post a message in a thread and give its timestamp.

        Args:
            channel: id of the channel.
            thread_ts: timestamp of the thread's first message.
            page: what it says.
            key: the same for every attempt at this message; an earlier attempt that arrived is found by it, and
                made to say what `page` says now.
            search: look for an earlier attempt although this process knows of none that is in doubt.

        Raises:
            SlackRefused: it will not be posted as it is.
            Unreachable, RateLimited: try again with the same key.
        """
        if search or self.doubts(key):
            found = await self.find(channel, key, thread_ts=thread_ts)
            if found:
                await self.update(channel, found, lambda: page)
                self.settle(key)
                return found
        await self.wait_to_post(channel)
        return await self.send(channel, page, key, thread_ts=thread_ts)

    async def update(self, channel: str, ts: str, now: Callable[[], Sent]) -> Sent:
        """Replace a message of ours and give what was sent; may be repeated. Raises as `post` does.

        Args:
            channel: id of the channel.
            ts: the message's timestamp.
            now: what the message should say; asked when its turn has come, since by then there is more to show.
        """
        await self.wait_to_update(progress=now().running)
        page = now()
        await self.replace(channel, ts, page)
        return page

    async def wait_to_post(self, channel: str, *, begins_thread: bool = False) -> None:
        """Wait until one more message may be sent to the channel."""
        if begins_thread:
            async with self._beginnings[channel]:
                await self._posts[channel].acquire()
        else:
            await self._posts[channel].acquire()

    async def wait_to_update(self, *, progress: bool) -> None:
        """Wait until one more message may be replaced; longer where that only shows progress."""
        if progress:
            await self._progress.acquire()
        await self._updates.acquire()

    async def send(self, channel: str, message: Message, key: str, *, thread_ts: str | None = None) -> str:
        """Post a message whose turn has come, in a thread or as the first of one. Raises as `post` does."""
        thread: dict[str, Any] = {"thread_ts": thread_ts} if thread_ts else {}
        call = self._client.chat_postMessage(
            channel=channel,
            **thread,
            **message.content(),
            metadata=metadata_for(key),
            unfurl_links=False,
            unfurl_media=False,
        )
        try:
            return str((await answer(call))["ts"])
        except Unreachable:
            self._uncertain.add(key)
            raise

    async def replace(self, channel: str, ts: str, message: Message) -> None:
        """Replace a message of ours whose turn has come. Raises as `post` does."""
        await answer(self._client.chat_update(channel=channel, ts=ts, **message.content()))

    async def remove(self, channel: str, ts: str) -> None:
        """Delete a message of ours; one that is gone already is fine. Raises as `post` does."""
        try:
            await answer(self._client.chat_delete(channel=channel, ts=ts))
        except SlackRefused as error:
            if error.code != "message_not_found":
                raise

    async def publish(self, person: str, view: Mapping[str, Any], replacing: str | None) -> str:
        """Show a person the app's Home tab, and give the hash of what it shows now; may be repeated. Raises as `post`.

        Args:
            person: Slack's id.
            view: the home.
            replacing: hash of what it must show until now; else Slack refuses with `hash_conflict`. None for whatever
                it shows.
        """
        await self._views.acquire()
        shown = await answer(self._client.views_publish(user_id=person, view=dict(view), hash=replacing))
        return str(shown["view"]["hash"])

    async def upload(self, name: str, data: bytes, description: str) -> str:
        """Give Slack a file that nobody sees yet, and give its id; may be repeated. Raises as `post` does."""
        place = await answer(
            self._client.files_getUploadURLExternal(filename=name, length=len(data), alt_txt=description)
        )
        try:
            async with (
                aiohttp.ClientSession(timeout=UPLOAD_TIMEOUT) as http,
                http.post(
                    place["upload_url"], data=data, proxy=self._client.proxy, ssl=self._client.ssl or True
                ) as sent,
            ):
                status = sent.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(f"Slack did not take the file ({type(error).__name__}).") from error
        if status != 200:
            raise Unreachable(f"Slack did not take the file ({status}).")
        return str(place["file_id"])

    async def share(self, channel: str, thread_ts: str, file_id: str, title: str, *, search: bool = False) -> None:
        """Show an uploaded file in a thread. Raises as `post` does.

        After an attempt whose answer was lost, and where `search` because another process may have tried, the thread is
        searched for the file first: it is shown once.
        """
        if (search or self.doubts(file_id)) and await self._holds_file(channel, thread_ts, file_id):
            self.settle(file_id)
            return
        await self.wait_to_post(channel)
        call = self._client.files_completeUploadExternal(
            files=[{"id": file_id, "title": title}], channel_id=channel, thread_ts=thread_ts
        )
        try:
            await answer(call)
        except Unreachable:
            self._uncertain.add(file_id)
            raise
        self.settle(file_id)

    async def _holds_file(self, channel: str, thread_ts: str, file_id: str) -> bool:
        """Whether a message of the thread shows the file."""
        cursor = ""
        while True:
            page = await self._read(channel, thread_ts, None, cursor)
            if any(file.get("id") == file_id for message in page["messages"] for file in message.get("files", [])):
                return True
            cursor = page.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                return False

    async def react(self, channel: str, ts: str, name: str) -> None:
        """Put an emoji under a message; a courtesy, so that a failure is only logged."""
        try:
            await answer(self._client.reactions_add(channel=channel, timestamp=ts, name=name))
        except BackendError as error:
            log.info("no reaction on %s %s: %s", channel, ts, error)

    def doubts(self, key: str) -> bool:
        """Whether an attempt at this message may have arrived although its answer did not."""
        return key in self._uncertain

    def settle(self, key: str) -> None:
        """No attempt at this message is in doubt any more: there is none, or it says what it should."""
        self._uncertain.discard(key)

    async def find(
        self, channel: str, key: str, *, thread_ts: str | None = None, since: datetime | None = None
    ) -> str | None:
        """The message that carries `key`, if an earlier attempt at it arrived. Raises as `post` does.

        Args:
            channel: id of the channel.
            key: the message's.
            thread_ts: the thread that it is in; without one, the channel itself is searched, newest first.
            since: when nobody can have tried yet; bounds the search of a channel.
        """
        async for message in self._messages(channel, thread_ts, since):
            if key_of(message) == key:
                return str(message["ts"])
        self.settle(key)
        return None

    async def messages(self, channel: str, thread_ts: str) -> list[Mapping[str, Any]]:
        """All of a thread, oldest first, with metadata. Raises as `post` does."""
        return [message async for message in self._messages(channel, thread_ts, None)]

    async def _messages(
        self, channel: str, thread_ts: str | None, since: datetime | None
    ) -> AsyncIterator[Mapping[str, Any]]:
        cursor = ""
        while True:
            page = await self._read(channel, thread_ts, since, cursor)
            for message in page["messages"]:
                yield message
            cursor = page.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                return

    async def _read(
        self, channel: str, thread_ts: str | None, since: datetime | None, cursor: str
    ) -> Mapping[str, Any]:
        """A page of a thread, oldest first, or of a channel, newest first."""
        await self._searches.acquire()
        if thread_ts:
            call = self._client.conversations_replies(
                channel=channel, ts=thread_ts, include_all_metadata=True, limit=200, cursor=cursor
            )
        else:
            oldest = f"{since.timestamp():.6f}" if since else "0"
            call = self._client.conversations_history(
                channel=channel, oldest=oldest, include_all_metadata=True, limit=200, cursor=cursor
            )
        return await answer(call)


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


def metadata_for(key: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    """The metadata by which a message of ours is found again."""
    return {"event_type": POST_EVENT, "event_payload": {"key": key, **more}}


def key_of(message: Mapping[str, Any]) -> str:
    """The key that a message of ours carries; empty where it has none."""
    return str(message.get("metadata", {}).get("event_payload", {}).get("key", ""))


def refusal(error: SlackApiError) -> str:
    """Slack's error code, such as `invalid_auth`; the HTTP status where the body is not Slack's."""
    body = error.response.data
    return str(body.get("error")) if isinstance(body, dict) else f"http_{error.response.status_code}"
