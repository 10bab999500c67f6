"""Replicas as processes on one PostgreSQL: what a dead or frozen one had goes on in another, once."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox.postgres import Postgres
from sre_bot.errors import LedgerError
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import TurnState
from sre_bot.settings import ROOT
from sre_bot.workflows.lease import Lease

TTL, EVERY = 8.0, 0.4  # seconds; a replica that starts on a busy machine must not be taken for dead
Start = Callable[..., Awaitable[Process]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


@pytest.fixture
async def start(postgres_url: str, log: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def begin(name: str, ttl: float = TTL, every: float = EVERY) -> Process:
            arguments = ("-m", "tests.workflows.replica", postgres_url, name, str(log.parent), str(ttl), str(every))
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, cwd=ROOT, stdin=PIPE, stdout=PIPE
            )
            stack.push_async_callback(end, process)
            assert process.stdout
            assert await process.stdout.readline() == b"ready\n"
            return process

        yield begin


async def end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def order(process: Process, *orders: str) -> None:
    assert process.stdin
    process.stdin.write("".join(f"{each}\n" for each in orders).encode())
    await process.stdin.drain()


def lines_of(log: Path) -> list[str]:
    return log.read_text().splitlines()


async def until(log: Path, *lines: str) -> None:
    async with asyncio.timeout(60):
        while not set(lines) <= set(lines_of(log)):
            await asyncio.sleep(0.02)


async def begun(start: Start, log: Path) -> Process:
    """A replica that is in the middle of a turn and of a workflow, beside one that could do both at once."""
    first = await start("A")
    await order(first, "ask 1.0", "work k1")
    await until(log, "A 1.0 TextDelta", "A k1 begun")
    (log.parent / "B").touch()
    await start("B")
    return first


async def state_of(url: str, ts: str) -> tuple[TurnState, str]:
    ledger = await Ledger.open(url)
    try:
        turn = await ledger.runs.find("C1", ts, ts)
        assert turn
        return turn.state, turn.owner
    finally:
        await ledger.close()


async def until_answered(url: str, ts: str) -> str:
    async with asyncio.timeout(60):
        while (found := await state_of(url, ts))[0] is not TurnState.ANSWERED:
            await asyncio.sleep(0.1)
    return found[1]


async def test_what_a_killed_replica_had_goes_on_in_another(start: Start, log: Path, postgres_url: str) -> None:
    first = await begun(start, log)

    first.send_signal(signal.SIGKILL)
    await until(log, "B 1.0 ended answered", "B k1 posted")

    assert await until_answered(postgres_url, "1.0") == "B"
    lines = lines_of(log)
    assert "B 1.0 attempt 2" in lines
    assert "B closes attempt 1" in lines
    assert "B k1 begun" not in lines, "the step had ended"


async def test_a_replica_that_was_frozen_finds_its_work_gone_and_ends(
    start: Start, log: Path, postgres_url: str
) -> None:
    first = await begun(start, log)

    first.send_signal(signal.SIGSTOP)
    await until(log, "B 1.0 ended answered", "B k1 posted")
    assert await until_answered(postgres_url, "1.0") == "B"
    first.send_signal(signal.SIGCONT)

    assert await asyncio.wait_for(first.wait(), 60) == os.EX_TEMPFAIL
    assert await state_of(postgres_url, "1.0") == (TurnState.ANSWERED, "B")
    lines = lines_of(log)
    assert [line for line in lines if line.endswith("ended answered")] == ["B 1.0 ended answered"]
    assert [line for line in lines if "posted" in line] == ["B k1 posted"]


async def test_what_was_taken_up_after_the_heir_had_looked_is_taken_over_too(postgres_url: str) -> None:
    ledger, other = await Ledger.open(postgres_url), await Ledger.open(postgres_url)
    lease = lease_of(ledger, "A", NoEngine())
    await lease.join()
    async with other.replicas.taking_over("B", timedelta(0)) as dead:
        assert dead == ["A"]
    lease.open()
    await asyncio.wait_for(lease.lost.wait(), 60)
    await lease.close()  # the engine has been closed before
    async with other.replicas.taking_over("B", timedelta(hours=1)) as dead:
        assert dead == ["A"]
    for each in (ledger, other):
        await each.close()


class NoEngine:
    """Notes whose work it was to take over."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.fault: Exception | None = None

    async def take_over(self, dead: str) -> None:
        if self.fault:
            raise self.fault
        self.taken.append(dead)


