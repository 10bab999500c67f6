"""Pasts that cannot be waited for, written into Prometheus before it starts: a slow leak, and an alert that comes late.

Both are extrapolated from the running fleet, as the healthy hour of the benchmarks is.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp

from benchmarks.history import INTERVAL, LENGTH, Samples, rates_between, scrape, write_blocks

SETTLE, BETWEEN = 8.0, 8.0  # seconds before and between two looks at the fleet
LATE = 12 * 60  # seconds that the alert comes late
LEAKED = 0.965  # of the memory limit, at the end of the hour
SLOW_MS = 900.0
MEMORY = 'container_memory_usage_ratio{service="payment-svc"'
STEPS = ((4.0, 0.8), (0.5, LEAKED - 0.01))
"""MiB that each request keeps, and until which use, while the live fleet is brought to the end of the written hour; in
small steps at the end, since a worker that oversteps its limit is killed and begins anew."""


async def slow_leak(fleet: str, data: Path) -> None:
    """Memory of payment-svc that rises for an hour, and the live service where the hour ends."""
    after, rates = await rates_between(fleet, SETTLE, BETWEEN)
    for step, until in STEPS:
        await order(fleet, "payment-svc", leak_mib=step)
        async with asyncio.timeout(60):
            while max(v for k, v in (await scrape(fleet)).items() if k.startswith(MEMORY)) < until:
                await asyncio.sleep(0.1)
    await order(fleet, "payment-svc", leak_mib=0.0)
    await asyncio.to_thread(write_blocks, list(_leaking(after, rates, time.time())), data)


async def late_alert(fleet: str, data: Path) -> None:
    """A payment-svc that has waited for something outside for LATE seconds, and still does."""
    calm, healthy = await rates_between(fleet, SETTLE, BETWEEN)
    await order(fleet, "payment-svc", extra_ms=SLOW_MS)
    broken, rates = await rates_between(fleet, SETTLE, BETWEEN)
    await asyncio.to_thread(write_blocks, list(_turning(calm, healthy, broken, rates, time.time())), data)


async def order(fleet: str, service: str | None, **faults: object) -> None:
    """Order faults of the fleet."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{fleet}/sandbox/faults", json={"service": service, "faults": faults}) as answer,
    ):
        answer.raise_for_status()


def _leaking(samples: Samples, rates: Mapping[str, float], end: float) -> Iterator[str]:
    for series, value in samples.items():
        for age in range(LENGTH, -1, -INTERVAL):
            past = (LENGTH - age) / LENGTH
            shown = rates[series] * (LENGTH - age) if series in rates else value
            if series.startswith(MEMORY):
                shown = value + (LEAKED - value) * past
            yield f"{series} {shown} {end - age:.3f}"
    yield "# EOF"


def _turning(
    calm: Samples, healthy: Mapping[str, float], broken: Samples, since: Mapping[str, float], end: float
) -> Iterator[str]:
    """Healthy rates and gauges up to LATE seconds before the end, then the broken ones."""
    for series in broken:
        total = 0.0
        for age in range(LENGTH, -1, -INTERVAL):
            late = age <= LATE
            if series in since:
                total += INTERVAL * (since[series] if late else healthy.get(series, 0.0))
                yield f"{series} {total} {end - age:.3f}"
            else:
                yield f"{series} {broken[series] if late else calm.get(series, broken[series])} {end - age:.3f}"
    yield "# EOF"
