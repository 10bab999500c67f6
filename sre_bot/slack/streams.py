"""Slack's native streams: start, append, stop, each at the pace that Slack allows the whole app in a workspace.

A stream is a message that its recipient sees grow. Slack ends it some 300 seconds after its start whatever happens, and
it carries no metadata before it is stopped: one that a lost answer left open is known by that, among our messages.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from aiolimiter import AsyncLimiter
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.slack.outbox import Outbox, answer, key_of, metadata_for

ENDED = frozenset({"message_not_in_streaming_state", "message_not_found"})
"""Codes for a stream that is over: its time was, or somebody deleted the message."""
STOPPED_BY_USER = "stopped_by_user"
UNSUPPORTED = frozenset({"unknown_method", "missing_scope", "channel_type_not_supported", "messages_tab_disabled"})
"""Codes that are true of the workspace or the app, not of one reply."""

MAX_AGE = 240.0  # seconds; streams were ended after 300 to 306 in the field (undocumented), whatever was appended
LATCH = 300.0  # seconds during which no stream is tried where Slack does not support them; never for good
TICK = 0.7  # seconds between two appends of one reply
SHARE = 0.75  # seconds that a stream more adds to everybody's tick: 80 appends a minute, shared by all

Chunk = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who sees a stream grow; Slack wants both ids, in direct messages too (field reports)."""

    user: str
    team: str


class Streams:
    """The streams of one workspace.

    Pace, from Slack's rate-limit documentation: starting and stopping are Tier 2 (20 a minute), appending is Tier 4
    (100 a minute), each for all streams of the app together. A bucket of 8 that refills 12 a minute never exceeds 20 in
    any minute, one of 20 that refills 80 never 100. Who finds no start left does not wait for one: an edited message
    shows the same at once.

    Args:
        client: the Web API; its retry handlers must not repeat a call whose answer was lost.
        outbox: reads threads.
        bot_user: the bot's own user id.
        speed: above 1 only where Slack has raised its limits, or is a stand-in whose clock runs as much faster.
        lifetime: seconds at speed 1 after which a stream is continued in another one.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        outbox: Outbox,
        bot_user: str,
        speed: float = 1.0,
        lifetime: float = MAX_AGE,
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._bot_user = bot_user
        self._speed = speed
        self._lifetime = lifetime
        self._starts = AsyncLimiter(8, 40.0 / speed)
        self._appends = AsyncLimiter(20, 15.0 / speed)
        self._stops = AsyncLimiter(8, 40.0 / speed)
        self._unsupported_until = 0.0
        self.live = 0  # streams that are open

    @property
    def tick(self) -> float:
        """Seconds between two appends of one reply, so that all of them together keep within the pace."""
        return max(TICK, SHARE * self.live) / self._speed

    @property
    def max_age(self) -> float:
        """Seconds after its start at which a stream has to be continued in another one."""
        return self._lifetime / max(self._speed, 1.0)

    def may_start(self) -> bool:
        """Whether a stream can be started now, without waiting."""
        return time.monotonic() >= self._unsupported_until and self._starts.has_capacity()

    def give_up(self, code: str) -> None:
        """Slack refused to start a stream; where that is true of the workspace, nobody tries for a while."""
        if code in UNSUPPORTED:
            self._unsupported_until = time.monotonic() + LATCH / self._speed

    async def start(self, channel: str, thread_ts: str, recipient: Recipient, chunks: Sequence[Chunk]) -> str:
        """Start a stream and give its timestamp. Raises as `Outbox.post` does."""
        await self._starts.acquire()
        call = self._client.chat_startStream(
            channel=channel,
            thread_ts=thread_ts,
            chunks=list(chunks),
            recipient_user_id=recipient.user,
            recipient_team_id=recipient.team,
            task_display_mode="plan",
        )
        return str((await answer(call))["ts"])

    async def turn_to_append(self) -> None:
        """Wait until one more append may be made; what there is to say is better asked for after that."""
        await self._appends.acquire()

    async def append(self, channel: str, ts: str, chunks: Sequence[Chunk]) -> None:
        """Add to a stream when its turn has come. Raises as `Outbox.post` does."""
        await answer(self._client.chat_appendStream(channel=channel, ts=ts, chunks=list(chunks)))

    async def turn_to_stop(self) -> None:
        """Wait until one more stream may be stopped."""
        await self._stops.acquire()

    async def stop(
        self,
        channel: str,
        ts: str,
        key: str,
        *,
        chunks: Sequence[Chunk] = (),
        blocks: Sequence[Mapping[str, Any]] = (),
        more: bool,
    ) -> None:
        """End a stream whose turn has come.

        Args:
            channel: id of the channel.
            ts: its timestamp.
            key: by which the message is found from now on.
            chunks: what is still to be said.
            blocks: what stands below it.
            more: whether the reply goes on in another message.

        Raises:
            as `Outbox.post` does.
        """
        call = self._client.chat_stopStream(
            channel=channel,
            ts=ts,
            chunks=list(chunks) or None,
            blocks=[dict(block) for block in blocks] or None,
            metadata=metadata_for(key, more=more),
            session_status="processing" if more else "active",
        )
        await answer(call)

    async def find_stray(self, channel: str, thread_ts: str, after: str, known: Callable[[str], bool]) -> str | None:
        """The newest stream of ours that a lost answer left in a thread. Raises as `Outbox.post` does.

        Args:
            channel: id of the channel.
            thread_ts: timestamp of the thread's first message.
            after: timestamp of a message that is older.
            known: whether a timestamp is one of those whose answer was not lost.
        """
        messages = await self._outbox.messages(channel, thread_ts)
        strays = [str(m["ts"]) for m in messages if self.is_unsigned(m) and m["ts"] > after]
        return next((ts for ts in reversed(strays) if not known(ts)), None)

    def is_unsigned(self, message: Mapping[str, Any]) -> bool:
        """Whether a message is ours without a key: a stream that we did not stop, as nothing else of ours is."""
        ours = message.get("user") == self._bot_user and not message.get("subtype") and not message.get("files")
        return ours and not key_of(message)

    async def read(self, channel: str, thread_ts: str, ts: str) -> str | None:
        """The text of a message as Slack converted it; None where it does not show it. Raises as `Outbox.post`."""
        messages = await self._outbox.messages(channel, thread_ts)
        return next((str(m.get("text", "")) for m in messages if m["ts"] == ts), None)


def essence(text: str) -> Counter[str]:
    """What of a text survives Slack's conversion: its letters and digits, in whatever order links put them."""
    words = re.sub(r"^[ \t]*(?:`{3,}|~{3,}).*$", "", unescape(text), flags=re.MULTILINE)
    return Counter(char for char in words if char.isalnum())
