"""The physics: a pool that queues, a database that shares, a stream of requests that replays."""

import asyncio
import statistics
from itertools import islice
from random import Random

import pytest

from sandbox.fleet.database import MAX_CONNECTIONS, PROCESSORS, Database, DatabaseRefused
from sandbox.fleet.demand import CHECKOUT_SHARE, REQUESTS_PER_SECOND, draw_demands
from sandbox.fleet.logbook import BURST, KEPT_LINES, Logbook
from sandbox.fleet.measurements import CpuMeter, Measurements, RecentDurations
from sandbox.fleet.pool import ConnectionPool, PoolTimeout


def database() -> Database:
    return Database(Measurements(CpuMeter(cores=PROCESSORS)), Logbook("postgres"))


async def test_connections_are_handed_out_in_the_order_of_asking() -> None:
    pool = ConnectionPool(size=1, timeout_s=5)
    order = []

    async def use(name: str) -> None:
        async with pool.connection():
            order.append(name)
            await asyncio.sleep(0)
            assert pool.active == 1

    await asyncio.gather(*(use(name) for name in "abcdef"))
    assert order == list("abcdef")
    assert (pool.active, pool.waiting) == (0, 0)


async def test_a_wait_that_is_too_long_says_who_holds_and_who_waits() -> None:
    pool = ConnectionPool(size=1, timeout_s=0.02)
    async with pool.connection():
        with pytest.raises(PoolTimeout, match=r"within 20 ms \(pool size 1, 1 active, 0 waiting\)"):
            async with pool.connection():
                pytest.fail("there was no connection to give")
    assert (pool.active, pool.waiting) == (0, 0)


async def test_a_caller_that_is_cut_off_while_it_waits_takes_no_connection_with_it() -> None:
    pool = ConnectionPool(size=1, timeout_s=5)

    async def use() -> None:
        async with pool.connection():
            pytest.fail("it was cut off before its turn")

    async with pool.connection():
        waiter = asyncio.create_task(use())
        while not pool.waiting:
            await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait([waiter])
    async with asyncio.timeout(30), pool.connection():
        assert (pool.active, pool.waiting) == (1, 0)


async def test_a_caller_that_is_cut_off_in_the_moment_of_its_turn_passes_the_connection_on() -> None:
    pool = ConnectionPool(size=1, timeout_s=5)

    async def use() -> None:
        async with pool.connection():
            await asyncio.sleep(0)

    async with pool.connection():
        first, second = asyncio.create_task(use()), asyncio.create_task(use())
        while pool.waiting < 2:
            await asyncio.sleep(0)
    assert (pool.active, pool.waiting) == (1, 1)  # handed over to the first, which does not run yet
    first.cancel()
    await asyncio.wait([first, second])
    assert first.cancelled()
    assert second.exception() is None
    assert (pool.active, pool.waiting) == (0, 0)


async def test_the_database_refuses_more_than_its_limit_of_connections() -> None:
    postgres, caller = database(), Measurements(CpuMeter(cores=1))
    queries = [asyncio.create_task(postgres.query(caller, 0.05, "SELECT 1")) for _ in range(MAX_CONNECTIONS)]
    while postgres.active < MAX_CONNECTIONS:
        await asyncio.sleep(0)
    with pytest.raises(DatabaseRefused, match="too many clients"):
        await postgres.query(caller, 0.05, "SELECT 1")
    await asyncio.gather(*queries)
    assert (postgres.active, caller.queries.count) == (0, MAX_CONNECTIONS)


async def test_queries_beyond_the_processors_slow_each_other_down() -> None:
    postgres, crowded = database(), Measurements(CpuMeter(1))
    alone = [Measurements(CpuMeter(1)) for _ in range(3)]
    for each in alone:
        await postgres.query(each, 0.2, "SELECT 1")
    await asyncio.gather(*(postgres.query(crowded, 0.2, "SELECT 1") for _ in range(3 * PROCESSORS)))
    quickest = min(each.queries.sum_ms for each in alone)  # a busy machine may hold one of them up
    assert crowded.queries.sum_ms / crowded.queries.count > 1.2 * quickest


async def test_a_database_that_restarts_refuses_connections_and_comes_back() -> None:
    postgres, caller = database(), Measurements(CpuMeter(1))
    restart = asyncio.create_task(postgres.restart())
    await asyncio.sleep(0)
    with pytest.raises(DatabaseRefused, match="Connection refused"):
        await postgres.query(caller, 0.001, "SELECT 1")
    await restart
    await postgres.query(caller, 0.001, "SELECT 1")


def test_the_same_seed_gives_the_same_requests_and_another_seed_others() -> None:
    def first_thousand(seed: int) -> list[object]:
        return list(islice(draw_demands(Random(seed)), 1000))

    assert first_thousand(7) == first_thousand(7)
    assert first_thousand(7) != first_thousand(8)


def test_the_load_has_the_rate_the_share_and_the_mean_work_it_promises() -> None:
    demands = list(islice(draw_demands(Random(7)), 20_000))
    assert statistics.fmean(d.pause_s for d in demands) == pytest.approx(1 / REQUESTS_PER_SECOND, rel=0.05)
    assert statistics.fmean(d.pays for d in demands) == pytest.approx(CHECKOUT_SHARE, rel=0.05)
    assert statistics.fmean(d.api_query for d in demands) == pytest.approx(1, rel=0.02)


def test_quantiles_are_those_of_the_durations_and_absent_without_any() -> None:
    recent = RecentDurations()
    assert recent.quantiles_ms(0.5, 0.99) == []
    for number in range(1, 101):
        recent.add(number / 1000)
    assert recent.quantiles_ms(0.5, 0.9, 0.99) == pytest.approx([50, 90, 99])


def test_a_flood_of_lines_is_bounded_and_counted_but_events_get_through() -> None:
    log = Logbook("api-server")
    for number in range(500):
        log.write("ERROR", f"request {number}")
    log.event("ERROR", "worker killed")
    lines = log.read(None, since=0)
    assert BURST <= len(lines) - 1 < 2 * BURST
    assert log.dropped == 500 - (len(lines) - 1)
    assert lines[-1].message == "worker killed"


def test_the_log_keeps_the_newest_lines_in_bounded_memory() -> None:
    log = Logbook("api-server")
    for number in range(KEPT_LINES + 10):
        log.event("INFO", str(number))
    lines = log.read("INFO", since=0)
    assert (len(lines), lines[0].message, log.dropped) == (KEPT_LINES, "10", 10)
