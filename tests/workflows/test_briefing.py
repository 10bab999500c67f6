"""`catch up`: what a thread comes to, written from the ledger alone, with who decided and for whom something waits."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from sre_bot.errors import BadRequest
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import ApprovalState, Proposal, TurnEnd, TurnState
from sre_bot.incidents.plan import Plan
from sre_bot.workflows.briefing import MOST, Briefing, Briefings
from tests.incidents.pages import page

from .hall import Electorate
from .house import House, living
from .wall import Wall

PLAN = Plan("Set DB_POOL_SIZE=20 for api-server", watch=("api-server",))


async def turn(ledger: Ledger, prompt_ts: str, prompt: str, end: TurnEnd | None = None, author: str = "Ada") -> UUID:
    thread = await ledger.thread("C1", "1.0", team="T1", started_by=author)
    known = await ledger.runs.find("C1", "1.0", prompt_ts)
    queued = known or await ledger.queue_turn(
        thread.id, turn_id=uuid4(), prompt_ts=prompt_ts, author=author, prompt=prompt
    )
    await ledger.start_turn(queued.id)
    if end:
        await ledger.end_turn(queued.id, end)
    return queued.id


async def propose(ledger: Ledger, call: str, *states: ApprovalState, by: str = "", reason: str = "") -> int:
    expires = datetime.now(UTC) + timedelta(minutes=10)
    proposal = Proposal(call, uuid4(), "update_service_config", {}, expires, None, "C1", "1.0", PLAN)
    approval = await ledger.approvals.propose(proposal)
    for state in states:
        if state is ApprovalState.CONSUMED:
            await ledger.approvals.consume(call, "update_service_config", {})
        else:
            await ledger.approvals.move(call, state, by=by, reason=reason)
    return approval.id


def briefings(ledger: Ledger, house: House) -> Briefings:
    return Briefings(ledger, house.work, Electorate())


async def brief(house: House) -> Briefing:
    return await briefings(house.ledger, house).of("C1", "1.0")


PENDING, APPROVED, REJECTED = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED
DONE = (PENDING, APPROVED, ApprovalState.EXECUTING, ApprovalState.CONSUMED, ApprovalState.SUCCEEDED)


async def test_a_paged_incident_is_told_with_its_questions_findings_decisions_and_what_waits(tmp_path: Path) -> None:
    async with living(f"sqlite:///{tmp_path / 'house.db'}", Wall()) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        answer = "**Verdict:** the pool is exhausted.\n\n**Next step:** set it to 20."
        await turn(house.ledger, "auto:1", "You were paged", TurnEnd(TurnState.ANSWERED, answer=answer), author="")
        await turn(house.ledger, "2.0", "and auth-svc?")
        rejected = await propose(house.ledger, "first", PENDING, REJECTED, by="Bo", reason="not before six")
        done = await propose(house.ledger, "second", *DONE, by="Ada")
        waiting = await propose(house.ledger, "third", PENDING)
        await propose(house.ledger, "hidden")

        told = await brief(house)

        assert told.card
        assert told.card.case.first.key == "pd:P1"
        assert [(each.by, each.text, each.state) for each in told.asked] == [
            ("", "", TurnState.ANSWERED),
            ("Ada", "and auth-svc?", TurnState.RUNNING),
        ]
        assert told.findings.parts == {"verdict": "the pool is exhausted.", "next step": "set it to 20."}
        assert told.findings.at
        assert [(each.approval.id, each.by) for each in told.proposals] == [
            (rejected, "Bo"),
            (done, "Ada"),
            (waiting, ""),
        ]
        assert [each.what for each in told.waiting] == [
            f"Proposal #{waiting} waits for Ada, Bo",
            f"The figures after proposal #{done} are still being compared",
            "I am investigating",
            "1 page waits to be acknowledged",
        ]
        assert told.waiting[0].until == (await house.ledger.approvals.unfinished())[-2].expires_at


async def test_a_conversation_without_an_incident_is_told_too(tmp_path: Path) -> None:
    async with living(f"sqlite:///{tmp_path / 'house.db'}", Wall()) as house:
        for number in range(MOST + 3):
            await turn(house.ledger, f"{number}.5", f"question {number}", TurnEnd(TurnState.FAILED, reason="away"))
        told = await brief(house)
        assert told.card is None
        assert [each.text for each in told.asked] == [f"question {number}" for number in range(3, MOST + 3)]
        assert told.asked_in_all == MOST + 3
        assert (told.findings.parts, told.proposals, told.waiting) == ({}, [], [])


async def test_decisions_and_verdicts_are_no_questions_and_a_click_is_one(tmp_path: Path) -> None:
    async with living(f"sqlite:///{tmp_path / 'house.db'}", Wall()) as house:
        for prompt_ts in ("act:1", "verdict:1", "click:3"):
            await turn(house.ledger, prompt_ts, "internal words", TurnEnd(TurnState.ANSWERED, answer="Done."), "")
        assert [each.text for each in (await brief(house)).asked] == ["with the button on the card"]


async def test_in_a_thread_that_the_bot_does_not_know_there_is_a_hint(tmp_path: Path) -> None:
    async with living(f"sqlite:///{tmp_path / 'house.db'}", Wall()) as house:
        with pytest.raises(BadRequest, match="no part here yet"):
            await brief(house)


async def test_without_approvers_a_proposal_waits_for_a_setting(tmp_path: Path) -> None:
    async with living(f"sqlite:///{tmp_path / 'house.db'}", Wall()) as house:
        await propose(house.ledger, "first", PENDING)
        told = await Briefings(house.ledger, house.work, Electorate(())).of("C1", "1.0")
        assert "SLACK_APPROVERS" in told.waiting[0].what
