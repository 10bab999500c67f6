"""Turns while the ledger fails, and at the edges of a run's life: nothing is lost, and nothing is held for ever."""

import asyncio

import pytest

from sre_bot.agent.events import Outcome
from sre_bot.errors import LedgerError
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import TurnState
from sre_bot.incidents.paging import Urgency
from sre_bot.workflows.circumstances import Circumstances
from sre_bot.workflows.people import Prompt
from sre_bot.workflows.turns import Turns

from .agents import Agents
from .room import Room, Shown, prompt, turn_states


class Desk:
    """Turns whose agents answer when they are let."""

    def __init__(self, ledger: Ledger, room: Room, around: Circumstances) -> None:
        self.go_on = asyncio.Event()
        self.around = around
        self.agents = Agents(self._ready)
        self.turns = Turns(ledger, self.agents, room, around)  # type: ignore[arg-type]  # stands in for the pool

    async def _ready(self) -> None:
        await self.go_on.wait()


async def until_answered(ledger: Ledger, count: int) -> None:
    async with asyncio.timeout(30):
        while await turn_states(ledger) != [TurnState.ANSWERED] * count:
            await asyncio.sleep(0.01)


async def test_a_prompt_that_could_not_be_recorded_is_in_no_hand(tmp_path, room) -> None:
    ledger = await Ledger.open(f"sqlite:///{tmp_path / 'l.db'}")
    desk = Desk(ledger, room, Circumstances())
    (tmp_path / "l.db").rename(tmp_path / "away.db")
    await ledger.close()
    (tmp_path / "l.db").mkdir()
    await desk.turns.submit(prompt("QUESTION"))
    assert "I could not take this on" in room.said[0]
    assert not desk.turns._in_hand
    await ledger.close()


async def test_a_question_of_the_bot_waits_where_what_monitoring_said_cannot_be_read(ledger, room) -> None:
    failing = True

    async def background(_channel: str, _thread_ts: str) -> str:
        if failing:
            raise LedgerError("the database is away")
        return "what monitoring said"

    desk = Desk(ledger, room, Circumstances())
    await desk.turns.submit(prompt("first", ts="2.0"))
    await room.spoken("2.0")
    desk.around.background = background
    assert await desk.turns.ask(Prompt("T1", "C1", "1.0", "auto:1", "", "look again"), Urgency.HIGH)
    failing = False
    desk.go_on.set()
    await until_answered(ledger, 2)
    assert "what monitoring said" in desk.agents.agents[-1].told[-1]
    async with asyncio.timeout(60):
        while desk.turns._in_hand:
            await asyncio.sleep(0.01)
    await desk.turns.close()


class SlowRoom(Room):
    """Opens a reply when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.opens = asyncio.Event()

    async def open_reply(self, prompt: Prompt, turn_id: object, attempt: int, *, search: bool = False) -> Shown:
        self.asked.set()
        await self.opens.wait()
        return await super().open_reply(prompt, turn_id, attempt)  # type: ignore[arg-type]  # not read there


async def test_a_run_that_begins_in_the_moment_of_a_shutdown_ends_with_it(ledger) -> None:
    room = SlowRoom()
    desk = Desk(ledger, room, Circumstances())
    await desk.turns.submit(prompt("QUESTION"))
    await room.asked.wait()
    closing = asyncio.create_task(desk.turns.close())
    await asyncio.sleep(0)
    room.opens.set()
    await asyncio.wait_for(closing, 10)
    (end,) = await room.ends(1)
    assert end.outcome is Outcome.INTERRUPTED
    assert await turn_states(ledger) == [TurnState.QUEUED], "the next process goes on with it"
    assert desk.agents.agents == []


class DeafRoom(Room):
    """Lets a test stop a run while its message is being acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: Turns | None = None

    async def acknowledge(self, prompt: Prompt) -> None:
        await super().acknowledge(prompt)
        assert self.turns
        assert await self.turns.stop(prompt.channel, prompt.thread_ts)


async def test_a_stop_is_heard_before_the_run_has_a_task(ledger) -> None:
    room = DeafRoom()
    desk = Desk(ledger, room, Circumstances(concurrent=1))
    room.turns = desk.turns
    await desk.turns.submit(prompt("QUESTION", ts="1.0", thread_ts="1.0"))
    await room.spoken("1.0")
    await desk.turns.submit(prompt("QUESTION", ts="2.0", thread_ts="2.0"))
    (end,) = await room.ends(1)
    assert end.outcome is Outcome.STOPPED
    await desk.turns.close()


@pytest.mark.parametrize("stopped", [True, False])
async def test_turns_leave_no_trace_in_memory(ledger, room, stopped) -> None:
    desk = Desk(ledger, room, Circumstances())
    await asyncio.gather(*(desk.turns.submit(prompt("QUESTION", ts=f"{n}.0")) for n in range(2, 6)))
    await desk.turns.submit(prompt("QUESTION", ts="2.0"))
    desk.go_on.set()
    async with asyncio.timeout(30):
        while desk.turns._workers:
            if stopped:
                await desk.turns.stop("C1", "1.0")
            await asyncio.sleep(0.01)
    assert (desk.turns._in_hand, desk.turns._queues, desk.turns._runs) == (set(), {}, {})
    await desk.turns.close()
