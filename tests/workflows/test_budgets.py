"""Budgets: in a thread, an hour, a day; what is urgent has a reserve; and the reply says which one ended."""

from uuid import uuid4

import pytest

from sre_bot.agent.events import Outcome
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import TurnEnd, TurnState
from sre_bot.incidents.paging import Urgency
from sre_bot.settings.bot import IncidentSettings
from sre_bot.workflows.budgets import Budgets, BudgetSpent
from sre_bot.workflows.circumstances import Circumstances
from sre_bot.workflows.turns import Turns

from .room import prompt, turn_states

HIGH, LOW = Urgency
BOUNDS = {
    "SRE_INCIDENT_BUDGET_USD": 6,
    "SRE_HOUR_BUDGET_USD": 20,
    "SRE_DAY_BUDGET_USD": 100,
    "SRE_BUDGET_RESERVE": 0.25,
}


def budgets(ledger: Ledger, **bounds: float) -> Budgets:
    return Budgets(ledger.runs, IncidentSettings.model_validate(BOUNDS | bounds))


async def spend(ledger: Ledger, dollars: float, thread_ts: str = "1.0", answer: str = "") -> int:
    """A run that cost so much; gives its thread."""
    thread = await ledger.thread("C1", thread_ts, team="T1", started_by="U1")
    turn = await ledger.queue_turn(thread.id, turn_id=uuid4(), prompt_ts=str(uuid4()), author="U1", prompt="?")
    await ledger.start_turn(turn.id)
    await ledger.end_turn(turn.id, TurnEnd(TurnState.ANSWERED, answer=answer, cost_usd=dollars))
    return thread.id


async def test_a_thread_has_a_budget_of_its_own(ledger: Ledger) -> None:
    thread, other = await spend(ledger, 6), await spend(ledger, 5.9, "2.0")
    with pytest.raises(BudgetSpent, match=r"this thread is spent \(\$6.00, SRE_INCIDENT_BUDGET_USD\)"):
        await budgets(ledger).check(thread, HIGH)
    await budgets(ledger).check(other, HIGH)


@pytest.mark.parametrize(("bound", "words"), [("SRE_HOUR_BUDGET_USD", "an hour"), ("SRE_DAY_BUDGET_USD", "a day")])
async def test_what_is_not_urgent_leaves_the_reserve(ledger: Ledger, bound: str, words: str) -> None:
    thread = await spend(ledger, 3)
    tight = budgets(ledger, **{bound: 4})
    with pytest.raises(BudgetSpent, match=rf"{words} is spent \(\$3.00, {bound}\).*kept for what is urgent"):
        await tight.check(thread, LOW)
    await tight.check(thread, HIGH)

    await spend(ledger, 1, "2.0")
    with pytest.raises(BudgetSpent, match=rf"{words} is spent \(\$4.00, {bound}\), so I do not investigate further\.$"):
        await tight.check(thread, HIGH)


async def test_nothing_spent_is_no_bound(ledger: Ledger) -> None:
    await budgets(ledger).check(1, LOW)


async def test_the_reply_says_which_budget_ended_with_the_evidence_so_far(ledger, make_pool, room) -> None:
    await spend(ledger, 7, answer="The pool is 1.")
    turns = Turns(ledger, make_pool(), room, Circumstances(budgets=budgets(ledger)))
    await turns.submit(prompt("and now?"))
    (end,) = await room.ends(1)
    await turns.close()
    assert end.outcome is Outcome.LIMITED
    assert "SRE_INCIDENT_BUDGET_USD" in end.reason
    assert "The pool is 1." in room.text("2.0")
    assert await turn_states(ledger) == [TurnState.ANSWERED, TurnState.LIMITED]
