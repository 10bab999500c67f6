"""One worker process of a service: one thread, one pool of connections, one memory limit."""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.fleet.database import Database, DatabaseRefused
from sandbox.fleet.environment import Environment
from sandbox.fleet.measurements import Measurements
from sandbox.fleet.pool import ConnectionPool, PoolTimeout
from sandbox.fleet.releases import release_of

PROBE_PERIOD_S = 3.0
PROBE_TIMEOUT_S = 1.0
PROBE_FAILURES = 3
PROBE_QUERY_S = 0.001
MEMORY_LIMIT_MIB = 512.0
MEMORY_IDLE_MIB, MEMORY_CACHE_MIB, CACHE_WARM_AFTER = 185.0, 60.0, 1500.0
MEMORY_PER_REQUEST_MIB = 0.8


class Worker:
    """Serves requests until it is killed. `name` is what its log lines call it."""

    def __init__(self, name: str, environment: Environment, database: Database, measurements: Measurements) -> None:
        self.name = name
        self.environment = environment
        self.release = release_of(environment.version)
        self.pool = ConnectionPool(environment.pool_size, environment.pool_timeout_s)
        self.database = database
        self.measurements = measurements
        self.killed = False
        self.leaked_mib = 0.0
        self._served = 0
        self._thread_free_at = 0.0
        self._deadlines: set[asyncio.Timeout] = set()

    @contextmanager
    def admit(self, deadline: asyncio.Timeout) -> Iterator[None]:
        """Count a request as in flight for the block. A kill moves its deadline to now."""
        self._deadlines.add(deadline)
        try:
            yield
        finally:
            self._deadlines.discard(deadline)
            self._served += 1

    async def compute(self, cpu_s: float) -> None:
        """Use the worker's one thread for `cpu_s` seconds, after those who came before."""
        now = time.monotonic()
        self._thread_free_at = max(now, self._thread_free_at) + cpu_s
        await asyncio.sleep(self._thread_free_at - now)
        self.measurements.cpu.charge(cpu_s)

    async def query(self, work_s: float, statement: str) -> None:
        """Run one query on a pooled connection. Raises PoolTimeout or DatabaseRefused."""
        async with self.pool.connection():
            await self.database.query(self.measurements, work_s, statement)

    async def watch(self) -> str:
        """Probe the worker until it must be killed; the reason for that, as a log line.

        The probe asks for a connection of the worker's own pool, as many real ones do. That is what
        turns an exhausted pool into restarts.
        """
        failures = 0
        while failures < PROBE_FAILURES:
            await asyncio.sleep(PROBE_PERIOD_S)
            if self.memory_mib() > MEMORY_LIMIT_MIB:
                return f"{self.name}: OOMKilled, over its limit of {MEMORY_LIMIT_MIB:.0f} MiB"
            failures = 0 if await self._is_live() else failures + 1
        return (
            f"{self.name}: liveness probe failed {PROBE_FAILURES} times "
            f"(no database connection within {PROBE_TIMEOUT_S * 1000:.0f} ms), killed"
        )

    def kill(self) -> None:
        """Stop at once: every request in flight loses its connection."""
        self.killed = True
        for deadline in list(self._deadlines):
            if not deadline.expired():
                deadline.reschedule(asyncio.get_running_loop().time())

    @property
    def in_flight(self) -> int:
        """Requests that wait or run."""
        return len(self._deadlines)

    def memory_mib(self) -> float:
        """Resident memory: the idle process, a cache that warms up, requests in flight, a leak."""
        cache = MEMORY_CACHE_MIB * (1 - math.exp(-self._served / CACHE_WARM_AFTER))
        leaked = self.release.leak_mib * self._served + self.leaked_mib
        return MEMORY_IDLE_MIB + cache + MEMORY_PER_REQUEST_MIB * self.in_flight + leaked

    async def _is_live(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self.query(PROBE_QUERY_S, "SELECT 1")
        except (TimeoutError, PoolTimeout, DatabaseRefused):
            return False
        return True
