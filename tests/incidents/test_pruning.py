from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from claude_agent_sdk import SessionKey

from sre_bot.incidents import Ledger, Pruned, Thread, Turn, TurnEnd, TurnState

from .pages import START, deliver, fold, page, resolution

TOMORROW = datetime.now(UTC) + timedelta(days=1)
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


async def bound_transcript(ledger: Ledger, thread: Thread) -> SessionKey:
    session = uuid4()
    await ledger.bind_session(thread.id, session)
    key: SessionKey = {"project_key": "p", "session_id": str(session)}
    await ledger.transcripts.append(key, [{"type": "user", "uuid": "1"}, {"type": "assistant", "uuid": "2"}])
    await ledger.transcripts.append({**key, "subpath": "subagents/agent-1"}, [{"type": "user"}])
    return key


async def test_what_is_old_is_forgotten_in_every_table(ledger: Ledger, thread: Thread, turn: Turn) -> None:
    key = await bound_transcript(ledger, thread)
    await ledger.first_sight("Ev1", "slack")
    await ledger.end_turn(turn.id, TurnEnd(TurnState.FAILED))

    assert await ledger.prune(TOMORROW) == Pruned(seen_events=1, threads=1, turns=1, transcript_entries=3)

    assert await ledger.find_thread(thread.channel, thread.thread_ts) is None
    assert await ledger.transcripts.load(key) is None
    assert await ledger.first_sight("Ev1", "slack")


async def test_what_is_young_stays(ledger: Ledger, thread: Thread, turn: Turn) -> None:
    await bound_transcript(ledger, thread)
    await ledger.first_sight("Ev1", "slack")
    await ledger.end_turn(turn.id, TurnEnd(TurnState.FAILED))

    assert await ledger.prune(YESTERDAY) == Pruned(seen_events=0, threads=0, turns=0, transcript_entries=0)


async def test_a_thread_that_owes_an_answer_stays_with_its_transcript(
    ledger: Ledger, thread: Thread, turn: Turn
) -> None:
    key = await bound_transcript(ledger, thread)

    assert await ledger.prune(TOMORROW) == Pruned(seen_events=0, threads=0, turns=0, transcript_entries=0)

    assert [left.id for left in await ledger.unfinished_turns()] == [turn.id]
    assert await ledger.transcripts.load(key) is not None


async def test_the_number_of_a_forgotten_thread_is_never_given_again(ledger: Ledger, thread: Thread) -> None:
    await ledger.prune(TOMORROW)

    assert (await ledger.thread("C2", "9.9", team="T1", started_by="U1")).id > thread.id


async def test_pages_are_forgotten_once_their_case_is_closed_and_old(ledger: Ledger) -> None:
    await deliver(ledger, page("P1"), resolution("P1", 60))
    await fold(ledger)
    nothing = Pruned(seen_events=0, threads=0, turns=0, transcript_entries=0)

    assert await ledger.prune(START) == nothing
    assert await ledger.cases.of_incident("pd:P1")
    assert await ledger.prune(TOMORROW) == replace(nothing, deliveries=2, cases=1)
    assert await ledger.cases.of_incident("pd:P1") is None


async def test_a_case_that_is_open_and_a_page_that_nobody_read_stay(ledger: Ledger) -> None:
    await deliver(ledger, page("P1"))
    await fold(ledger)
    await deliver(ledger, page("P2"))

    assert await ledger.prune(TOMORROW) == Pruned(seen_events=0, threads=0, turns=0, transcript_entries=0, deliveries=1)
    assert await ledger.cases.of_incident("pd:P1")
    assert await ledger.deliveries.backlog() == 1
