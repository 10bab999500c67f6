"""Two replicas' turns on one PostgreSQL: a thread has one run, whichever replica hears what people write in it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import pytest

from sre_bot.agent.events import Outcome, RunEnded, Steered
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Turn, TurnEnd, TurnState
from sre_bot.incidents.runs import Claim
from sre_bot.workflows.circumstances import Circumstances
from sre_bot.workflows.recovery import Recovery
from sre_bot.workflows.turns import ELSEWHERE, STOPPED, WITHDRAWN, Turns

from .agents import Agents
from .room import Room, prompt


@dataclass
class Replica:
    """One of them; its agents answer when it is told to let them go on."""

    name: str
    ledger: Ledger
    in_all: int = 10
    room: Room = field(default_factory=Room)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.agents = Agents(self._ready)
        self.around = Circumstances(replica=self.name, alone=False, in_all=self.in_all)
        self.turns = Turns(self.ledger, self.agents, self.room, self.around)  # type: ignore[arg-type]  # stands in

    async def _ready(self) -> None:
        await self.go_on.wait()

    async def recover(self) -> None:
        await Recovery(self.ledger, self.room, self.turns, self.around).recover()

    async def turn(self, ts: str, thread_ts: str = "1.0") -> Turn:
        found = await self.ledger.runs.find("C1", thread_ts, ts)
        assert found
        return found

    async def runs(self, ts: str) -> None:
        """Wait until the agent is at work on a prompt."""
        async with asyncio.timeout(30):
            while not self.room.text(ts):
                await asyncio.sleep(0.01)

    async def replies(self, ts: str) -> None:
        """Wait until people see that a prompt was read, whether or not its run has begun."""
        async with asyncio.timeout(30):
            while ts not in self.room.replies:
                await asyncio.sleep(0.01)

    async def is_in(self, ts: str, state: TurnState, thread_ts: str = "1.0") -> Turn:
        async with asyncio.timeout(30):
            while (found := await self.turn(ts, thread_ts)).state is not state:
                await asyncio.sleep(0.02)
        return found


@pytest.fixture
async def make(postgres_url: str) -> AsyncIterator[Callable[..., object]]:
    async with AsyncExitStack() as stack:

        async def replica(name: str, in_all: int = 10) -> Replica:
            ledger = await Ledger.open(postgres_url)
            stack.push_async_callback(ledger.close)
            await ledger.replicas.join(name)
            made = Replica(name, ledger, in_all)
            stack.push_async_callback(made.turns.close)
            made.turns.open()
            return made

        yield replica


@pytest.fixture
async def pair(make) -> tuple[Replica, Replica]:
    return await make("A"), await make("B")


async def test_what_arrives_elsewhere_is_taken_in_by_the_run(pair) -> None:
    a, b = pair
    await a.turns.submit(prompt("first", ts="2.0"))
    await a.runs("2.0")
    await b.turns.submit(prompt("and auth-svc?", ts="3.0"))
    async with asyncio.timeout(30):
        while b.room.acknowledged != ["3.0"]:
            await asyncio.sleep(0.01)

    taken = await a.is_in("3.0", TurnState.RUNNING)
    async with asyncio.timeout(30):
        while not any(isinstance(event, Steered) for event in a.room.replies["2.0"]):
            await asyncio.sleep(0.01)
    assert taken.owner == "A"
    assert "and auth-svc?" in a.agents.agents[0].told[1]
    await a.recover()  # looks around every few seconds, and must not begin what a run has in hand
    a.go_on.set()
    await a.is_in("2.0", TurnState.ANSWERED)
    await a.is_in("3.0", TurnState.ANSWERED)
    assert b.agents.agents == []
    assert b.room.replies == {}
    assert len(a.agents.agents[0].told) == 2


async def test_stop_elsewhere_stops_the_run(pair) -> None:
    a, b = pair
    assert not await b.turns.stop("C1", "1.0")
    await a.turns.submit(prompt("first", ts="2.0"))
    await a.runs("2.0")
    assert await b.turns.stop("C1", "1.0")
    (end,) = await a.room.ends(1)
    assert (end.outcome, end.reason) == (Outcome.STOPPED, STOPPED)
    assert (await a.is_in("2.0", TurnState.STOPPED)).reason == STOPPED


async def test_stop_elsewhere_also_stops_what_waits_for_a_place(make) -> None:
    a, b = await make("A", in_all=1), await make("B", in_all=1)
    await a.turns.submit(prompt("first", ts="1.0", thread_ts="1.0"))
    await a.runs("1.0")
    await b.turns.submit(prompt("second", ts="2.0", thread_ts="2.0"))
    await b.replies("2.0")
    assert await a.turns.stop("C1", "2.0")
    await b.is_in("2.0", TurnState.STOPPED, thread_ts="2.0")
    (end,) = await b.room.ends(1)
    assert end.outcome is Outcome.STOPPED
    assert (await a.turn("1.0")).state is TurnState.RUNNING


async def test_after_another_replica_spoke_the_warm_session_is_not_used(pair) -> None:
    a, b = pair
    for replica in pair:
        replica.go_on.set()
    for number, (replica, ts) in enumerate(((a, "2.0"), (a, "3.0"), (b, "4.0"), (a, "5.0")), start=1):
        await replica.turns.submit(prompt("again", ts=ts))
        await replica.is_in(ts, TurnState.ANSWERED)
        assert len(await a.ledger.turns_of((await a.turn(ts)).thread_id)) == number
    (first, resumed_at_first), (second, resumed_at_last) = a.agents.started
    assert first == second == b.agents.started[0][0]
    assert (resumed_at_first, b.agents.started[0][1], resumed_at_last) == (False, True, True)


async def test_an_edit_that_arrives_elsewhere_is_followed_while_the_prompt_waits(make) -> None:
    a, b = await make("A", in_all=1), await make("B", in_all=1)
    await a.turns.submit(prompt("first", ts="1.0", thread_ts="1.0"))
    await a.runs("1.0")
    await b.turns.submit(prompt("to be changed", ts="2.0", thread_ts="2.0"))
    await a.turns.amend("C1", "2.0", "2.0", "changed")
    await a.turns.amend("C1", "1.0", "1.0", "too late")
    a.go_on.set()
    b.go_on.set()
    await b.is_in("2.0", TurnState.ANSWERED, thread_ts="2.0")
    assert "changed" in b.agents.agents[0].told[0]
    assert "to be" not in b.agents.agents[0].told[0]
    assert (await a.turn("1.0")).prompt == "first"


async def test_a_deletion_that_arrives_elsewhere_ends_what_waits_and_stops_what_runs(make) -> None:
    a, b = await make("A", in_all=1), await make("B", in_all=1)
    await a.turns.submit(prompt("first", ts="1.0", thread_ts="1.0"))
    await a.runs("1.0")
    await b.turns.submit(prompt("second", ts="2.0", thread_ts="2.0"))
    await b.replies("2.0")

    await a.turns.amend("C1", "2.0", "2.0", None)
    await b.turns.amend("C1", "1.0", "1.0", None)

    (ran,) = await a.room.ends(1)
    (waited,) = await b.room.ends(1)
    assert {(end.outcome, end.reason) for end in (ran, waited)} == {(Outcome.STOPPED, WITHDRAWN)}
    assert (await a.is_in("1.0", TurnState.STOPPED)).reason == WITHDRAWN
    assert b.agents.agents == []


async def test_deleting_what_a_run_took_in_does_not_stop_the_run(pair) -> None:
    a, b = pair
    await a.turns.submit(prompt("first", ts="2.0"))
    await a.runs("2.0")
    await b.turns.submit(prompt("more", ts="3.0"))
    await a.is_in("3.0", TurnState.RUNNING)
    await b.turns.amend("C1", "1.0", "3.0", None)
    await a.turns._hear_others()
    a.go_on.set()
    await a.is_in("2.0", TurnState.ANSWERED)


async def test_what_a_shutdown_leaves_is_taken_by_another_and_what_waited_is_not_begun(pair) -> None:
    a, b = pair
    await a.turns.submit(prompt("first", ts="2.0"))
    await a.runs("2.0")
    await b.turns.submit(prompt("elsewhere", ts="9.0", thread_ts="9.0"))
    await b.runs("9.0")
    await a.turns.submit(prompt("waits for B", ts="10.0", thread_ts="9.0"))
    await a.ledger.replicas.leave("A")
    async with asyncio.timeout(60):  # who waits for another replica does not hold up the end: that one has not ended
        await a.turns.close()
    assert [event.outcome for event in a.room.replies["2.0"] if isinstance(event, RunEnded)] == [Outcome.INTERRUPTED]

    async with b.ledger.replicas.taking_over("B", timedelta(hours=1)) as dead:
        assert dead == ["A"]
    b.go_on.set()
    await b.recover()
    await b.is_in("2.0", TurnState.ANSWERED)
    await b.is_in("10.0", TurnState.ANSWERED, thread_ts="9.0")


async def test_somebodys_stop_outlives_the_replica_that_should_have_heard_it(pair) -> None:
    a, b = pair
    thread = await a.ledger.thread("C1", "1.0", team="T1", started_by="U1")
    turn = await a.ledger.queue_turn(thread.id, turn_id=uuid4(), prompt_ts="2.0", author="U1", prompt="?", owner="B")
    await a.ledger.runs.begin(turn.id, "B", 10)
    assert await a.turns.stop("C1", "1.0")
    await b.recover()
    assert (await b.turn("2.0")).state is TurnState.STOPPED
    assert b.room.closed == [(turn.id, 1, STOPPED)]
    assert b.agents.agents == []


async def test_a_turn_that_another_replica_has_by_now_ends_in_words_and_is_not_recorded(pair) -> None:
    a, b = pair
    await a.turns.submit(prompt("first", ts="2.0"))
    await a.runs("2.0")
    turn = await a.turn("2.0")
    await a.ledger.runs.put_back(turn.id, "A", to="B")  # as when A was taken for dead
    await a.turns._hear_others()  # before B begins it
    assert len(a.agents.agents[0].told) == 1, "its own words are not told to it once more"
    assert await b.ledger.runs.begin(turn.id, "B", 10) is Claim.BEGUN
    a.go_on.set()
    await a.room.ends(1)
    async with asyncio.timeout(30):
        while a.turns.holds(turn.id):
            await asyncio.sleep(0.01)
    assert (await b.turn("2.0")).state is TurnState.RUNNING
    assert await b.ledger.end_turn(turn.id, TurnEnd(TurnState.ANSWERED), owner="B")


async def test_what_another_replica_took_before_its_turn_came_is_told_so(make) -> None:
    a, b = await make("A", in_all=1), await make("B", in_all=1)
    await a.turns.submit(prompt("first", ts="1.0", thread_ts="1.0"))
    await a.runs("1.0")
    await b.turns.submit(prompt("second", ts="2.0", thread_ts="2.0"))
    await b.replies("2.0")
    assert await a.ledger.runs.take_in((await b.turn("2.0", "2.0")).id, "A")
    (end,) = await b.room.ends(1)
    assert (end.outcome, end.reason) == (Outcome.ANSWERED, ELSEWHERE)
    assert (await b.turn("2.0", "2.0")).state is TurnState.RUNNING
