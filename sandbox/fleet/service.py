"""A service as its callers see it: an ingress in front of a crew of workers.

The ingress spreads requests over the ready workers, limits their time, counts what it answered and
logs it. It never retries.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import count

from sandbox.fleet.crew import Crew
from sandbox.fleet.database import Database, DatabaseRefused
from sandbox.fleet.demand import Demand
from sandbox.fleet.environment import Environment
from sandbox.fleet.faults import ServiceFault, Struck
from sandbox.fleet.logbook import Logbook
from sandbox.fleet.measurements import CpuMeter, Measurements
from sandbox.fleet.pool import PoolTimeout
from sandbox.fleet.worker import MEMORY_LIMIT_MIB, Worker

WORKERS = 5
LOGGED_SUCCESSES = 60
"""One of so many successes is logged; every failure is."""


class RequestFailed(Exception):
    """A request that ends with `status`; the message says why."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Service:
    """One of the services with workers. `handle` does the work of a request on a worker."""

    def __init__(self, name: str, database: Database, handle: Callable[[Worker, Demand], Awaitable[None]]) -> None:
        self.name = name
        self.log = Logbook(name)
        self.fault = ServiceFault()
        self.measurements = Measurements(CpuMeter(cores=WORKERS))
        self._database = database
        self._handle = handle
        self._turn = count()
        self._crew: Crew | None = None
        self._draining: set[asyncio.Task[None]] = set()

    async def deploy(self, environment: Environment) -> None:
        """Start workers with `environment`, then drain the old ones. The new ones take over as soon
        as they have booted, so that a sound redeploy loses no request."""

        def hire(number: int) -> Worker:
            worker = Worker(f"{self.name}-{number}", environment, self._database, self.measurements)
            worker.pool.hold(self.fault.held)
            return worker

        crew = Crew(WORKERS, hire, self.measurements, self.log)
        await crew.start()
        before, self._crew = self._crew, crew
        self.log.event(
            "INFO",
            f"{self.name} {environment.version} started: {WORKERS} workers, "
            f"pool of {environment.pool_size} connections each",
        )
        if before:
            task = asyncio.create_task(before.retire())
            self._draining.add(task)
            task.add_done_callback(self._draining.discard)

    def stop(self) -> None:
        """Kill every worker, draining or not."""
        for task in self._draining:
            task.cancel()
        if self._crew:
            self._crew.kill()

    @property
    def workers(self) -> list[Worker]:
        """The workers that take requests now."""
        return list(self._crew.ready.values()) if self._crew and not self.fault.dead else []

    def apply_fault(self) -> None:
        """Bring what `fault` says to the workers that run already."""
        for worker in self.workers:
            worker.pool.hold(self.fault.held)

    def memory_ratio(self) -> float | None:
        """Share of the memory limit that the fullest worker uses; None when none runs."""
        return max((worker.memory_mib() / MEMORY_LIMIT_MIB for worker in self.workers), default=None)

    async def call(self, caller: Measurements, demand: Demand, limit_s: float) -> None:
        """Serve one request for `caller`, within `limit_s` seconds.

        Raises RequestFailed: 500 for a failure of its own, 502 and 504 for one behind it or of a
        worker that died, 503 when no worker is ready.
        """
        started = time.monotonic()
        status = "499"  # stays so when the caller itself is cut off
        reason = ""
        try:
            await self._serve(demand, limit_s)
            status = "200"
        except RequestFailed as failure:
            status, reason = failure.status, f": {failure}"
            caller.failed_calls[self.name] += 1
            raise
        finally:
            took = time.monotonic() - started
            caller.calls[self.name].add(took)
            self._record(demand, status, took, reason)

    async def _serve(self, demand: Demand, limit_s: float) -> None:
        workers = self.workers
        if not workers:
            raise RequestFailed("503", f"no worker of {self.name} is ready")
        worker = workers[next(self._turn) % len(workers)]
        try:
            async with asyncio.timeout(limit_s) as deadline:
                with worker.admit(deadline):
                    await self.fault.strike(worker)
                    await self._handle(worker, demand)
        except TimeoutError:
            if worker.killed:
                raise RequestFailed("502", f"{worker.name} died during the request") from None
            raise RequestFailed("504", f"no answer within {limit_s * 1000:.0f} ms") from None
        except (PoolTimeout, DatabaseRefused, Struck) as error:
            raise RequestFailed("500", f"{worker.name}: {error}") from None

    def _record(self, demand: Demand, status: str, took: float, reason: str) -> None:
        measured = self.measurements
        measured.requests[status] += 1
        measured.durations.add(took)
        measured.recent.add(took)
        if status == "200" and demand.number % LOGGED_SUCCESSES:
            return
        level = "INFO" if status == "200" else "WARN" if status == "499" else "ERROR"
        self.log.write(level, f"{demand.route} {status} in {took * 1000:.0f} ms request={demand.number:08x}{reason}")
