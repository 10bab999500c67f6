"""From the inbox to the cases: deliveries that were stored are folded, and each case they touch gets its workflow.

A delivery that was answered is on disk, and a case whose revision is ahead of what was done for it says so in the
ledger. So nothing depends on being woken: what a crash left is found by the next look, here or on another replica.
"""

import asyncio
import contextlib
import logging
import time
from uuid import uuid4

from sre_bot.errors import LedgerError
from sre_bot.incidents.cases import Cases
from sre_bot.incidents.folding import Grouping
from sre_bot.workflows.engine import Engine

log = logging.getLogger(__name__)

CASE = "case"
"""Name of the workflow that does what a case's revision asks for: `case_id, revision`."""
LOOK_EVERY = 5.0  # seconds between two looks into the inbox without being woken
CHECK_EVERY = 30.0  # seconds between two looks for cases that are behind
PAUSE = 1.0  # seconds after a failure of the database
BEGIN_ANEW = 600.0  # seconds between two workflows for a revision whose last one was given up


class Intake:
    """Folds what arrives.

    Args:
        cases: the ledger's cases.
        grouping: says which incidents belong together.
        engine: does what a case asks for.
        channel: where cards are posted; None leaves deliveries unfolded, since nobody could see what becomes of them.
        look_every: seconds between two looks without being woken.
    """

    def __init__(
        self,
        cases: Cases,
        grouping: Grouping,
        engine: Engine,
        channel: str | None,
        *,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._cases = cases
        self._grouping = grouping
        self._engine = engine
        self._channel = channel
        self._look_every = look_every
        self._woken = asyncio.Event()
        self.behind = 0
        """How many cases were behind at the last look at all of them."""
        self._folding: asyncio.Task[None] | None = None
        self._began = time.monotonic()
        self._checked: float | None = None
        self._life = uuid4().hex
        self._under_way: dict[int, str] = {}

    def open(self) -> None:
        """Begin to fold, first what is there already."""
        if self._channel:
            self._folding = asyncio.create_task(self._fold_on(self._channel), name="intake")

    def wake(self) -> None:
        """Something was stored."""
        self._woken.set()

    async def close(self) -> None:
        """Stop; what is in the inbox stays there."""
        if self._folding:
            self._folding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._folding

    async def see_to(self, case_id: int, revision: int) -> None:
        """Let a case's workflow run for a revision, where none is under way that will come to it.

        The engine begins one workflow of a case a second: with one for each of two hundred pages, the card would be
        right after minutes.

        Raises:
            LedgerError: it is not recorded; the next look does it.
        """
        last = self._under_way.get(case_id)
        if last is None or await self._engine.ended(last):
            await self._begin(case_id, revision)

    async def go_on(self, case_id: int) -> None:
        """A case's workflow has done what it knew of: let another one do what was asked for meanwhile.

        Raises:
            LedgerError: it is not recorded; the next look does it.
        """
        self._under_way.pop(case_id, None)  # first: what comes after the next line begins one of its own
        for touched in await self._cases.behind({case_id}):
            await self._begin(*touched)

    async def _begin(self, case_id: int, revision: int) -> None:
        """Start the workflow of a revision; once for each, whoever asks."""
        key = f"case:{case_id}:{revision}"
        await self._engine.start(CASE, case_id, revision, key=key, partition=str(case_id))
        self._under_way[case_id] = key

    async def _fold_on(self, channel: str) -> None:
        while True:
            self._woken.clear()
            try:
                more = await self._fold_batch(channel)
            except LedgerError as error:
                log.warning("deliveries are not folded yet: %s", error)
                await asyncio.sleep(PAUSE)
                continue
            except Exception:  # the top level of the intake: one strange delivery may not end it
                log.exception("a look into the inbox failed; the next one follows")
                await asyncio.sleep(self._look_every)
                continue
            if not more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._look_every):
                        await self._woken.wait()

    async def _fold_batch(self, channel: str) -> bool:
        """Fold once; True where more is waiting."""
        folded = await self._cases.fold(self._grouping, channel)
        for touched in await self._cases.behind(folded.cases) if folded.cases else ():
            await self.see_to(*touched)
        if self._checked is None or time.monotonic() - self._checked >= CHECK_EVERY:
            await self._check(channel)
            self._checked = time.monotonic()
        return folded.more

    async def _check(self, channel: str) -> None:
        """Look for every case that is behind: one that a crash left, or whose workflow was given up."""
        if self._checked is None and (moved := await self._cases.redirect(channel)):
            log.warning("%d cards were meant for another channel and never posted: they come here", moved)
        behind = await self._cases.behind()
        self.behind = len(behind)
        for case_id, revision in behind:
            await self._begin(case_id, revision)
            key = f"case:{case_id}:{revision}"
            if await self._engine.ended(key):
                again = int((time.monotonic() - self._began) // BEGIN_ANEW)
                await self._engine.start(
                    CASE, case_id, revision, key=f"{key}:{self._life}:{again}", partition=str(case_id)
                )
