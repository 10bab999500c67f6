"""A worker's pool of database connections: first come, first served, and a bounded wait."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class PoolTimeout(Exception):
    """No connection came free in time."""


class ConnectionPool:
    """At most `size` connections out at once; the next caller waits up to `timeout_s` seconds.

    A connection that is given back goes straight to the first in the queue. It never counts as free in
    between, as it would with a semaphore, so a pool with a queue shows all its connections in use.
    """

    def __init__(self, size: int, timeout_s: float) -> None:
        self.size = size
        self.timeout_s = timeout_s
        self.active = 0
        self._held = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return len(self._queue)

    def hold(self, number: int) -> None:
        """Have `number` connections in all taken and never given back, as a leak does."""
        number = min(number, self.size)
        self.active += number - self._held
        self._held = number
        if self.active < self.size and self._queue:
            self.active += 1
            self._give_back()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        """Hold one connection for the block. Raises PoolTimeout after `timeout_s`."""
        if self.active < self.size:
            self.active += 1
        else:
            await self._wait_for_turn()
        try:
            yield
        finally:
            self._give_back()

    async def _wait_for_turn(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(self.timeout_s):
                await turn
        except TimeoutError:
            self._leave_queue(turn)
            raise PoolTimeout(
                "could not obtain a database connection from the pool "
                f"within {self.timeout_s * 1000:.0f} ms "
                f"(pool size {self.size}, {self.active} active, {self.waiting} waiting)"
            ) from None
        except asyncio.CancelledError:
            self._leave_queue(turn)
            raise

    def _give_back(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.active -= 1

    def _leave_queue(self, turn: asyncio.Future[None]) -> None:
        if turn.cancelled():
            if turn in self._queue:
                self._queue.remove(turn)
        else:  # its turn came in the very moment that it gave up
            self._give_back()
