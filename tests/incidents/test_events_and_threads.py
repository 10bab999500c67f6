import asyncio
import contextlib
from datetime import UTC
from uuid import uuid4

import pytest

from sre_bot.errors import LedgerError
from sre_bot.incidents import Ledger, Thread

from .conftest import OpenLedger


async def test_of_fifty_simultaneous_deliveries_exactly_one_is_the_first(ledger: Ledger) -> None:
    seen = await asyncio.gather(*(ledger.first_sight("Ev1", "slack") for _ in range(50)))

    assert sorted(seen) == [False] * 49 + [True]


async def test_two_bots_share_one_memory_of_what_was_seen(ledger: Ledger, url: str, open_ledger: OpenLedger) -> None:
    bots = [ledger, await open_ledger(url)]

    seen = await asyncio.gather(*(bot.first_sight(f"Ev{n}", "slack") for n in range(10) for bot in bots))

    assert seen.count(True) == 10


async def test_any_text_can_be_the_key_of_an_event(ledger: Ledger) -> None:
    odd = "'; DROP TABLE seen_events; -- \x00 \ud800 🔥"

    assert [await ledger.first_sight(odd, "slack"), await ledger.first_sight(odd, "slack")] == [True, False]


async def test_callers_that_give_up_at_any_moment_leave_no_lock_behind(ledger: Ledger) -> None:
    for steps in range(40):
        task = asyncio.create_task(ledger.first_sight(f"Ev{steps}", "slack"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    assert await ledger.first_sight("afterwards", "slack")


async def test_a_thread_is_made_once_however_many_ask(ledger: Ledger, url: str, open_ledger: OpenLedger) -> None:
    bots = [ledger, await open_ledger(url)]

    found = await asyncio.gather(
        *(bot.thread("C1", "1.5", team="T1", started_by=f"U{n}") for n in range(10) for bot in bots)
    )

    assert len(set(found)) == 1


async def test_threads_of_two_channels_are_told_apart_by_the_channel(ledger: Ledger) -> None:
    one = await ledger.thread("C1", "1.5", team="T1", started_by="U1")
    other = await ledger.thread("C2", "1.5", team="T1", started_by="U1")

    assert one.id != other.id


async def test_a_thread_that_the_bot_never_joined_is_not_found(ledger: Ledger, thread: Thread) -> None:
    assert await ledger.find_thread(thread.channel, "9.9") is None


async def test_a_thread_keeps_its_agent_session_across_a_restart(
    ledger: Ledger, thread: Thread, url: str, open_ledger: OpenLedger
) -> None:
    session = uuid4()
    await ledger.bind_session(thread.id, session)
    await ledger.close()

    found = await (await open_ledger(url)).find_thread(thread.channel, thread.thread_ts)

    assert found is not None
    assert found.session_id == session
    assert found.session_started_at == found.last_used_at
    assert (found.team, found.started_by) == ("T1", "U1")


async def test_times_are_utc_and_survive_the_database(ledger: Ledger, thread: Thread) -> None:
    found = await ledger.find_thread(thread.channel, thread.thread_ts)

    assert found == thread
    assert thread.created_at.tzinfo is UTC


async def test_a_session_cannot_be_bound_to_an_unknown_thread(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no thread 77"):
        await ledger.bind_session(77, uuid4())
