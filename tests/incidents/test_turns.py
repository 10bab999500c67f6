import asyncio
from uuid import UUID, uuid4

import pytest

from sre_bot.errors import LedgerError
from sre_bot.incidents import IllegalMove, Ledger, Thread, Turn, TurnEnd, TurnState
from sre_bot.incidents.ledger import PROMPT_LIMIT
from sre_bot.incidents.model import END_STATES, PREDECESSORS

from .conftest import OpenLedger, start_python


async def only_turn(ledger: Ledger, thread: Thread) -> Turn:
    (turn,) = await ledger.turns_of(thread.id)
    return turn


async def test_a_message_delivered_twice_is_one_turn(ledger: Ledger, thread: Thread) -> None:
    ids = [uuid4() for _ in range(10)]

    turns = await asyncio.gather(
        *(ledger.queue_turn(thread.id, turn_id=i, prompt_ts="2.5", author="U1", prompt="and now?") for i in ids)
    )

    assert len({turn.id for turn in turns}) == 1
    assert turns[0] == await only_turn(ledger, thread)


async def test_a_turn_tells_its_whole_story(ledger: Ledger, thread: Thread, turn: Turn) -> None:
    assert await ledger.start_turn(turn.id)
    await ledger.note_reply(turn.id, "3.1")
    await ledger.note_reply(turn.id, "3.2")
    await ledger.note_reply(turn.id, "3.1")
    end = TurnEnd(TurnState.ANSWERED, "", "The pool is 1.", cost_usd=0.25, duration_ms=900, tool_calls=4)
    assert await ledger.end_turn(turn.id, end)

    told = await only_turn(ledger, thread)

    assert told.state is TurnState.ANSWERED
    assert (told.channel, told.thread_ts, told.prompt_ts) == (thread.channel, thread.thread_ts, turn.prompt_ts)
    assert (told.author, told.prompt, told.answer) == ("U1", "500s on api-server", "The pool is 1.")
    assert (told.cost_usd, told.duration_ms, told.tool_calls) == (0.25, 900, 4)
    assert told.reply_ts == ("3.1", "3.2")
    assert told.started_at is not None
    assert told.ended_at is not None
    assert told.created_at <= told.started_at <= told.ended_at


async def test_replies_noted_at_the_same_time_are_all_remembered(ledger: Ledger, thread: Thread, turn: Turn) -> None:
    posted = [f"3.{n}" for n in range(12)]

    await asyncio.gather(*(ledger.note_reply(turn.id, ts) for ts in posted))

    assert sorted((await only_turn(ledger, thread)).reply_ts) == sorted(posted)


async def test_one_of_many_racing_starters_wins(ledger: Ledger, turn: Turn, url: str, open_ledger: OpenLedger) -> None:
    bots = [ledger, await open_ledger(url)]

    won = await asyncio.gather(*(bot.start_turn(turn.id) for bot in bots for _ in range(5)))

    assert won.count(True) == 1


async def test_the_first_end_is_kept_and_the_same_end_again_changes_nothing(
    ledger: Ledger, thread: Thread, turn: Turn
) -> None:
    first = await ledger.end_turn(turn.id, TurnEnd(TurnState.STOPPED, "stopped by U1"))
    again = await ledger.end_turn(turn.id, TurnEnd(TurnState.STOPPED, "stopped by U2"))

    assert (first, again) == (True, False)
    assert (await only_turn(ledger, thread)).reason == "stopped by U1"


@pytest.mark.parametrize("end", sorted(END_STATES))
async def test_a_turn_never_leaves_its_end(ledger: Ledger, thread: Thread, turn: Turn, end: TurnState) -> None:
    await ledger.start_turn(turn.id)
    await ledger.end_turn(turn.id, TurnEnd(end))

    for other in END_STATES - {end}:
        with pytest.raises(IllegalMove, match=f"is {end} and cannot become {other}"):
            await ledger.end_turn(turn.id, TurnEnd(other))
    with pytest.raises(IllegalMove):
        await ledger.start_turn(turn.id)
    assert (await only_turn(ledger, thread)).state is end


