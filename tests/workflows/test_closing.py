"""Closing out: offered when figures have recovered and something is left to do, asked for once, and again after no."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from sre_bot.errors import BadRequest
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState, Proposal, TurnEnd, TurnState
from sre_bot.incidents.plan import Plan
from sre_bot.tools.publications import POSTMORTEM, announce
from sre_bot.tools.publishing import incident_of
from sre_bot.workflows.closing import OPENING, Closing
from tests.incidents.pages import deliver, fold, page, resolution
from tests.workflows import hall
from tests.workflows.wall import AskedOnly

LINK = "https://x.atlassian.net/wiki/spaces/SRE/pages/7"
BOTH, PAGE, RESOLVE = "Write the post-mortem and resolve …", "Write the post-mortem …", "Resolve in PagerDuty …"


@dataclass
class Office:
    """One life of the bot, as far as closing out goes."""

    ledger: Ledger
    closing: Closing
    desk: AskedOnly

    async def paged(self, *ids: str) -> None:
        """The thread is an incident's."""
        await deliver(self.ledger, *(page(each) for each in ids or ("Q1",)))
        (case_id,) = await fold(self.ledger)
        await self.ledger.cases.posted(case_id, "C1", "1.0")

    async def carry_out(
        self, call: str = "toolu_1", verdict: str = "RECOVERED: no threshold", **facts: str
    ) -> Approval:
        """A call that was approved and ended."""
        arguments = {"title": "x", "root_cause": "the pool"}
        approval = await self.propose(call, facts.get("tool", "update_service_config"), arguments)
        for state in (ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXECUTING):
            await self.ledger.approvals.move(call, state, by="U0ADA00001")
        await self.ledger.approvals.consume(call, approval.tool, arguments)
        await self.ledger.approvals.move(call, ApprovalState.SUCCEEDED, outcome=facts.get("outcome", "done"))
        await self.ledger.approvals.note(approval.id, verdict=verdict, applied=True)
        return await self.get(approval.id)

    async def propose(self, call: str, tool: str, arguments: dict[str, str]) -> Approval:
        incident = incident_of(await self.ledger.records.of_thread("C1", "1.0"))
        plan = Plan("Do it", sealed={"recorded": {"incident": incident}} if tool == POSTMORTEM else {})
        expires = datetime.now(UTC) + timedelta(minutes=5)
        made = Proposal(call, uuid4(), tool, arguments, expires, None, "C1", "1.0", plan)
        return await self.ledger.approvals.propose(made)

    async def get(self, approval_id: int) -> Approval:
        found = await self.ledger.approvals.get(approval_id)
        assert found
        return found

    async def end_draft(self, state: TurnState = TurnState.PROPOSED) -> None:
        """The run that was asked for is over."""
        for turn in await self.ledger.unfinished_turns():
            await self.ledger.start_turn(turn.id)
            await self.ledger.end_turn(turn.id, TurnEnd(state))


@asynccontextmanager
async def living(folder: Path, *, publishes: bool = True, resolves: bool = True) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        ledger = await Ledger.open(f"sqlite:///{folder / 'office.db'}")
        stack.push_async_callback(ledger.close)
        desk = AskedOnly(ledger)
        yield Office(ledger, Closing(ledger, desk, "T1", publishes=publishes, resolves=resolves), desk)


@pytest.mark.parametrize(
    ("publishes", "resolves", "paged", "button"),
    [
        (True, True, True, BOTH),
        (True, True, False, PAGE),
        (True, False, True, PAGE),
        (False, True, True, RESOLVE),
        (False, True, False, ""),
        (False, False, True, ""),
    ],
    ids=["all", "no incident", "no PagerDuty", "no Confluence", "no incident and no Confluence", "nothing"],
)
async def test_only_what_can_be_done_is_offered(
    tmp_path: Path, publishes: bool, resolves: bool, paged: bool, button: str
):
    async with living(tmp_path, publishes=publishes, resolves=resolves) as office:
        if paged:
            await office.paged()
        approval = await office.carry_out()
        assert await office.closing.button(approval) == button
        told = await office.closing.words(approval)
        assert (f"“{button}”" in told) is bool(button)
        if not button:
            assert told == ""
            assert await office.closing.close_out(approval.id, "U1") == "Nothing is left to close out here."
            assert office.desk.prompts == []
            return
        await office.closing.close_out(approval.id, "U1")
        (text,) = office.desk.texts
        assert text.startswith(f"{OPENING} It was asked for by U1")
        assert ("confluence_create_postmortem" in text) is publishes
        assert ('resolve_incident="Q1"' in text) is (button == BOTH)
        assert ("pagerduty_update_incident" in text) is (button == RESOLVE)


@pytest.mark.parametrize("verdict", ["", "NOT RECOVERED: still breached", "INCONCLUSIVE: no data"])
async def test_nothing_is_offered_before_the_figures_have_recovered(tmp_path: Path, verdict: str):
    async with living(tmp_path) as office:
        await office.paged()
        approval = await office.carry_out(verdict=verdict)
        assert await office.closing.button(approval) == ""


async def test_what_was_said_last_of_the_figures_counts(tmp_path: Path):
    async with living(tmp_path) as office:
        first = await office.carry_out()
        second = await office.carry_out("toolu_2", "NOT RECOVERED: still breached")
        assert [await office.closing.button(each) for each in (first, second)] == ["", ""]
        third = await office.carry_out("toolu_3")
        assert [await office.closing.button(each) for each in (first, second, third)] == ["", "", PAGE]


