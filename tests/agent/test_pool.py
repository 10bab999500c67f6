"""The pool: sessions that wait are usable, bounded in number and memory, and replaced when they are not."""

import asyncio
import os
from collections.abc import Callable
from uuid import uuid4

import pytest

from sre_bot.agent.events import Outcome, RunEnded
from sre_bot.agent.memory import resident_bytes
from sre_bot.agent.pool import SessionPool
from sre_bot.agent.session import Session
from sre_bot.errors import AgentBusy

Make = Callable[..., SessionPool]


async def _answer(session: Session, prompt: str = "QUESTION") -> RunEnded:
    return [event async for event in session.ask(prompt, uuid4())][-1]  # type: ignore[return-value]


async def _spare(pool: SessionPool) -> None:
    async with asyncio.timeout(60):
        while not pool.spares_ready:
            await asyncio.sleep(0.02)


async def test_a_spare_answers_and_another_takes_its_place(model, make_pool: Make):
    pool = make_pool(SRE_SPARE_SESSIONS="1")
    pool.start()
    await _spare(pool)
    session = await pool.take(None)
    assert (await _answer(session)).outcome is Outcome.ANSWERED
    await pool.give_back(session)
    await _spare(pool)


async def test_a_warm_session_whose_process_was_killed_is_not_lent_but_resumed(model, make_pool: Make):
    pool = make_pool()
    first = await pool.take(None)
    await _answer(first)
    await pool.give_back(first)
    os.kill(first.pid, 9)
    again = await pool.take(first.id)
    assert again is not first
    assert again.id == first.id
    assert (await _answer(again)).outcome is Outcome.ANSWERED


async def test_a_spare_whose_process_was_killed_is_replaced(model, make_pool: Make):
    pool = make_pool(SRE_SPARE_SESSIONS="1")
    pool.start()
    await _spare(pool)
    (killed,) = pool.sessions
    os.kill(killed.pid, 9)
    session = await pool.take(None)
    assert session is not killed
    assert (await _answer(session)).outcome is Outcome.ANSWERED


async def test_only_so_many_sessions_stay_warm_and_the_oldest_goes(model, make_pool: Make):
    pool = make_pool(SRE_IDLE_SESSIONS="1")
    first, second = await pool.take(None), await pool.take(None)
    await _answer(first)
    for session in (first, second):
        await pool.give_back(session)
    assert (first.alive, second.alive) == (False, True)
    assert (await _answer(await pool.take(first.id), "again")).outcome is Outcome.ANSWERED


async def test_an_idle_session_ends_after_its_time(model, make_pool: Make):
    pool = make_pool(SRE_SESSION_IDLE="0.1")
    pool.start()
    session = await pool.take(None)
    await pool.give_back(session)
    async with asyncio.timeout(30):
        while session.alive:
            await asyncio.sleep(0.05)


async def test_memory_for_one_more_session_is_taken_from_idle_ones_or_refused(model, make_pool: Make):
    pool = make_pool(SRE_MEMORY_MB="50")
    idle = await pool.take(None)
    assert resident_bytes(idle.pid) > 50 << 20
    await pool.give_back(idle)
    running = await pool.take(None)
    assert not idle.alive, "it made room"
    with pytest.raises(AgentBusy, match="SRE_MEMORY_MB"):
        await pool.take(None)
    await pool.give_back(running)


async def test_a_run_that_grows_too_large_is_ended_and_says_so(model, make_pool: Make):
    await model.fault(kind="hang_mid", count=1)
    pool = make_pool(SRE_SESSION_MEMORY_MB="50")
    session = await pool.take(None)
    asking = asyncio.create_task(_answer(session))
    pool.start()
    end = await asking
    assert end.outcome is Outcome.LIMITED
    assert "SRE_SESSION_MEMORY_MB" in end.reason
    await pool.give_back(session)
