"""Who runs which turn: one in a thread, so many in all, urgent ones first, and nobody in another's name."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from sre_bot.incidents import IllegalMove, Ledger, Turn, TurnEnd, TurnState
from sre_bot.incidents.paging import Urgency
from sre_bot.incidents.runs import Claim

from .conftest import OpenLedger

MOST = 10


async def asked(
    ledger: Ledger, ts: str = "1.0", thread_ts: str = "1.0", owner: str = "A", urgency: Urgency = Urgency.HIGH
) -> Turn:
    thread = await ledger.thread("C1", thread_ts, team="T1", started_by="U1")
    return await ledger.queue_turn(
        thread.id, turn_id=uuid4(), prompt_ts=ts, author="U1", prompt="why?", owner=owner, urgency=urgency
    )


async def now(ledger: Ledger, turn: Turn) -> Turn:
    found = await ledger.runs.read(turn.id)
    assert found
    return found


async def test_of_two_replicas_one_runs_in_a_thread(ledger: Ledger, url: str, open_ledger: OpenLedger) -> None:
    other = await open_ledger(url)
    first, second = await asked(ledger, "1.0", owner="A"), await asked(other, "2.0", owner="B")

    claims = await asyncio.gather(ledger.runs.begin(first.id, "A", MOST), other.runs.begin(second.id, "B", MOST))

    assert sorted(claim.value for claim in claims) == ["begun", "busy"]


async def test_no_more_run_than_may_however_many_ask_at_once(ledger: Ledger, url: str, open_ledger: OpenLedger) -> None:
    replicas = {name: await open_ledger(url) for name in "AB"}
    turns = [(name, await asked(ledger, thread_ts=f"{name}{n}", owner=name)) for n in range(4) for name in "AB"]

    claims = await asyncio.gather(*(replicas[name].runs.begin(turn.id, name, 3) for name, turn in turns))

    assert claims.count(Claim.BEGUN) == 3
    assert claims.count(Claim.BUSY) == 5
    assert await ledger.runs.count_running() == 3


async def test_several_turns_of_one_thread_share_a_place(ledger: Ledger) -> None:
    first, second = await asked(ledger, "1.0"), await asked(ledger, "2.0")
    assert await ledger.runs.begin(first.id, "A", 1) is Claim.BEGUN
    assert await ledger.runs.begin(second.id, "A", 1) is Claim.BEGUN
    assert await ledger.runs.count_running() == 1


async def test_low_urgency_leaves_the_place_that_an_urgent_turn_waits_for(ledger: Ledger) -> None:
    low = await asked(ledger, thread_ts="1.0", urgency=Urgency.LOW)
    high = await asked(ledger, thread_ts="2.0")

    assert await ledger.runs.begin(low.id, "A", 1) is Claim.BUSY
    assert await ledger.runs.begin(high.id, "A", 1) is Claim.BEGUN
    assert await ledger.runs.begin(low.id, "A", 2) is Claim.BEGUN


async def test_what_waits_in_a_thread_that_runs_keeps_no_place_from_others(ledger: Ledger) -> None:
    running, waiting = await asked(ledger, "1.0"), await asked(ledger, "2.0")
    assert await ledger.runs.begin(running.id, "A", 2) is Claim.BEGUN
    assert waiting.state is TurnState.QUEUED

    low = await asked(ledger, thread_ts="3.0", urgency=Urgency.LOW)
    assert await ledger.runs.begin(low.id, "A", 2) is Claim.BEGUN


async def test_nobody_begins_what_is_another_replicas(ledger: Ledger) -> None:
    turn = await asked(ledger, owner="A")
    assert await ledger.runs.begin(turn.id, "B", MOST) is Claim.GONE
    assert await ledger.runs.begin(uuid4(), "A", MOST) is Claim.GONE


async def test_what_a_run_elsewhere_takes_in_is_gone_for_who_recorded_it(ledger: Ledger) -> None:
    turn = await asked(ledger, owner="B")
    assert await ledger.runs.take_in(turn.id, "A")
    assert not await ledger.runs.take_in(turn.id, "B"), "taken in once"
    assert await ledger.runs.begin(turn.id, "B", MOST) is Claim.GONE
    assert (await now(ledger, turn)).owner == "A"


async def test_what_a_run_could_not_keep_is_as_if_it_had_not_begun(ledger: Ledger) -> None:
    turn = await asked(ledger, owner="B")
    assert await ledger.runs.take_in(turn.id, "A")
    assert await ledger.runs.refuse(turn.id, "A", to="B")

    assert await now(ledger, turn) == Turn(
        **{name: getattr(turn, name) for name in Turn.__dataclass_fields__}
        | {"started_at": (await now(ledger, turn)).started_at}
    ), "with the number of its attempts, by which its reply is found"
    assert await ledger.runs.begin(turn.id, "B", MOST) is Claim.BEGUN


async def test_what_a_run_could_neither_keep_nor_put_back_begins_all_the_same(ledger: Ledger) -> None:
    turn = await asked(ledger, owner="A")
    assert await ledger.runs.take_in(turn.id, "A")

    assert await ledger.runs.begin(turn.id, "A", MOST) is Claim.BEGUN
    assert (await now(ledger, turn)).attempts == 1
    assert await ledger.runs.begin(turn.id, "B", MOST) is Claim.GONE


async def test_only_its_replica_puts_a_run_back_and_it_counts_its_attempts(ledger: Ledger) -> None:
    turn = await asked(ledger)
    await ledger.runs.begin(turn.id, "A", MOST)

    assert not await ledger.runs.put_back(turn.id, "B", to="B")
    assert await ledger.runs.put_back(turn.id, "A", to="")
    assert not await ledger.runs.put_back(turn.id, "A", to="A"), "it does not run any more"

    back = await now(ledger, turn)
    assert (back.state, back.owner, back.attempts) == (TurnState.QUEUED, "", 1)


async def test_a_replica_that_was_taken_for_dead_cannot_end_a_turn(ledger: Ledger) -> None:
    turn = await asked(ledger)
    await ledger.runs.begin(turn.id, "A", MOST)
    await ledger.runs.put_back(turn.id, "A", to="B")
    await ledger.runs.begin(turn.id, "B", MOST)

    with pytest.raises(IllegalMove):
        await ledger.end_turn(turn.id, TurnEnd(TurnState.ANSWERED, answer="A's"), owner="A")
    assert await ledger.end_turn(turn.id, TurnEnd(TurnState.ANSWERED, answer="B's"), owner="B")
    assert (await now(ledger, turn)).answer == "B's"


async def test_each_replica_finds_what_others_were_asked_in_its_threads(ledger: Ledger) -> None:
    running = await asked(ledger, "1.0", owner="A")
    await ledger.runs.begin(running.id, "A", MOST)
    here, nobodys = await asked(ledger, "2.0", owner="B"), await asked(ledger, "3.0", owner="")
    await asked(ledger, "4.0", owner="A")
    await asked(ledger, "5.0", thread_ts="5.0", owner="B")

    found = await ledger.runs.waiting_elsewhere([running.thread_id], "A")

    assert [turn.id for turn in found] == [here.id, nobodys.id]
    assert await ledger.runs.busy_elsewhere(running.thread_id, "B")
    assert not await ledger.runs.busy_elsewhere(running.thread_id, "A")


async def test_a_stop_reaches_whoever_runs_and_nobody_where_nothing_does(ledger: Ledger) -> None:
    assert not await ledger.runs.request_stop("C1", "1.0", "Stopped.")
    running, waiting = await asked(ledger, "1.0", owner="A"), await asked(ledger, "2.0", owner="B")
    await ledger.runs.begin(running.id, "A", MOST)

    assert await ledger.runs.request_stop("C1", "1.0", "Stopped.")

    assert [(turn.id, turn.reason) for turn in await ledger.runs.to_stop("A")] == [(running.id, "Stopped.")]
    assert await ledger.runs.to_stop("B") == [], "what waits goes on waiting"
    assert not (await now(ledger, waiting)).stop_requested


async def test_a_stop_also_reaches_what_waits_for_a_place_on_another_replica(ledger: Ledger) -> None:
    waiting = await asked(ledger, owner="B")
    assert await ledger.runs.request_stop("C1", "1.0", "Stopped.")
    assert [turn.id for turn in await ledger.runs.to_stop("B")] == [waiting.id]


async def test_a_deleted_prompt_ends_where_it_waits_and_is_asked_to_stop_where_it_runs(ledger: Ledger) -> None:
    waiting, running, answered = [await asked(ledger, f"{n}.0", thread_ts=f"{n}.0") for n in range(3)]
    for turn in (running, answered):
        await ledger.runs.begin(turn.id, "A", MOST)
    await ledger.end_turn(answered.id, TurnEnd(TurnState.ANSWERED))

    for turn in (waiting, running, answered):
        await ledger.runs.withdraw(turn.id, "It was deleted.")

    assert [(await now(ledger, turn)).state for turn in (waiting, running, answered)] == [
        TurnState.STOPPED,
        TurnState.RUNNING,
        TurnState.ANSWERED,
    ]
    assert (await now(ledger, waiting)).reason == "It was deleted."
    assert [turn.id for turn in await ledger.runs.to_stop("A")] == [running.id]
    assert await ledger.runs.begin(waiting.id, "A", MOST) is Claim.GONE


async def test_what_runs_have_cost_is_summed_by_time_and_by_thread(ledger: Ledger) -> None:
    for ts, cost in (("1.0", 0.5), ("2.0", 0.25), ("3.0", None)):
        turn = await asked(ledger, ts, thread_ts="1.0" if ts != "2.0" else "2.0")
        await ledger.runs.begin(turn.id, "A", MOST)
        await ledger.end_turn(turn.id, TurnEnd(TurnState.ANSWERED, cost_usd=cost))
    thread = await ledger.find_thread("C1", "1.0")
    assert thread

    moment = datetime.now(UTC)
    assert await ledger.runs.spent(moment - timedelta(hours=1)) == 0.75
    assert await ledger.runs.spent(moment + timedelta(hours=1)) == 0.0
    assert await ledger.runs.spent(thread_id=thread.id) == 0.5
