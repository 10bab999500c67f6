"""Places for runs in this process: urgent ones first, and among equals who came first.

A thread has one run at a time and goes to the end of the line for its next one, which is what makes it fair: an
incident about which much is asked does not keep another waiting for more than one run.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from sre_bot.incidents.paging import Urgency

_RANK = {Urgency.HIGH: 0, Urgency.LOW: 1}


class Places:
    """A number of places.

    Args:
        number: how many runs at once.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._line: list[tuple[int, int, asyncio.Future[None]]] = []
        self._ticket = count()

    @property
    def all_taken(self) -> bool:
        """Whether somebody who comes now has to wait."""
        return self._free <= 0

    @asynccontextmanager
    async def hold(self, urgency: Urgency) -> AsyncIterator[None]:
        """Have a place, waiting for one where all are taken."""
        await self._take(urgency)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, urgency: Urgency) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._line, (_RANK[urgency], next(self._ticket), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # the place came at the same moment
            raise

    def _give_back(self) -> None:
        while self._line:
            _, _, turn = heapq.heappop(self._line)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
