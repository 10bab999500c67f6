"""The one task behind a reply: it follows the text until Slack shows all of it, whatever fails on the way.

Producers only change the text in memory. How messages are brought to it is the business of the two writers; each of
their passes is "make Slack look like this", so that a rate limit, an outage or a lost answer needs no special case: the
next pass does what is still to do. What Slack will not take as a message arrives as a file.
"""

import asyncio
import contextlib
import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sre_bot.agent.events import Event, ImageShown, Notice
from sre_bot.errors import BackendError, RateLimited
from sre_bot.slack.defusal import defuse
from sre_bot.slack.files import Files, name_for
from sre_bot.slack.outbox import Outbox, SlackRefused
from sre_bot.slack.pictures import Pictures
from sre_bot.slack.reply import ReplyText

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0  # seconds between two attempts while Slack fails
GIVE_UP = 900.0  # seconds after the end of a run during which its last words are tried again
FILE_TITLE = "The whole answer"
REFUSED = "Slack refuses my answer as a message ({why}) so it is in this file."

Posted = Callable[[str], Awaitable[None]]
"""Told the timestamp of every message that a reply consists of."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a reply goes, and how its messages are recognised.

    Attributes:
        channel: id of the channel.
        thread_ts: timestamp of the thread's first message.
        key: names the reply; its messages are found by it after a lost answer.
        on_posted: told of every message.
        search: whether an earlier process may have begun the reply: its messages are looked for, and go on.
        turn: id of the turn that it answers, by which people say whether it helped; empty where they cannot.
    """

    channel: str
    thread_ts: str
    key: str
    on_posted: Posted
    search: bool = False
    turn: str = ""


class Following(ABC):
    """A reply in a thread that grows while a run goes on.

    Args:
        outbox: the way to Slack.
        files: where long answers go.
        spot: where the reply goes.
        clock: seconds, from any start, by which it gives up.
    """

    def __init__(self, outbox: Outbox, files: Files, spot: Spot, clock: Callable[[], float] = time.monotonic) -> None:
        self._outbox = outbox
        self._files = files
        self._spot = spot
        self._clock = clock
        self._give_up = math.inf  # when to, by the clock; known once the run has ended
        self._text = ReplyText()
        self._pictures = Pictures(outbox, spot.channel, spot.thread_ts, self._note_picture)
        self._changed = asyncio.Event()
        self._changed.set()
        self._writer = asyncio.create_task(self._write(), name=f"reply {spot.key}")

    def show(self, event: Event) -> None:
        """Take an event in; returns at once."""
        if isinstance(event, ImageShown):
            self._pictures.add(event)
            return
        self._text.add(event)
        if self._text.ended:
            self._give_up = self._clock() + GIVE_UP
        self._changed.set()

    async def settle(self) -> None:
        """Wait until Slack shows the whole reply, or until that has failed for `GIVE_UP` seconds; never raises."""
        await self._writer
        await self._pictures.settle()

    @abstractmethod
    async def _reconcile(self) -> None:
        """One pass that makes Slack's messages equal to the text; the last one can stop the run."""

    @abstractmethod
    def _worth_another_try(self, error: BackendError) -> bool:
        """Whether the text may yet arrive as messages; what was too much is made less."""

    @abstractmethod
    def _tick(self) -> float:
        """Seconds between two passes."""

    def _patience(self) -> float | None:
        """Seconds after which a pass is due although nothing has changed; None where it never is."""
        return None

    @property
    def writing(self) -> asyncio.Task[None]:
        """What ends when Slack shows the whole reply, or when that is given up."""
        return self._writer

    @property
    def _rates(self) -> str:
        """The turn whose answer is finished, so that people can say whether it helped; empty before, or without one."""
        return self._spot.turn if self._text.answered else ""

    def _note_picture(self, trouble: str) -> None:
        """A picture is done with: it is shown, or there is something to say about it."""
        if trouble:
            self._text.add(Notice(trouble))
        self._changed.set()

    async def _write(self) -> None:
        try:
            await self._follow()
        except Exception:  # the top level of a reply: nobody who waits for its end may get its troubles
            log.exception("reply %s is undeliverable", self._spot.key)

    async def _follow(self) -> None:
        """Bring Slack to the state of the text whenever that changes, until the run is over and all is shown."""
        passes = failures = 0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._patience())
            self._changed.clear()
            ended, busy, asked = self._text.ended, self._pictures.busy, 0.0
            try:
                await self._pass()
            except BackendError as error:
                worth = self._worth_another_try(error)  # asked every time: it makes less of what was too much
                if ended and not (worth and self._clock() <= self._give_up) and await self._is_over(error):
                    return
                log.warning("reply %s: %s; trying again", self._spot.key, error)
                failures += 1
                asked = (error.retry_after or 0.0) if isinstance(error, RateLimited) else 0.0
                self._changed.set()
            else:
                if ended and not busy:
                    return
                failures = 0
                passes += 1
            # The first words follow the first sign at once: nobody should stare at an empty message.
            pause = 0.0 if passes == 1 and not failures else min(self._tick() * 2**failures, LONGEST_PAUSE)
            await asyncio.sleep(max(pause, asked))

    async def _pass(self) -> None:
        if self._text.wants_file:
            await self._file_answer()
        await self._reconcile()

    async def _file_answer(self) -> None:
        """Share a long answer as a file before its messages say that there is one; without it they say all."""
        filed = True
        try:
            await self._share(self._text.answer, "")
        except BackendError as error:
            if not isinstance(error, SlackRefused) and self._clock() <= self._give_up:
                raise
            log.warning("reply %s: no file for a long answer: %s", self._spot.key, error)
            filed = False
        self._text.file(filed=filed)

    async def _is_over(self, error: BackendError) -> bool:
        """The end of the reply cannot arrive as messages: it is shared as a file, where that is taken."""
        log.error("reply %s is undeliverable: %s", self._spot.key, error)
        if isinstance(error, SlackRefused):
            try:
                await self._share("\n\n".join(self._text.render()), REFUSED.format(why=error.code))
            except BackendError as trouble:
                log.error("reply %s is not delivered as a file either: %s", self._spot.key, trouble)
                return isinstance(trouble, SlackRefused) or self._clock() > self._give_up
        return True

    async def _share(self, text: str, comment: str) -> None:
        where = (self._spot.channel, self._spot.thread_ts)
        await self._files.share(*where, name_for(self._spot.key), FILE_TITLE, text, defuse(comment))