@pytest.mark.parametrize("end", sorted(END_STATES))
async def test_a_queued_turn_may_end_in_every_way_but_with_an_answer_or_a_proposal(
    ledger: Ledger, thread: Thread, turn: Turn, end: TurnState
) -> None:
    if end in (TurnState.ANSWERED, TurnState.PROPOSED):
        with pytest.raises(IllegalMove, match=f"is queued and cannot become {end.value}"):
            await ledger.end_turn(turn.id, TurnEnd(end))
    else:
        assert await ledger.end_turn(turn.id, TurnEnd(end))


def test_every_state_has_its_predecessors_and_no_end_is_one() -> None:
    assert set(PREDECESSORS) == set(TurnState)
    assert END_STATES.isdisjoint(frozenset[TurnState]().union(*PREDECESSORS.values()))


def test_an_end_that_is_no_end_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end as"):
        TurnEnd(TurnState.RUNNING)


async def test_an_unknown_turn_is_named(ledger: Ledger) -> None:
    unknown = UUID(int=7)

    for call in (
        ledger.start_turn(unknown),
        ledger.end_turn(unknown, TurnEnd(TurnState.FAILED)),
        ledger.note_reply(unknown, "3.1"),
    ):
        with pytest.raises(LedgerError, match=str(unknown)):
            await call


async def test_a_turn_of_an_unknown_thread_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="contradicts the others"):
        await ledger.queue_turn(77, turn_id=uuid4(), prompt_ts="2.5", author="U1", prompt="?")


async def test_an_id_cannot_be_used_for_two_prompts(ledger: Ledger, thread: Thread, turn: Turn) -> None:
    with pytest.raises(LedgerError, match="contradicts the others"):
        await ledger.queue_turn(thread.id, turn_id=turn.id, prompt_ts="2.5", author="U1", prompt="?")


async def test_a_pasted_novel_is_cut_and_broken_text_is_made_storable(ledger: Ledger, thread: Thread) -> None:
    turn = await ledger.queue_turn(
        thread.id, turn_id=uuid4(), prompt_ts="2.5", author="U1", prompt="\x00\ud800" + "x" * 100_000
    )

    assert len(turn.prompt) == PROMPT_LIMIT
    assert turn.prompt.startswith("??xxx")
    assert turn.prompt.endswith("x…")


async def test_what_was_running_when_the_process_was_killed_is_found_after_the_restart(
    url: str, open_ledger: OpenLedger
) -> None:
    bot = start_python(DIES_WHILE_RUNNING, url)
    ids, _ = await asyncio.to_thread(bot.communicate)
    running, queued, _answered = map(UUID, ids.split())
    assert bot.returncode == -9

    left = await (await open_ledger(url)).unfinished_turns()

    assert [(turn.id, turn.state) for turn in left] == [(running, TurnState.RUNNING), (queued, TurnState.QUEUED)]
    assert [(turn.channel, turn.thread_ts) for turn in left] == [("C1", "1.5"), ("C1", "1.5")]


DIES_WHILE_RUNNING = """
import asyncio, os, signal, sys
from uuid import uuid4
from sre_bot.incidents import Ledger, TurnEnd, TurnState

async def run():
    ledger = await Ledger.open(sys.argv[1])
    thread = await ledger.thread("C1", "1.5", team="T1", started_by="U1")
    running, queued, answered = ids = [uuid4() for _ in range(3)]
    for n, turn_id in enumerate(ids):
        await ledger.queue_turn(thread.id, turn_id=turn_id, prompt_ts=f"2.{n}", author="U1", prompt="?")
    await ledger.start_turn(running)
    await ledger.start_turn(answered)
    await ledger.end_turn(answered, TurnEnd(TurnState.ANSWERED))
    print(*ids, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(run())
"""
