"""The pictures of one reply, delivered beside its text: in their order, each once, and never instead of words.

A picture that Slack does not take becomes a line of the reply. Until a file is shared nobody sees it, so that only the
sharing has to happen once.
"""

import asyncio
import logging
from collections.abc import Callable

from sre_bot.agent.events import ImageShown
from sre_bot.errors import BackendError
from sre_bot.slack.outbox import Outbox, SlackRefused

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # seconds before each further attempt
MOST = 10  # pictures of one reply; a thread is for reading

# Slack's words for what whoever runs the bot can put right.
ADVICE = {
    "missing_scope": "The Slack app needs the scope `files:write`, and to be installed again.",
    "not_allowed_token_type": "The Slack app needs the scope `files:write`, and to be installed again.",
    "restricted_action": "The workspace does not let apps share files here.",
    "file_uploads_disabled": "File uploads are turned off in this workspace.",
    "storage_limit_reached": "The workspace has no room for files.",
}


class Pictures:
    """Posts the pictures of one reply.

    Args:
        outbox: the way to Slack.
        channel: id of the channel.
        thread_ts: timestamp of the thread's first message.
        on_settled: called when a picture is done with: with nothing, or with a sentence on why it is not shown.
        pauses: seconds before each further attempt.
    """

    def __init__(
        self,
        outbox: Outbox,
        channel: str,
        thread_ts: str,
        on_settled: Callable[[str], None],
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        self._outbox = outbox
        self._channel = channel
        self._thread_ts = thread_ts
        self._on_settled = on_settled
        self._pauses = pauses
        self._taken = 0
        self._waiting = 0
        self._last: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a picture is neither shown nor given up."""
        return self._waiting > 0

    def add(self, picture: ImageShown) -> None:
        """Take a picture in; returns at once."""
        self._taken += 1
        if self._taken > MOST:
            if self._taken == MOST + 1:
                self._on_settled(f"Further charts are not shown: {MOST} in one answer are enough.")
            return
        self._waiting += 1
        self._last = asyncio.create_task(self._deliver(self._taken, picture, self._last), name="picture")

    async def settle(self) -> None:
        """Wait until every picture is shown or given up; never raises."""
        if self._last:
            await self._last

    async def _deliver(self, number: int, picture: ImageShown, before: asyncio.Task[None] | None) -> None:
        if before:
            await before
        trouble = ""
        try:
            await self._try(f"chart-{number}.{picture.media_type.rpartition('/')[2]}", picture)
        except BackendError as error:
            log.warning("picture %s in %s %s is not shown: %s", number, self._channel, self._thread_ts, error)
            code = error.code if isinstance(error, SlackRefused) else ""
            trouble = f"A chart could not be posted: {ADVICE.get(code) or error}"
        except Exception:  # the top level of a picture: it must not take the reply with it
            log.exception("picture %s in %s %s is not shown", number, self._channel, self._thread_ts)
            trouble = "A chart could not be posted; the bot's log says why."
        self._waiting -= 1
        self._on_settled(trouble)

    async def _try(self, name: str, picture: ImageShown) -> None:
        """Upload and share, again after each pause while Slack fails."""
        file_id = ""
        for pause in (*self._pauses, None):
            try:
                file_id = file_id or await self._outbox.upload(name, picture.data, picture.title)
                await self._outbox.share(self._channel, self._thread_ts, file_id, picture.title or name)
                return
            except BackendError as error:
                if pause is None or isinstance(error, SlackRefused):
                    raise
                await asyncio.sleep(pause)
