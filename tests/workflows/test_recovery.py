"""What a crash or a shutdown left behind goes on in the next process, with a line that says so, and not for ever."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

import pytest

from sre_bot.agent.events import Notice, Outcome
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import ApprovalState, Proposal, Turn, TurnState
from sre_bot.workflows.circumstances import Circumstances, Proposing
from sre_bot.workflows.recovery import BELOW, CUT_OFF, MOST_ATTEMPTS, PROPOSED, Recovery
from sre_bot.workflows.turns import GOING_ON, Turns

from .room import Room, prompt, turn_states


@pytest.fixture
def recover(ledger: Ledger, room: Room):
    async def do(turns: Turns) -> None:
        await Recovery(ledger, room, turns, Circumstances(changed=lambda *place: room.told.append(place))).recover()

    return do


async def left_behind(
    ledger: Ledger, ts: str = "2.0", text: str = "QUESTION", attempts: int = 1, author: str = "U1"
) -> Turn:
    """A turn that was begun so often by processes that died; 0 for one that was never begun."""
    thread = await ledger.thread("C1", "1.0", team="T1", started_by="U1")
    turn = await ledger.queue_turn(thread.id, turn_id=uuid4(), prompt_ts=ts, author=author, prompt=text, owner="local")
    for attempt in range(attempts):
        if attempt:
            assert await ledger.runs.put_back(turn.id, "local", to="local")
        await ledger.runs.begin(turn.id, "local", 10)
    return turn


def notices(room: Room, ts: str) -> list[str]:
    return [event.text for event in room.replies[ts] if isinstance(event, Notice)]


async def test_after_a_crash_what_ran_and_what_waited_is_answered(ledger, model, make_turns, room, recover):
    ran = await left_behind(ledger, "2.0", "QUESTION 2.0")
    await left_behind(ledger, "3.0", "QUESTION 3.0", attempts=0)
    turns = make_turns()
    await recover(turns)
    async with asyncio.timeout(60):
        while set(await turn_states(ledger)) != {TurnState.ANSWERED}:
            await asyncio.sleep(0.05)
    assert (ran.id, 1, BELOW) in room.closed
    assert GOING_ON in notices(room, "2.0")
    await turns.close()


async def test_the_model_is_told_that_it_goes_on(ledger, model, make_turns, room, recover):
    await left_behind(ledger)
    turns = make_turns()
    await recover(turns)
    (end,) = await room.ends(1)
    assert end.outcome is Outcome.ANSWERED
    assert "was restarted" in (await model.requests())[0]["last_user_text"]
    await turns.close()


async def test_what_a_shutdown_put_back_goes_on_in_the_next_process(ledger, model, make_turns, room, recover):
    await model.fault(kind="hang_mid", count=1)
    first = make_turns()
    await first.submit(prompt("QUESTION"))
    await room.spoken("2.0")
    await first.close()
    second = make_turns()
    await recover(second)
    ends = await room.ends(2)
    assert [end.outcome for end in ends] == [Outcome.INTERRUPTED, Outcome.ANSWERED]
    await second.close()
    assert await turn_states(ledger) == [TurnState.ANSWERED]


async def test_a_turn_that_ends_its_process_each_time_is_given_up_in_words(ledger, make_turns, room, recover):
    await left_behind(ledger, attempts=MOST_ATTEMPTS)
    turns = make_turns()
    await recover(turns)
    assert await turn_states(ledger) == [TurnState.INTERRUPTED]
    assert str(MOST_ATTEMPTS) in room.said[0]
    await turns.close()


async def test_looking_again_begins_nothing_twice(ledger, model, make_turns, room, recover):
    await model.script("QUESTION", {"text": "Once."})
    await left_behind(ledger)
    turns = make_turns()
    for _ in range(3):
        await recover(turns)
    await room.ends(1)
    await recover(turns)
    await turns.close()
    assert len(await model.requests()) == 1


async def test_what_a_waiting_prompt_refers_to_is_read_after_a_restart_too(ledger, model, make_turns, room, recover):
    await left_behind(ledger, text="what is this?", attempts=0)
    room.context = "Alertmanager: HighErrorRate"
    turns = make_turns()
    await recover(turns)
    await room.ends(1)
    assert "Alertmanager: HighErrorRate" in (await model.requests())[0]["last_user_text"]
    await turns.close()


async def test_a_turn_whose_end_people_saw_before_a_crash_is_only_recorded(ledger, make_turns, room, recover):
    await left_behind(ledger)
    await left_behind(ledger, "3.0", "taken in by the same run")
    room.complete = True
    turns = make_turns()
    await recover(turns)
    assert await turn_states(ledger) == [TurnState.ANSWERED, TurnState.ANSWERED]
    assert (room.said, room.replies) == ([], {})
    assert room.told == [("C1", "1.0")] * 2, "a card does not go on saying that it is investigated"
    await turns.close()


async def proposed(ledger: Ledger, *states: ApprovalState, call: str = "toolu_1") -> None:
    """What a run in the thread proposed, and what became of it."""
    expires = datetime.now(UTC) + timedelta(minutes=15)
    await ledger.approvals.propose(Proposal(call, uuid4(), "redeploy", {}, expires, channel="C1", thread_ts="1.0"))
    for state in states:
        await ledger.approvals.move(call, state, by="U1")


@pytest.mark.parametrize("decision", [[], [ApprovalState.APPROVED], [ApprovalState.REJECTED]])
async def test_a_run_whose_proposal_people_saw_has_ended_and_is_not_begun_again(
    ledger, model, make_turns, room, recover, decision
):
    ran = await left_behind(ledger)
    await proposed(ledger, ApprovalState.PENDING, *decision)
    turns = make_turns()
    await recover(turns)
    assert await turn_states(ledger) == [TurnState.PROPOSED]
    assert room.closed == [(ran.id, 1, PROPOSED)]
    assert room.told == [("C1", "1.0")]
    await turns.close()
    assert (await model.requests(), room.said, room.replies) == ([], [], {})


class Heard:
    """Hears only which decisions the agent has read."""

    def __init__(self) -> None:
        self.applied_ones: list[tuple[int, bool]] = []

    async def applied(self, approval_id: int, *, ran: bool) -> None:
        self.applied_ones.append((approval_id, ran))


async def test_a_decision_after_which_a_run_proposed_anew_holds_the_thread_up_no_more(ledger, make_turns, room):
    await left_behind(ledger, "act:7", "", author="")
    await proposed(ledger, ApprovalState.PENDING)
    turns, heard = make_turns(), Heard()
    await Recovery(ledger, room, turns, Circumstances(proposals=cast(Proposing, heard))).recover()
    assert await turn_states(ledger) == [TurnState.PROPOSED]
    assert heard.applied_ones == [(7, True)]
    await turns.close()


@pytest.mark.parametrize(("attempts", "ran"), [(1, True), (MOST_ATTEMPTS, False)])
async def test_a_decision_whose_run_is_not_begun_again_holds_the_thread_up_no_more(
    ledger, make_turns, room, attempts, ran
):
    await left_behind(ledger, "act:7", "", author="", attempts=attempts)
    room.complete = ran  # what was left behind says that it is whole
    turns, heard = make_turns(), Heard()
    await Recovery(ledger, room, turns, Circumstances(proposals=cast(Proposing, heard))).recover()
    assert heard.applied_ones == [(7, ran)]
    await turns.close()


async def test_a_run_whose_call_nobody_was_shown_is_begun_again_and_the_call_is_void(
    ledger, model, make_turns, room, recover
):
    await left_behind(ledger)
    await proposed(ledger)
    turns = make_turns()
    await recover(turns)
    (end,) = await room.ends(1)
    assert end.outcome is Outcome.ANSWERED
    await turns.close()
    approval = await ledger.approvals.find("toolu_1")
    assert (approval.state, approval.reason) == (ApprovalState.EXPIRED, CUT_OFF)


async def test_what_was_proposed_before_a_run_began_is_not_its_end(ledger, model, make_turns, room, recover):
    await ledger.thread("C1", "1.0", team="T1", started_by="U1")
    await proposed(ledger, ApprovalState.PENDING, ApprovalState.REJECTED)
    await left_behind(ledger)
    turns = make_turns()
    await recover(turns)
    (end,) = await room.ends(1)
    assert end.outcome is Outcome.ANSWERED
    await turns.close()


async def test_words_that_a_run_took_in_before_it_proposed_are_still_answered(ledger, model, make_turns, room, recover):
    await left_behind(ledger)
    await left_behind(ledger, "3.0", "taken in by the same run")
    await proposed(ledger, ApprovalState.PENDING)
    turns = make_turns()
    await recover(turns)
    await room.ends(1)
    await turns.close()
    assert await turn_states(ledger) == [TurnState.PROPOSED, TurnState.ANSWERED]
    assert list(room.replies) == ["3.0"]
