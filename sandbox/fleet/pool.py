"""A worker's pool of database connections: first come, first served, and a bounded wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class PoolTimeout(Exception):
    """No connection came free in time."""


class ConnectionPool:
    """At most `size` connections out at once; the next caller waits up to `timeout_s` seconds."""

    def __init__(self, size: int, timeout_s: float) -> None:
        self.size = size
        self.timeout_s = timeout_s
        self.active = 0
        self.waiting = 0
        self._free = asyncio.Semaphore(size)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        """Hold one connection for the block. Raises PoolTimeout after `timeout_s`."""
        await self._take()
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
            self._free.release()

    async def _take(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        self.waiting += 1
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._free.acquire()
        except TimeoutError:
            raise PoolTimeout(
                "could not obtain a database connection from the pool "
                f"within {self.timeout_s * 1000:.0f} ms "
                f"(pool size {self.size}, {self.active} active, {self.waiting - 1} waiting)"
            ) from None
        finally:
            self.waiting -= 1
