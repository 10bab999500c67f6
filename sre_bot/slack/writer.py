"""Agent events to one live reply: one writer task per reply, on the edit path.

Producers only change the text in memory. The writer renders all of it, splits it into pages, and brings Slack's
messages to that state: an update where a page changed, a post where one is new. Because each step is "make Slack look
like this", a rate limit, an outage or a lost answer needs no special case: the next step does what is still to do.
Everyone in a channel sees an edited message grow; Slack's native streaming shows it to one recipient only.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from functools import partial

from sre_bot.agent.events import Event, ImageShown, Notice
from sre_bot.errors import BackendError
from sre_bot.slack.cards.reply import Page
from sre_bot.slack.defusal import defuse
from sre_bot.slack.outbox import TOO_LONG, Outbox, SlackRefused
from sre_bot.slack.pages import paginate
from sre_bot.slack.pictures import Pictures
from sre_bot.slack.reply import ReplyText

log = logging.getLogger(__name__)

TICK = 1.5  # seconds between two updates of one reply: with several replies the outbox's bucket is the bound
LONGEST_PAUSE = 30.0  # seconds between two attempts while Slack fails
GIVE_UP = 900.0  # seconds after the end of a run during which its last words are tried again
PAGE_BUDGET = 9_000  # weighted bytes of a message; below the sizes at which messages were refused in the field
SMALLEST_BUDGET = 1_000

Posted = Callable[[str], Awaitable[None]]
"""Told the timestamp of every message that a reply consists of."""


class LiveReply:
    """A reply in a thread that grows while a run goes on.

    Args:
        outbox: the way to Slack.
        channel: id of the channel.
        thread_ts: timestamp of the thread's first message.
        key: names this reply; its messages are found by it after a lost answer.
        on_posted: told of every message posted.
        search: look for messages that an earlier process posted, and go on with them.
        tick: seconds between two updates.
        clock: seconds, from any start, by which it gives up.
    """

    def __init__(
        self,
        outbox: Outbox,
        channel: str,
        thread_ts: str,
        key: str,
        on_posted: Posted,
        *,
        search: bool = False,
        tick: float = TICK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._channel = channel
        self._thread_ts = thread_ts
        self._key = key
        self._on_posted = on_posted
        self._search = search
        self._tick = tick
        self._clock = clock
        self._give_up = math.inf  # when to, by the clock; known once the run has ended
        self._text = ReplyText()
        self._pictures = Pictures(outbox, channel, thread_ts, self._note_picture)
        self._posted: list[tuple[str, Page]] = []  # each message's timestamp, and what Slack has of it
        self._budget = PAGE_BUDGET
        self._changed = asyncio.Event()
        self._changed.set()
        self._writer = asyncio.create_task(self._write(), name=f"reply {key}")

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

    def _note_picture(self, trouble: str) -> None:
        if trouble:
            self._text.add(Notice(trouble))
        self._changed.set()

    async def _write(self) -> None:
        try:
            await self._follow()
        except Exception:  # the top level of a reply: nobody who waits for its end may get its troubles
            log.exception("reply %s is undeliverable", self._key)

    async def _follow(self) -> None:
        """Bring Slack to the state of the text whenever that changes, until the run is over and all is shown."""
        passes = failures = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            ended, busy = self._text.ended, self._pictures.busy
            try:
                await self._reconcile()
            except BackendError as error:
                worth = self._worth_another_try(error)
                if ended and (not worth or self._clock() > self._give_up):
                    log.error("reply %s is undeliverable: %s", self._key, error)
                    return
                log.warning("reply %s: %s; trying again", self._key, error)
                failures += 1
                self._changed.set()
            else:
                if ended and not busy:
                    return
                failures = 0
                passes += 1
            # The first words follow the first sign at once: nobody should stare at an empty message.
            pause = 0.0 if passes == 1 and not failures else min(self._tick * 2**failures, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _reconcile(self) -> None:
        """One pass that makes Slack's messages equal to the pages of the text; the last one can stop the run."""
        for number, page in enumerate(self._pages()):
            if number == len(self._posted):
                key = f"{self._key}/{number}"
                ts = await self._outbox.post(self._channel, self._thread_ts, page, key, search=self._search)
                self._posted.append((ts, page))
                await self._on_posted(ts)
            elif self._posted[number][1] != page:
                ts = self._posted[number][0]
                sent = await self._outbox.update(self._channel, ts, partial(self._page, number))
                self._posted[number] = (ts, sent)
        while len(self._posted) > len(self._pages()):  # a line above became shorter
            await self._outbox.remove(self._channel, self._posted[-1][0])
            self._posted.pop()

    def _pages(self) -> list[Page]:
        """The messages as they should be now."""
        texts = [page for section in self._text.render() for page in paginate(defuse(section), self._budget)]
        last = len(texts) - 1
        return [Page(text, running=number == last and not self._text.ended) for number, text in enumerate(texts)]

    def _page(self, number: int) -> Page:
        """A message as it should be now; one that is to go stays as it is until then."""
        pages = self._pages()
        return pages[number] if number < len(pages) else self._posted[number][1]

    def _worth_another_try(self, error: BackendError) -> bool:
        """Whether the text may yet arrive; where a message is too long, the pages become shorter."""
        if isinstance(error, SlackRefused) and error.code in TOO_LONG and self._budget > SMALLEST_BUDGET:
            self._budget //= 2
            return True
        return not isinstance(error, SlackRefused)