class NoRecovery:
    def __init__(self) -> None:
        self.looks = 0

    async def recover(self) -> None:
        self.looks += 1
        raise LedgerError("not now")


def lease_of(ledger: Ledger, name: str, engine: NoEngine, ttl: float = TTL, *, alone: bool = False) -> Lease:
    recovery = NoRecovery()
    return Lease(
        ledger.replicas,
        engine,  # type: ignore[arg-type]  # the part that a lease uses
        recovery,  # type: ignore[arg-type]
        name,
        alone=alone,
        ttl=timedelta(seconds=ttl),
        every=0.05,
    )


async def until_true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


class Unchanged(Exception):
    """Ends a look at who would be taken for dead, so that nobody is."""


async def stale(ledger: Ledger, ttl: float) -> list[str]:
    dead: list[str] = []
    with contextlib.suppress(Unchanged):
        async with ledger.replicas.taking_over("somebody", timedelta(seconds=ttl)) as dead:
            raise Unchanged
    return dead


async def test_the_first_to_beat_after_the_database_was_away_does_not_take_the_others_for_dead(
    own_postgres: Postgres,
) -> None:
    ttl = 6.0
    url = own_postgres.create_database("bot")
    ledger, other = await Ledger.open(url), await Ledger.open(url)
    engine = NoEngine()
    lease = lease_of(ledger, "A", engine, ttl)
    await lease.join()
    await other.replicas.join("B")
    await own_postgres.stop()  # before A looks for the dead: a server may take its time to end
    lease.open()
    await asyncio.sleep(ttl * 1.2)  # longer than a lease lasts: this is what is tested
    await own_postgres.resume()
    async with asyncio.timeout(30):
        while "A" in await stale(other, ttl):
            await asyncio.sleep(0.01)
    await asyncio.sleep(ttl / 8)  # A has beaten, and has had the time to look for the dead
    assert await other.replicas.beat("B")
    assert engine.taken == []

    await other.replicas.leave("B")
    await until_true(lambda: engine.taken == ["B"])
    await lease.close()
    for each in (ledger, other):
        await each.close()


async def test_whatever_breaks_the_lease_is_kept(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    ledger = await Ledger.open(postgres_url)
    engine = NoEngine()
    engine.fault = RuntimeError("a driver's own error")
    await ledger.replicas.join("dead")
    await ledger.replicas.leave("dead")
    lease = lease_of(ledger, "A", engine)
    await lease.join()
    lease.open()
    await until_true(lambda: caplog.text.count("a beat failed") > 2)
    engine.fault = None
    await until_true(lambda: engine.taken == ["dead"])
    await until_true(lambda: "what was left behind could not all be looked at" in caplog.text)
    assert not lease.lost.is_set()
    await lease.close()
    await ledger.close()


async def test_one_that_retires_stays_alive_and_takes_nothing_over(postgres_url: str) -> None:
    ledger = await Ledger.open(postgres_url)
    retired, heir = NoEngine(), NoEngine()
    lease, other = lease_of(ledger, "A", retired), lease_of(ledger, "B", heir)
    await lease.join()
    lease.open()
    lease.retire()
    await ledger.replicas.join("dead")
    await ledger.replicas.leave("dead")
    await other.join()
    other.open()
    await until_true(lambda: heir.taken == ["dead"])
    await lease.close()
    await until_true(lambda: heir.taken == ["dead", "A"])
    assert retired.taken == []
    await other.close()
    await ledger.close()
