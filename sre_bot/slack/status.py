"""The status line below a direct message while a run goes on: that it is worked on, and what a person can do meanwhile.

Slack clears it after two minutes without a message, and when the bot posts or starts a stream; so it is set anew while
the reply grows. A courtesy: what goes wrong is logged, and where Slack does not offer it nobody tries for a while.
"""

import asyncio
import logging
import time

from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import BackendError
from sre_bot.slack.outbox import SlackRefused, answer
from sre_bot.slack.streams import LATCH, UNSUPPORTED

log = logging.getLogger(__name__)

STATUS = "is looking into it …"
LOADING = (
    "Looking into it …",
    "Every call that I make is listed in my reply …",
    "Write more to steer me …",
    "Write stop to end this …",
)
"""What Slack shows in turn (at most ten): only what is true of every run."""
EVERY = 75.0  # seconds between two settings of one status


class StatusLine:
    """Shows that replies are being worked on.

    Args:
        client: the Web API; needs the scope chat:write.
        every: seconds between two settings.
    """

    def __init__(self, client: AsyncWebClient, every: float = EVERY) -> None:
        self._client = client
        self._every = every
        self._lines: set[asyncio.Task[None]] = set()
        self._unsupported_until = 0.0

    def keep(self, channel: str, thread_ts: str, reply: asyncio.Task[None]) -> None:
        """Show it until the task that writes a reply has ended; returns at once."""
        line = asyncio.create_task(self._keep(channel, thread_ts, reply), name=f"status of {thread_ts}")
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _keep(self, channel: str, thread_ts: str, reply: asyncio.Task[None]) -> None:
        shown = False
        while not reply.done():
            shown = await self._set(channel, thread_ts, STATUS, LOADING) or shown
            await asyncio.wait([reply], timeout=self._every)
        if shown:
            await self._set(channel, thread_ts, "", ())

    async def _set(self, channel: str, thread_ts: str, status: str, loading: tuple[str, ...]) -> bool:
        if time.monotonic() < self._unsupported_until:
            return False
        call = self._client.assistant_threads_setStatus(
            channel_id=channel, thread_ts=thread_ts, status=status, loading_messages=list(loading) or None
        )
        try:
            await answer(call)
        except BackendError as error:
            if isinstance(error, SlackRefused) and error.code in UNSUPPORTED:
                self._unsupported_until = time.monotonic() + LATCH
            log.info("no status in %s %s: %s", channel, thread_ts, error)
            return False
        return True
