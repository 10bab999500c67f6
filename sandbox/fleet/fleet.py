"""The topology: who calls whom with what work, and the clients that never stop asking.

    clients -> api-server -> auth-svc, postgres, payment-svc      payment-svc -> auth-svc, postgres
               auth-svc -> postgres

The figures are chosen so that the symptoms follow. api-server holds about 160/s x 60 ms = 10 connections
(Little's law). Of 5 x 20 that is 10 %; of 5 x 1 it is more than there are, so queues grow without end,
waits reach DB_POOL_TIMEOUT and requests fail.
"""

import asyncio
import time
from contextlib import suppress
from random import Random
from typing import Any

from sandbox.fleet.database import PROCESSORS, Database
from sandbox.fleet.demand import REQUESTS_PER_SECOND, Demand, draw_demands
from sandbox.fleet.environment import Environment, parse_environment
from sandbox.fleet.faults import Faults, set_fields
from sandbox.fleet.logbook import Logbook
from sandbox.fleet.measurements import CpuMeter, Measurements
from sandbox.fleet.service import RequestFailed, Service
from sandbox.fleet.worker import Worker

API_CPU_S, AUTH_CPU_S, PAYMENT_CPU_S = 0.010, 0.008, 0.020
AUTH_LIMIT_S, PAYMENT_LIMIT_S, CLIENT_LIMIT_S = 2.0, 4.0, 10.0
LONGEST_LAG_S = 1.0

API_STATEMENT = "SELECT * FROM orders WHERE customer_id = $1 ORDER BY created_at DESC"
AUTH_STATEMENT = "SELECT * FROM sessions WHERE token = $1"
PAYMENT_STATEMENT = "INSERT INTO payments (order_id, amount, state) VALUES ($1, $2, $3)"

FIXED_ENVIRONMENTS = {
    "payment-svc": parse_environment({"DB_POOL_SIZE": "10", "DB_QUERY_MS": "20", "APP_VERSION": "1.9.3"}),
    "auth-svc": parse_environment({"DB_POOL_SIZE": "5", "DB_QUERY_MS": "8", "APP_VERSION": "3.2.0"}),
    "postgres": parse_environment({"DB_POOL_SIZE": "100", "APP_VERSION": "15.6"}),
}
"""What is deployed besides api-server. Five workers make these pools the 50 and 25 of the topology."""


class Fleet:
    """All services, their database and their clients in one event loop."""

    def __init__(self, random: Random, per_second: float = REQUESTS_PER_SECOND) -> None:
        self.database = Database(Measurements(CpuMeter(cores=PROCESSORS)), Logbook("postgres"))
        self.api = Service("api-server", self.database, self._handle_api)
        self.payment = Service("payment-svc", self.database, self._handle_payment)
        self.auth = Service("auth-svc", self.database, self._handle_auth)
        self.services = {service.name: service for service in (self.api, self.payment, self.auth)}
        self.clients = Measurements(CpuMeter(cores=1))
        self.versions: dict[str, str] = {}
        self.faults = Faults()
        self._demands = draw_demands(random, per_second)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def names(self) -> list[str]:
        """Every service, the database last."""
        return [*self.services, self.database.name]

    @property
    def logs(self) -> dict[str, Logbook]:
        """The log of each service."""
        return {name: service.log for name, service in self.services.items()} | {"postgres": self.database.log}

    async def deploy(self, name: str, environment: Environment) -> None:
        """Put `environment` into service. A database that runs already is restarted."""
        if name in self.services:
            await self.services[name].deploy(environment)
        elif name in self.versions:
            await self.database.restart()
        self.versions[name] = environment.version

    def break_by(self, service: str | None, order: dict[str, Any]) -> None:
        """Order faults of a service, or of the fleet. Raises ValueError."""
        if service in self.services:
            set_fields(self.services[service].fault, order)
            self.services[service].apply_fault()
        else:
            set_fields(self.faults, order)
            self.database.factor = self.faults.database_factor

    def open_to_clients(self) -> None:
        """Start the steady load."""
        self._keep(asyncio.create_task(self._send_load()))

    async def stop(self) -> None:
        """End the load, every request and every worker."""
        for service in self.services.values():
            service.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send_load(self) -> None:
        next_at = time.monotonic()
        for demand in self._demands:
            next_at += demand.pause_s / self.faults.surge
            behind = time.monotonic() - next_at
            if behind > LONGEST_LAG_S:  # the machine slept; clients would not have saved up requests
                next_at += behind
            elif behind < 0:
                await asyncio.sleep(-behind)
            self._keep(asyncio.create_task(self._send(demand)))

    async def _send(self, demand: Demand) -> None:
        # A failure is counted and logged where it happened; the client has nothing to add.
        with suppress(RequestFailed):
            await self.api.call(self.clients, demand, CLIENT_LIMIT_S)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle_api(self, worker: Worker, demand: Demand) -> None:
        await worker.compute(API_CPU_S * worker.release.cpu_factor)
        if demand.luck < worker.release.error_share:
            raise RequestFailed("500", f"{worker.name}: {worker.release.error}")
        await _call(self.auth, worker, demand, AUTH_LIMIT_S)
        await worker.query(demand.api_query * worker.environment.query_ms / 1000, API_STATEMENT)
        if demand.pays:
            await _call(self.payment, worker, demand, PAYMENT_LIMIT_S)

    async def _handle_payment(self, worker: Worker, demand: Demand) -> None:
        await worker.compute(PAYMENT_CPU_S)
        await _call(self.auth, worker, demand, AUTH_LIMIT_S)
        await worker.query(demand.payment_query * worker.environment.query_ms / 1000, PAYMENT_STATEMENT)

    async def _handle_auth(self, worker: Worker, demand: Demand) -> None:
        await worker.compute(AUTH_CPU_S)
        await worker.query(demand.auth_query * worker.environment.query_ms / 1000, AUTH_STATEMENT)


async def _call(target: Service, worker: Worker, demand: Demand, limit_s: float) -> None:
    """Call a dependency; its failure is the caller's 502, or 504 when it was too slow."""
    try:
        await target.call(worker.measurements, demand, limit_s)
    except RequestFailed as failure:
        status = "504" if failure.status == "504" else "502"
        raise RequestFailed(status, f"{target.name} answered {failure.status}") from None
