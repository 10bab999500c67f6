"""The workers of one deployed version, each restarted with a growing back-off when it dies.

This is Kubernetes' CrashLoopBackOff on the scale of a demonstration: 1 s doubling to 4 s instead of
10 s doubling to 5 min, forgotten after a minute of health instead of ten.
"""

import asyncio
import time
from collections.abc import Callable

from sandbox.fleet.logbook import Logbook
from sandbox.fleet.measurements import Measurements
from sandbox.fleet.worker import PROBE_FAILURES, PROBE_PERIOD_S, Worker

BOOT_S = 0.3
BOOT_CPU_S = 0.2
BACK_OFF_S, LONGEST_BACK_OFF_S = 1.0, 4.0
HEALTHY_AGAIN_S = 60.0
DRAIN_S = 10.0  # the longest that a client waits for an answer


class Crew:
    """`size` workers made by `hire(number)`, and the task that keeps each of them alive."""

    def __init__(self, size: int, hire: Callable[[int], Worker], measurements: Measurements, log: Logbook) -> None:
        self.size = size
        self.ready: dict[int, Worker] = {}
        """The workers that take requests now, by number."""
        self._hire = hire
        self._measurements = measurements
        self._log = log
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Boot all workers together, then keep them alive in the background."""
        await self._boot_time()
        for number in range(1, self.size + 1):
            self.ready[number] = self._hire(number)
            self._keepers.append(asyncio.create_task(self._keep_alive(number)))

    async def retire(self) -> None:
        """Let the requests in flight end, for at most DRAIN_S seconds; then kill what is left."""
        self._dismiss_keepers()
        await asyncio.sleep(DRAIN_S)
        self.kill()

    def kill(self) -> None:
        """Stop every worker at once."""
        self._dismiss_keepers()
        for worker in self.ready.values():
            worker.kill()
        self.ready.clear()

    def _dismiss_keepers(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        self._keepers.clear()

    async def _keep_alive(self, number: int) -> None:
        back_off = BACK_OFF_S
        # Spread the first probes over the time that a dying worker is given, or all would die together.
        await asyncio.sleep(PROBE_FAILURES * PROBE_PERIOD_S * (number - 1) / self.size)
        while True:
            started = time.monotonic()
            reason = await self.ready[number].watch()
            self.ready.pop(number).kill()
            self._measurements.restarts += 1
            if time.monotonic() - started > HEALTHY_AGAIN_S:
                back_off = BACK_OFF_S
            self._log.event("ERROR", f"{reason}; CrashLoopBackOff: restart in {back_off:.0f} s")
            await asyncio.sleep(back_off)
            back_off = min(2 * back_off, LONGEST_BACK_OFF_S)
            await self._boot_time()
            self.ready[number] = self._hire(number)

    async def _boot_time(self) -> None:
        await asyncio.sleep(BOOT_S)
        self._measurements.cpu.charge(BOOT_CPU_S)
