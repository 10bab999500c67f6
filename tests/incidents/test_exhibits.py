"""Results under their numbers: one for a call, in order, bounded, and gone with their thread."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from sre_bot.incidents import Ledger, Thread
from sre_bot.incidents.exhibits import ARGUMENT_LIMIT, CUT, RESULT_LIMIT
from sre_bot.incidents.export import export_incident

from .conftest import OpenLedger


@pytest.fixture
async def session(ledger: Ledger, thread: Thread) -> UUID:
    """The thread's session."""
    session_id = uuid4()
    await ledger.bind_session(thread.id, session_id)
    return session_id


async def keep(ledger: Ledger, session: UUID, call: str, text: str = "said", **arguments: object) -> int | None:
    return await ledger.exhibits.keep(session, call, "get_logs", arguments, text, ok=True)


async def test_results_are_numbered_from_one_in_each_thread(ledger: Ledger, session: UUID) -> None:
    other = await ledger.thread("C2", "1.0", team="T1", started_by="U1")
    elsewhere = uuid4()
    await ledger.bind_session(other.id, elsewhere)
    assert [await keep(ledger, session, call) for call in ("a", "b")] == [1, 2]
    assert await keep(ledger, elsewhere, "c") == 1


async def test_a_call_that_is_kept_again_keeps_its_number_and_what_it_said(
    ledger: Ledger, thread: Thread, session: UUID
) -> None:
    await keep(ledger, session, "a", "first")
    assert await keep(ledger, session, "a", "second") == 1
    assert (await ledger.exhibits.read(thread.id, [1]))[1].text == "first"


async def test_calls_that_end_at_once_are_numbered_without_a_gap(
    ledger: Ledger, url: str, open_ledger: OpenLedger, session: UUID
) -> None:
    replica = await open_ledger(url)
    numbers = await asyncio.gather(*(keep(each, session, f"{n}") for n in range(8) for each in (ledger, replica)))
    once = [*range(1, 9)]
    assert sorted(filter(None, numbers)) == sorted(once * 2), "each call was kept by both, and has one number"


async def test_a_session_without_a_thread_has_no_evidence(ledger: Ledger) -> None:
    assert await keep(ledger, uuid4(), "a") is None


async def test_numbers_go_on_in_a_new_session_of_the_thread(ledger: Ledger, thread: Thread, session: UUID) -> None:
    await keep(ledger, session, "a")
    await ledger.bind_session(thread.id, anew := uuid4())
    assert await keep(ledger, anew, "b") == 2


async def test_what_is_too_long_is_cut_and_says_so(ledger: Ledger, thread: Thread, session: UUID) -> None:
    await keep(ledger, session, "a", "x" * 50_000, contains="y" * 5_000, limit=20)
    await keep(ledger, session, "b", "x", **{f"a{n}": "z" * 1_000 for n in range(20)})
    kept = await ledger.exhibits.read(thread.id, [1, 2, 3])
    assert (len(kept[1].text), kept[1].text[-len(CUT) :]) == (RESULT_LIMIT, CUT)
    assert (len(kept[1].arguments["contains"]), kept[1].arguments["limit"]) == (ARGUMENT_LIMIT, 20)
    assert set(kept[2].arguments.values()) == {CUT}
    assert sorted(kept) == [1, 2]


async def test_any_text_can_be_kept(ledger: Ledger, thread: Thread, session: UUID) -> None:
    await keep(ledger, session, "a", "NUL \x00 half \ud800 smile \U0001f600", contains="\x00\ud800")
    assert "smile \U0001f600" in (await ledger.exhibits.read(thread.id, [1]))[1].text


async def test_evidence_is_exported_with_its_thread_and_forgotten_with_it(
    ledger: Ledger, url: str, thread: Thread, session: UUID
) -> None:
    await keep(ledger, session, "a", "what it said")
    record = await export_incident(url, f"{thread.channel}/{thread.thread_ts}")
    assert record
    assert [(each["number"], each["result"]) for each in record["evidence"]] == [(1, "what it said")]
    await ledger.prune(datetime.now(UTC) - timedelta(days=1))
    assert await ledger.exhibits.read(thread.id, [1])
    await ledger.prune(datetime.now(UTC) + timedelta(days=1))
    assert await ledger.exhibits.read(thread.id, [1]) == {}
