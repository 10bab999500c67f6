"""Agent events to one live reply by editing messages, so that everyone in a channel sees it grow.

Slack's native streaming, of which the others in a channel see only the beginning until it ends, is in `streamed`.
"""

import time
from collections.abc import Callable

from sre_bot.errors import BackendError
from sre_bot.slack.files import Files
from sre_bot.slack.following import Following, Spot
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.posted import PostedPages, Said

TICK = 1.5  # seconds between two updates of one reply: with several replies the outbox's bucket is the bound


class LiveReply(Following):
    """A reply whose messages are posted and updated.

    Args:
        outbox: the way to Slack.
        files: where long answers go.
        spot: where the reply goes.
        tick: seconds between two updates.
        clock: seconds, from any start, by which it gives up.
    """

    def __init__(
        self,
        outbox: Outbox,
        files: Files,
        spot: Spot,
        tick: float = TICK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(outbox, files, spot, clock)
        self._seconds = tick
        self._pages = PostedPages(outbox, spot, self._said)

    def _said(self) -> Said:
        return Said(self._text.render(), not self._text.complete, self._rates, self._text.cited)

    async def _reconcile(self) -> None:
        await self._pages.bring()

    def _worth_another_try(self, error: BackendError) -> bool:
        return self._pages.worth_another_try(error)

    def _tick(self) -> float:
        return self._seconds
