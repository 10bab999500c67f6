"""Messages that are made equal to a text: updated where a page changed, posted where one is new.

What Slack refuses is asked for differently: a length in shorter pages, blocks as plain text, a message that somebody
deleted in a new one where it is the last, since that has the end of the answer.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sre_bot.errors import BackendError
from sre_bot.slack.cards.reply import Page
from sre_bot.slack.defusal import defuse
from sre_bot.slack.following import Spot
from sre_bot.slack.outbox import GONE, TOO_LONG, UNSHOWABLE, Outbox, SlackRefused
from sre_bot.slack.pages import paginate

log = logging.getLogger(__name__)

PAGE_BUDGET = 9_000  # weighted bytes of a message; below the sizes at which messages were refused in the field
PLAIN_BUDGET = 2_500  # of a message without blocks. Slack: chat.update takes 4,000 bytes of `text`, markup included
SMALLEST_BUDGET = 600


@dataclass(frozen=True, slots=True)
class Said:
    """What messages should say.

    Attributes:
        sections: the Markdown of each message that begins anew.
        running: whether more is to come.
        rates: the turn whose answer ends here, so that people can say whether it helped; empty for none.
        cited: the results that can be looked at below the last message.
    """

    sections: Sequence[str]
    running: bool
    rates: str = ""
    cited: tuple[tuple[int, str], ...] = ()


Now = Callable[[], Said]
"""What messages should say now."""


class PostedPages:
    """Messages of one text.

    Args:
        outbox: the way to Slack.
        spot: where they go; the messages' keys begin with its key.
        now: what they should say; asked again and again.
        ts: of a first message that is there already.
    """

    def __init__(self, outbox: Outbox, spot: Spot, now: Now, ts: str | None = None) -> None:
        self._outbox = outbox
        self._spot = spot
        self._now = now
        self._posted: list[tuple[str, Page | None]] = [(ts, None)] if ts else []
        self._budget = PAGE_BUDGET
        self._plain = False
        self._lost = 0  # messages that somebody deleted and that were posted again

    async def bring(self) -> None:
        """One pass that makes the messages equal to the text. Raises as `Outbox.post` does."""
        for number, page in enumerate(self._pages()):
            if number == len(self._posted):
                await self._post(number, page)
            elif self._posted[number][1] != page:
                await self._update(number)
        while len(self._posted) > len(self._pages()):  # a line above became shorter
            await self._outbox.remove(self._spot.channel, self._posted[-1][0])
            self._posted.pop()

    def worth_another_try(self, error: BackendError) -> bool:
        """Whether another pass may succeed; what was refused is asked for differently from now on."""
        if not isinstance(error, SlackRefused):
            return True
        if error.code in UNSHOWABLE and not self._plain:
            self._plain, self._budget = True, min(self._budget, PLAIN_BUDGET)
            return True
        if error.code in TOO_LONG | UNSHOWABLE and self._budget > SMALLEST_BUDGET:
            self._budget //= 2
            return True
        return error.code == "streaming_state_conflict"  # until that stream is over

    async def _post(self, number: int, page: Page) -> None:
        key = f"{self._spot.key}/{number}" + f"/{self._lost}" * bool(self._lost)
        place = (self._spot.channel, self._spot.thread_ts)
        ts = await self._outbox.post(*place, page, key, search=self._spot.search)
        self._posted.append((ts, page))
        await self._spot.on_posted(ts)

    async def _update(self, number: int) -> None:
        ts = self._posted[number][0]
        try:
            sent = await self._outbox.update(self._spot.channel, ts, partial(self._page, number))
        except SlackRefused as error:
            if error.code not in GONE:
                raise
            log.warning("message %s of reply %s is gone (%s)", ts, self._spot.key, error.code)
            if number < len(self._posted) - 1:
                self._posted[number] = (ts, self._page(number))
                return
            self._lost += 1
            self._posted.pop()
            await self._post(number, self._page(number))
        else:
            self._posted[number] = (ts, sent)

    def _pages(self) -> list[Page]:
        """The messages as they should be now."""
        said = self._now()
        texts = [page for section in said.sections for page in paginate(defuse(section), self._budget)]
        pages = [Page(text, bare=self._plain) for text in texts]
        return [*pages[:-1], *(_last(page, said) for page in pages[-1:])]

    def _page(self, number: int) -> Page:
        """A message as it should be now; one that is to go stays as it is until then."""
        pages = self._pages()
        return pages[number] if number < len(pages) else self._posted[number][1] or pages[-1]


def _last(page: Page, said: Said) -> Page:
    return replace(page, running=said.running, rates=said.rates, cited=said.cited)
