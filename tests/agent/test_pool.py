"""The pool: sessions that wait are usable, bounded in number and memory, and replaced when they are not."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sre_bot.agent.events import Outcome, RunEnded
from sre_bot.agent.pool import SessionPool
from sre_bot.agent.processes import resident_bytes
from sre_bot.agent.session import Session
from sre_bot.errors import AgentBusy
from tests.light_tools import SERVER
from tests.process_tree import descendants, read_process

Make = Callable[..., SessionPool]


@pytest.fixture
def tool_server() -> dict[str, Any]:
    return SERVER


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
    assert not session.alive, "what it holds is not kept"
    await pool.give_back(session)


async def test_spares_make_room_before_a_thread_is_refused(model, make_pool: Make):
    first = make_pool()
    session = await first.take(None)
    await _answer(session)
    await first.close()
    pool = make_pool(SRE_MEMORY_MB="50", SRE_SPARE_SESSIONS="1")
    pool.start()
    await _spare(pool)
    (spare,) = pool.sessions
    assert (await pool.take(session.id)).id == session.id
    assert not spare.alive


async def test_a_warm_session_is_not_ended_for_a_spare(model, make_pool: Make, tmp_path: Path):
    pool = make_pool(SRE_MEMORY_MB="50", SRE_SPARE_SESSIONS="1")
    warm = await pool.take(None)
    await pool.give_back(warm)
    old = tmp_path / "agent" / "tmp" / "old"
    old.touch()
    os.utime(old, (0, 0))
    pool.start()
    async with asyncio.timeout(30):
        while old.exists():  # the sweep comes after the spares
            await asyncio.sleep(0.02)
    assert (pool.spares_ready, warm.alive) == (0, True)


async def test_a_round_that_fails_is_not_the_last(model, make_pool: Make, tmp_path: Path, caplog):
    workspace = tmp_path / "agent" / "workspace"
    pool = make_pool(SRE_SPARE_SESSIONS="1")
    workspace.touch()  # a file where the folder should be
    pool.start()
    async with asyncio.timeout(30):
        while "FileExistsError" not in caplog.text:
            await asyncio.sleep(0.02)
    workspace.unlink()
    await _spare(pool)


async def test_credentials_are_removed_also_when_closing_is_cut_off(model, make_pool: Make, tmp_path: Path):
    pool = make_pool()
    await pool.take(None)
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert not list((tmp_path / "agent").glob("mcp-*.json"))


async def test_credentials_that_a_killed_bot_left_are_removed_and_those_of_one_that_runs_stay(
    make_pool, tmp_path: Path
):
    folder = tmp_path / "agent"
    folder.mkdir()
    dead = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await dead.wait()
    left, running = folder / f"mcp-{dead.pid}.json", folder / f"mcp-{os.getppid()}.json"
    left.touch()
    running.touch()
    make_pool()
    assert (left.exists(), running.exists()) == (False, True)


@pytest.mark.parametrize("waits", ["idle", "spare"])
async def test_a_session_whose_taker_is_cancelled_while_it_is_checked_is_ended(model, make_pool: Make, waits: str):
    pool = make_pool(SRE_SPARE_SESSIONS="1" if waits == "spare" else "0")
    if waits == "spare":
        pool.start()
        await _spare(pool)
        (session,) = pool.sessions
    else:
        session = await pool.take(None)
        await pool.give_back(session)
    taking = asyncio.create_task(pool.take(session.id if waits == "idle" else None))
    while session in pool.sessions:
        await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert not session.alive


async def test_a_lent_session_that_was_closed_hinders_no_other(model, make_pool: Make):
    pool = make_pool()
    closed = await pool.take(None)
    await closed.close()
    assert (await _answer(await pool.take(None))).outcome is Outcome.ANSWERED
    await pool.give_back(closed)


async def test_a_busy_thread_has_the_whole_budget_for_every_run(model, make_pool: Make):
    await model.script("QUESTION", *[{"text": "One."}] * 7)
    first = await make_pool().take(None)
    cost = (await _answer(first)).cost_usd or 0
    await first.close()
    pool = make_pool(SRE_MAX_COST_USD=f"{cost * 2.5:.6f}")
    session, outcomes = await pool.take(None), []
    for _ in range(4):
        outcomes.append((await _answer(session)).outcome)
        await pool.give_back(session)
        session = await pool.take(session.id)
    assert outcomes == [Outcome.ANSWERED] * 4


async def test_a_run_that_used_its_budget_does_not_use_that_of_the_next(model, make_pool: Make):
    call = {"tool": "mcp__sre__get_service_health", "input": {}}
    await model.script("QUESTION", call, call, {"text": "Never said."})
    pool = make_pool(SRE_MAX_COST_USD="0.000001")
    session = await pool.take(None)
    end = await _answer(session)
    assert (end.outcome, session.alive) == (Outcome.LIMITED, False)
    assert "SRE_MAX_COST_USD" in end.reason
    await pool.give_back(session)


async def test_no_more_than_two_sessions_start_at_once(model, make_pool: Make):
    pool = make_pool()
    before = _agents()
    taking = [asyncio.create_task(pool.take(None)) for _ in range(3)]
    starting = []
    async with asyncio.timeout(60):
        while not all(task.done() for task in taking):
            starting.append(len(_agents() - before) - sum(task.done() for task in taking))
            await asyncio.sleep(0.01)
    await asyncio.gather(*taking)
    assert max(starting) == 2


def _agents() -> set[int]:
    """The CLIs that this process has started: not what they start themselves."""
    mine = descendants(os.getpid())
    below = {child for pid in mine for child in descendants(pid)}
    return {pid for pid in mine - below if "_bundled/claude" in read_process(pid)}
