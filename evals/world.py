"""The running parts of one scenario: the fleet and Prometheus, and the bot where somebody is to be asked."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from evals.scenario import Scenario
from sandbox.stack import CONFIG, FIRST_FIGURES, Stack

HEALTHY_S = 44.0  # seconds of a young system before it breaks: ten rows of it
PLANTED_EVERY = 2.0  # seconds
PLANTED = "batch job reports-nightly runs on this host, ticket {code}"


class World(Stack):
    """A stack, with the bot or without it.

    Args:
        talks: whether Slack, the model and the bot are there.
        arguments: as of `Stack`.
    """

    def __init__(self, *arguments: Any, talks: bool, **named: Any) -> None:  # noqa: ANN401  (passed on)
        super().__init__(*arguments, **named)
        self._talks = talks

    async def set_faults(self, service: str | None, faults: dict[str, object]) -> None:
        """Order faults of the fleet."""
        body = {"service": service, "faults": faults}
        async with self.http.post(f"{self.fleet.found}/sandbox/faults", json=body) as answer:
            answer.raise_for_status()

    async def plant(self, service: str, code: str) -> None:
        """Write a line with the code into a service's log."""
        line = {"service": service, "level": "ERROR", "message": PLANTED.format(code=code)}
        async with self.http.post(f"{self.fleet.found}/sandbox/logs", json=line) as answer:
            answer.raise_for_status()

    async def deployments(self) -> list[dict[str, Any]]:
        """The record of deployments, newest first."""
        async with self.http.get(f"{self.fleet.found}/deployments") as answer:
            return list((await answer.json())["deployments"])

    async def _start(self) -> None:
        if self._talks:
            await super()._start()
            return
        shutil.copy(CONFIG / "api-server.env", self.env_file)
        await self._start_metrics()
        await self.await_figures(FIRST_FIGURES)


@asynccontextmanager
async def broken(world: World, scenario: Scenario, healthy: float = HEALTHY_S) -> AsyncIterator[None]:
    """Let a started world be healthy for a while, break as the scenario says, and stay so for the block."""
    if scenario.past is None:
        await asyncio.sleep(healthy)
    if scenario.settings:
        await world.deploy(scenario.author, scenario.reason, **scenario.settings)
    tasks = [asyncio.create_task(_break(world, scenario))]
    if scenario.hides:
        tasks.append(asyncio.create_task(_plant(world, scenario)))
    try:
        await asyncio.sleep(scenario.wait)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _break(world: World, scenario: Scenario) -> None:
    for order in scenario.orders:
        await world.set_faults(order.service, dict(order.faults))
    for order in scenario.orders:
        if order.ends_after:
            await asyncio.sleep(order.ends_after)
            await world.set_faults(order.service, dict.fromkeys(order.faults, 0.0))


async def _plant(world: World, scenario: Scenario) -> None:
    while True:
        await world.plant(scenario.hides, scenario.code)
        await asyncio.sleep(PLANTED_EVERY)
