"""Leases by the database's clock: who is alive, and that what a dead replica left has one heir."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from sre_bot.errors import LedgerError
from sre_bot.incidents import Ledger, Turn, TurnEnd, TurnState

from .conftest import OpenLedger

SOON = timedelta(seconds=0.2)
LONG = timedelta(hours=1)


async def turn_of(ledger: Ledger, owner: str, thread_ts: str = "1.0") -> Turn:
    thread = await ledger.thread("C1", thread_ts, team="T1", started_by="U1")
    return await ledger.queue_turn(thread.id, turn_id=uuid4(), prompt_ts="1.0", author="U1", prompt="why?", owner=owner)


async def owner_of(ledger: Ledger, turn: Turn) -> str:
    found = await ledger.runs.read(turn.id)
    assert found
    return found.owner


async def take_over(ledger: Ledger, heir: str, ttl: timedelta) -> list[str]:
    async with ledger.replicas.taking_over(heir, ttl) as dead:
        return dead


async def test_one_that_beats_is_alive_and_one_that_does_not_is_dead(ledger: Ledger) -> None:
    await ledger.replicas.join("A")
    await ledger.replicas.join("B")
    assert await take_over(ledger, "A", LONG) == []

    dead: list[str] = []
    async with asyncio.timeout(60):
        while not dead:
            assert await ledger.replicas.beat("A")
            dead = await take_over(ledger, "A", SOON)
    assert dead == ["B"]
    assert await ledger.replicas.beat("A")
    assert not await ledger.replicas.beat("B"), "it finds that others took it for dead"


async def test_nobody_takes_itself_for_dead(ledger: Ledger) -> None:
    await ledger.replicas.join("A")
    await ledger.replicas.leave("A")
    assert await take_over(ledger, "A", SOON) == []
    assert await ledger.replicas.beat("A")


async def test_one_that_leaves_is_taken_over_at_once_with_what_it_had(ledger: Ledger) -> None:
    for name in "ABC":
        await ledger.replicas.join(name)
    left, others, nobodys = [await turn_of(ledger, owner, owner or "?") for owner in ("A", "C", "")]
    answered = await turn_of(ledger, "A", "9.0")
    await ledger.end_turn(answered.id, TurnEnd(TurnState.FAILED))
    await ledger.replicas.leave("A")

    assert await take_over(ledger, "B", LONG) == ["A"]

    owners = [await owner_of(ledger, turn) for turn in (left, others, nobodys, answered)]
    assert owners == ["B", "C", "B", "A"]
    assert await ledger.replicas.count() == 2


async def test_joining_again_renews_a_lease(ledger: Ledger) -> None:
    await ledger.replicas.join("A")
    await ledger.replicas.leave("A")
    await ledger.replicas.join("A")
    assert await take_over(ledger, "B", LONG) == []


async def test_a_takeover_that_fails_leaves_all_as_it_was(ledger: Ledger) -> None:
    await ledger.replicas.join("A")
    await ledger.replicas.join("B")
    turn = await turn_of(ledger, "A")
    await ledger.replicas.leave("A")

    async def break_off() -> None:
        async with ledger.replicas.taking_over("B", LONG) as dead:
            assert dead == ["A"]
            raise LedgerError("the engine is away")

    with pytest.raises(LedgerError, match="the engine is away"):
        await break_off()

    assert await owner_of(ledger, turn) == "A"
    assert await take_over(ledger, "B", LONG) == ["A"], "the next attempt finds it again"
    assert await owner_of(ledger, turn) == "B"


async def test_of_two_heirs_at_once_one_has_all(ledger: Ledger, url: str, open_ledger: OpenLedger) -> None:
    heirs = {"B": ledger, "C": await open_ledger(url)}
    for name in "ABC":
        await ledger.replicas.join(name)
    turns = [await turn_of(ledger, "A", f"{n}.0") for n in range(5)]
    await ledger.replicas.leave("A")
    inside: list[str] = []

    async def inherit(name: str) -> list[str]:
        async with heirs[name].replicas.taking_over(name, LONG) as dead:
            inside.append(name)
            await asyncio.sleep(0)
            assert inside == [name], "one replica at a time is in there"
            inside.clear()
        return dead

    found = await asyncio.gather(*map(inherit, heirs))

    assert sorted(found) == [[], ["A"]]
    owners = {await owner_of(ledger, turn) for turn in turns}
    assert len(owners) == 1
    assert owners < {"B", "C"}
