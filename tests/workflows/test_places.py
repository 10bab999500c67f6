"""Places for runs: urgent ones first, in the order of coming, and none is lost to somebody who goes away."""

import asyncio

import pytest

from sre_bot.incidents.paging import Urgency
from sre_bot.workflows.places import Places

HIGH, LOW = Urgency


class Line:
    """Runs that note when they have a place, and keep it until they are let go."""

    def __init__(self, number: int) -> None:
        self.places = Places(number)
        self.began: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, urgency: Urgency = HIGH) -> asyncio.Task[None]:
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._run(name, urgency))
        await self.turn_over()
        return self._tasks[name]

    async def let_go(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await self.turn_over()

    async def turn_over(self) -> None:
        """Let everybody who can go on do so."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def _run(self, name: str, urgency: Urgency) -> None:
        async with self.places.hold(urgency):
            self.began.append(name)
            await self._ends[name].wait()


async def test_those_who_come_when_all_is_taken_wait_in_order() -> None:
    line = Line(1)
    for name in "abc":
        await line.come(name)
    assert line.began == ["a"]
    assert line.places.all_taken
    for name in "abc":
        await line.let_go(name)
    assert line.began == ["a", "b", "c"]
    assert not line.places.all_taken


async def test_urgent_ones_go_before_those_who_came_earlier() -> None:
    line = Line(1)
    await line.come("a", LOW)
    await line.come("low", LOW)
    await line.come("high", HIGH)
    await line.come("higher, but later", HIGH)
    for name in ("a", "high", "higher, but later", "low"):
        await line.let_go(name)
    assert line.began == ["a", "high", "higher, but later", "low"]


async def test_a_thread_that_comes_again_stands_behind_the_others() -> None:
    line = Line(1)
    await line.come("a1")
    await line.come("b1")
    await line.let_go("a1")
    await line.come("a2")
    await line.come("c1")
    for name in ("b1", "a2", "c1"):
        await line.let_go(name)
    assert line.began == ["a1", "b1", "a2", "c1"]


async def test_one_who_goes_away_while_waiting_loses_nobody_a_place() -> None:
    line = Line(1)
    await line.come("a")
    away = await line.come("b")
    await line.come("c")
    away.cancel()
    await line.let_go("a")
    assert line.began == ["a", "c"]
    await line.let_go("c")
    assert not line.places.all_taken


async def test_one_who_goes_away_in_the_moment_that_gives_it_the_place_passes_it_on() -> None:
    places = Places(1)
    first = places.hold(HIGH)
    await first.__aenter__()

    async def hold() -> str:
        async with places.hold(HIGH):
            return "had it"

    away, other = asyncio.create_task(hold()), asyncio.create_task(hold())
    await asyncio.sleep(0)
    await first.__aexit__(None, None, None)
    away.cancel()
    assert await other == "had it"
    with pytest.raises(asyncio.CancelledError):
        await away
    assert not places.all_taken


async def test_a_run_that_breaks_gives_its_place_back() -> None:
    places = Places(1)

    async def broken() -> None:
        async with places.hold(HIGH):
            raise RuntimeError("it broke")

    with pytest.raises(RuntimeError, match="it broke"):
        await broken()
    assert not places.all_taken
