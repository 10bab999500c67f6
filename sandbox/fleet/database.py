"""The one postgres: a hard limit of connections, and processors that all queries share.

A query needs a certain work. While more queries run than there are processors, each goes slower by
that ratio (processor sharing), so one caller's heavy queries slow down everybody's.
"""

import asyncio
import time

from sandbox.fleet.logbook import Logbook
from sandbox.fleet.measurements import Measurements

MAX_CONNECTIONS = 100
PROCESSORS = 32
RESTART_S = 0.5
SLOW_QUERY_S = 1.0
MEMORY_IDLE, MEMORY_PER_CONNECTION = 0.46, 0.0018
"""Shares of the memory limit: shared buffers, and what each backend adds."""


class DatabaseRefused(Exception):
    """The database would not take the connection."""


class Database:
    """Runs queries; knows nothing of pools."""

    name = "postgres"

    def __init__(self, measurements: Measurements, log: Logbook) -> None:
        self.measurements = measurements
        self.log = log
        self.active = 0
        self.up = True
        self.factor = 1.0
        """Times that a query's work takes: storage that is slow."""

    async def query(self, caller: Measurements, work_s: float, statement: str) -> None:
        """Run one query of `work_s` seconds of work. Raises DatabaseRefused, without waiting."""
        self._admit()
        started = time.monotonic()
        self.active += 1
        slowdown = max(1.0, self.active / PROCESSORS)
        try:
            await asyncio.sleep(work_s * slowdown * self.factor)
        finally:
            self.active -= 1
            took = time.monotonic() - started
            caller.queries.add(took)
            # What a cancelled query did until then was work too.
            self.measurements.cpu.charge(min(work_s, took / slowdown / self.factor))
            if took >= SLOW_QUERY_S:
                self.log.write("WARN", f"duration: {took * 1000:.3f} ms  statement: {statement}")

    def memory_ratio(self) -> float:
        """Share of the memory limit in use."""
        return MEMORY_IDLE + MEMORY_PER_CONNECTION * self.active

    async def restart(self) -> None:
        """Refuse connections for RESTART_S; queries that run already are allowed to end."""
        self.up = False
        self.log.event("INFO", "received fast shutdown request")
        try:
            await asyncio.sleep(RESTART_S)
        finally:
            self.up = True
            self.log.event("INFO", "database system is ready to accept connections")

    def _admit(self) -> None:
        if not self.up:
            raise DatabaseRefused("connection to postgres:5432 failed: Connection refused")
        if self.active >= MAX_CONNECTIONS:
            self.log.write("ERROR", "FATAL:  sorry, too many clients already")
            raise DatabaseRefused("connection to postgres:5432 failed: FATAL: sorry, too many clients already")