async def test_all_incidents_that_are_open_are_resolved_and_only_those(tmp_path: Path):
    async with living(tmp_path) as office:
        await office.paged("Q1", "Q2", "Q3")
        await deliver(office.ledger, resolution("Q2", 60))
        await fold(office.ledger)
        approval = await office.carry_out()
        await office.closing.close_out(approval.id, "U1")
        assert 'resolve_incident="Q1,Q3"' in office.desk.texts[0]


async def test_what_resolved_by_itself_is_only_written_up(tmp_path: Path):
    async with living(tmp_path) as office:
        await office.paged()
        approval = await office.carry_out()
        await deliver(office.ledger, resolution("Q1", 60))
        await fold(office.ledger)
        assert await office.closing.button(approval) == PAGE


async def test_clicks_at_once_ask_once_and_a_later_one_waits_for_what_was_asked(tmp_path: Path):
    async with living(tmp_path) as office:
        approval = await office.carry_out()
        said = await asyncio.gather(*(office.closing.close_out(approval.id, f"U{n}") for n in range(5)))
        assert set(said) == {"I draft it: the proposal comes in the thread, and a person decides on it."}
        await office.closing.close_out(approval.id, "U9")
        assert len(office.desk.prompts) == 1
    async with living(tmp_path) as office:  # after a restart
        await office.closing.close_out(approval.id, "U9")
        assert office.desk.prompts == []
        await office.end_draft()
        proposal = await office.propose("toolu_2", POSTMORTEM, {})
        assert (
            await office.closing.close_out(approval.id, "U9")
            == f"Proposal #{proposal.id} comes first: see this thread."
        )
        assert office.desk.prompts == []


@pytest.mark.parametrize("state", [TurnState.PROPOSED, TurnState.FAILED, TurnState.ANSWERED])
async def test_after_a_rejection_or_a_failure_it_can_be_asked_for_again(tmp_path: Path, state: TurnState):
    async with living(tmp_path) as office:
        approval = await office.carry_out()
        await office.closing.close_out(approval.id, "U1")
        await office.end_draft(state)
        if state is TurnState.PROPOSED:
            proposal = await office.propose("toolu_2", POSTMORTEM, {})
            await office.ledger.approvals.move("toolu_2", ApprovalState.PENDING)
            await office.ledger.approvals.move("toolu_2", ApprovalState.REJECTED, by="U1", reason="name the customer")
            await office.ledger.approvals.note(proposal.id, applied=True)
        await office.closing.close_out(approval.id, "U1")
        assert [prompt.ts for prompt, _ in office.desk.prompts] == ["close:1:1", "close:1:2"]


async def test_what_is_published_is_not_offered_again(tmp_path: Path):
    async with living(tmp_path) as office:
        await office.paged()
        approval = await office.carry_out()
        outcome = announce(f"x (page 7) {LINK}", made=True)
        await office.carry_out("toolu_2", "", tool=POSTMORTEM, outcome=outcome)
        assert await office.closing.button(approval) == RESOLVE, "the incident is open still"
        await deliver(office.ledger, resolution("Q1", 60))
        await fold(office.ledger)
        assert await office.closing.button(approval) == ""
        said = await office.closing.close_out(approval.id, "U1")
        assert said == f"Nothing is left to close out here. The post-mortem is {LINK}"


async def offers(board: hall.Board, approval_id: int, button: str) -> None:
    """Wait until the card says so; the page's own proposal has a card beside it."""
    async with asyncio.timeout(60):
        while (card := board.newest(approval_id)) is None or card.offer != button:
            await asyncio.sleep(0.03)


async def test_the_card_offers_it_until_it_is_done(tmp_path: Path):
    async with hall.living(tmp_path, hall.Board()) as house:
        approval = await house.propose()
        await house.proposals.decide(approval.id, "Ada", approve=True)
        await house.ledger.approvals.move("toolu_1", ApprovalState.EXECUTING)
        await house.ledger.approvals.consume("toolu_1", hall.TOOL, hall.ARGUMENTS)
        await house.ledger.approvals.move("toolu_1", ApprovalState.SUCCEEDED, outcome="done")
        await house.ledger.approvals.note(approval.id, verdict="RECOVERED: no threshold", applied=True)
        await house.proposals.applied(approval.id, ran=True)
        await offers(house.board, approval.id, PAGE)
        office = Office(
            house.ledger, Closing(house.ledger, house.desk, "T1", publishes=True, resolves=True), house.desk
        )
        outcome = announce(f"x (page 7) {LINK}", made=True)
        published = await office.carry_out("toolu_2", "", tool=POSTMORTEM, outcome=outcome)
        await house.proposals.applied(published.id, ran=True)
        await offers(house.board, approval.id, "")


@pytest.mark.parametrize("number", [0, 2, 99])
async def test_a_forged_click_asks_nothing(tmp_path: Path, number: int):
    async with living(tmp_path) as office:
        await office.carry_out()
        await office.propose("toolu_2", "redeploy_service", {})
        with pytest.raises(BadRequest, match=f"no proposal #{number}"):
            await office.closing.close_out(number, "U1")
        assert office.desk.prompts == []
