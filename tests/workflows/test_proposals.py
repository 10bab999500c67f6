"""Decisions: by whom, once, on what was shown, in time; and whenever the bot is restarted, the rest is seen to."""

import asyncio
from pathlib import Path

import pytest

from sre_bot.errors import BadRequest, NotApproved
from sre_bot.incidents.model import Approval, ApprovalState
from sre_bot.workflows.rollback import UNKNOWN
from tests.workflows.hall import ARGUMENTS, TOOL, Board, Hall, Shelf, living
from tests.workflows.wall import AFTER, BEFORE

THREAD = "C1/1.0"


async def test_a_proposal_is_shown_approved_and_its_conversation_goes_on_once(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        await hall.shows(ApprovalState.PENDING)
        said = await hall.proposals.decide(approval.id, "Ada", approve=True)
        assert said == f"Proposal #{approval.id} is approved; it runs now."
        row = await hall.get(approval.id)
        assert (row.state, row.decided_by, row.before) == (ApprovalState.APPROVED, "Ada", {TOOL: 1.0})
        await hall.shows(ApprovalState.APPROVED)
        ((prompt, _),) = hall.desk.prompts
        assert (prompt.ts, prompt.thread_ts, prompt.text) == (f"act:{approval.id}", "1.0", "")


async def test_before_the_run_has_ended_nobody_sees_or_decides_it(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.record()
        with pytest.raises(BadRequest, match="is proposed already"):
            await hall.proposals.decide(approval.id, "Ada", approve=True)
        assert (await hall.get(approval.id)).state is ApprovalState.PROPOSED
        assert hall.board.state() is None


@pytest.mark.parametrize("approve", [True, False])
async def test_the_wrong_person_decides_nothing(tmp_path: Path, approve: bool):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        for person in ("Mallory", "ada", "", "U1"):
            with pytest.raises(BadRequest, match="may not decide"):
                await hall.proposals.decide(approval.id, person, approve=approve)
        assert await hall.get(approval.id) == approval or (await hall.get(approval.id)).state is ApprovalState.PENDING
        assert (hall.desk.prompts, hall.figures.sampled) == ([], 0)


async def test_where_nobody_may_decide_the_card_says_so(tmp_path: Path):
    async with living(tmp_path, Board(), may=()) as hall:
        approval = await hall.propose()
        await hall.shows(ApprovalState.PENDING)
        with pytest.raises(BadRequest):
            await hall.proposals.decide(approval.id, "Ada", approve=True)
        assert [shown[-1].approvers for shown in hall.board.cards.values()] == [""]


@pytest.mark.parametrize("number", [0, 2, 999_999_999])
async def test_a_forged_number_is_no_proposal(tmp_path: Path, number: int):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        with pytest.raises(BadRequest, match="no proposal"):
            await hall.proposals.decide(number, "Ada", approve=True)
        assert (await hall.get(approval.id)).state is ApprovalState.PENDING


@pytest.mark.parametrize("thread", ["C1/2.0", "C2/1.0", "C1/", "/1.0"])
async def test_what_is_typed_in_another_thread_does_not_count(tmp_path: Path, thread: str):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        with pytest.raises(BadRequest, match="no proposal"):
            await hall.proposals.decide(approval.id, "Ada", approve=True, thread=thread)
        assert (await hall.get(approval.id)).state is ApprovalState.PENDING
        await hall.proposals.decide(approval.id, "Ada", approve=True, thread=THREAD)
        assert (await hall.get(approval.id)).state is ApprovalState.APPROVED


async def test_two_who_approve_at_once_approve_it_once(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        people = ["Ada", "Bo", "Ada", "Bo"]
        said = await asyncio.gather(*(hall.proposals.decide(approval.id, one, approve=True) for one in people))
        assert sorted(said) == [
            f"Proposal #{approval.id} is approved; it runs now.",
            *[f"Proposal #{approval.id} was approved already."] * 3,
        ]
        await hall.shows(ApprovalState.APPROVED)
        assert len(hall.desk.prompts) == 1


async def test_of_an_approval_and_a_rejection_at_once_one_counts(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        for number in range(6):
            approval = await hall.record(call=f"toolu_{number}")
            await hall.ledger.approvals.move(approval.tool_use_id, ApprovalState.PENDING)
            both = [hall.proposals.decide(approval.id, "Ada", approve=bool(n % 2)) for n in (number, number + 1)]
            said = await asyncio.gather(*both, return_exceptions=True)
            assert sum(isinstance(one, BadRequest) for one in said) == 1
            row = await hall.get(approval.id)
            (won,) = [one for one in said if isinstance(one, str)]
            assert ("approved" in won) is (row.state is ApprovalState.APPROVED)
            assert len(hall.desk.prompts) == number + 1


@pytest.mark.parametrize("end", [ApprovalState.SUCCEEDED, ApprovalState.FAILED])
async def test_a_click_that_is_replayed_after_the_end_changes_nothing(tmp_path: Path, end: ApprovalState):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        await hall.proposals.decide(approval.id, "Ada", approve=True)
        await hall.ledger.approvals.move("toolu_1", ApprovalState.EXECUTING)
        await hall.ledger.approvals.consume("toolu_1", TOOL, ARGUMENTS)
        await hall.ledger.approvals.move("toolu_1", end, outcome="done")
        await hall.proposals.applied(approval.id, ran=True)
        await hall.shows(end)
        if end is ApprovalState.SUCCEEDED:
            await hall.until(lambda: hall.figures.scheduled)
        before = await hall.get(approval.id)
        for approve in (True, False):
            with pytest.raises(BadRequest, match=f"is {end} already"):
                await hall.proposals.decide(approval.id, "Bo", approve=approve)
        after = await hall.get(approval.id)
        assert (after.state, after.decided_by) == (end, "Ada")
        assert after.before == before.before, "figures from before are not those of the replay"
        assert len(hall.desk.prompts) == 1
        assert set(hall.figures.scheduled) == ({approval.id} if end is ApprovalState.SUCCEEDED else set())


async def test_a_rejection_keeps_its_reason_and_is_final(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        await hall.proposals.decide(approval.id, "Bo", approve=False, reason="wrong service")
        with pytest.raises(BadRequest, match="is rejected already"):
            await hall.proposals.decide(approval.id, "Ada", approve=True)
        row = await hall.get(approval.id)
        assert (row.state, row.decided_by, row.reason) == (ApprovalState.REJECTED, "Bo", "wrong service")
        await hall.shows(ApprovalState.REJECTED)
        assert hall.figures.sampled == 0


async def test_what_was_shown_by_a_process_that_died_at_once_expires_all_the_same(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.record(seconds=5)
        await hall.ledger.approvals.move(approval.tool_use_id, ApprovalState.PENDING)  # it died before it went on
    async with living(tmp_path, Board(), boot="b2") as hall:
        await hall.shows(ApprovalState.EXPIRED)


async def test_what_nobody_decides_expires_by_itself_and_the_card_says_so(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose(seconds=0.5)
        await hall.shows(ApprovalState.EXPIRED)
        with pytest.raises(BadRequest, match="is expired already"):
            await hall.proposals.decide(approval.id, "Ada", approve=True)
        assert hall.desk.prompts == []


@pytest.mark.parametrize("approve", [True, False])
async def test_a_click_after_the_time_expires_it(tmp_path: Path, approve: bool):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.record(seconds=-1)
        await hall.ledger.approvals.move("toolu_1", ApprovalState.PENDING)
        with pytest.raises(BadRequest, match="has expired"):
            await hall.proposals.decide(approval.id, "Ada", approve=approve)
        assert (await hall.get(approval.id)).state is ApprovalState.EXPIRED
        await hall.shows(ApprovalState.EXPIRED)


@pytest.mark.parametrize("content", ["DB_POOL_SIZE=5\n", "DB_POOL_SIZE=1\n# a note\n", "DB_POOL_SIZE=20\n", "=", None])
async def test_a_file_that_is_another_by_now_voids_the_proposal(tmp_path: Path, content: str | None):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        if content is None:
            hall.env_file.unlink()
        else:
            hall.env_file.write_text(content)
        with pytest.raises(BadRequest, match="is void"):
            await hall.proposals.decide(approval.id, "Ada", approve=True)
        await hall.shows(ApprovalState.EXPIRED)
        hall.env_file.write_text("DB_POOL_SIZE=1\n")
        with pytest.raises(BadRequest, match="is expired already"):
            await hall.proposals.decide(approval.id, "Ada", approve=True)
        assert hall.desk.prompts == []


@pytest.mark.parametrize("fault", [BEFORE, AFTER])
async def test_a_card_is_shown_once_although_slack_fails(tmp_path: Path, fault: str):
    board = Board()
    board.faults.append(fault)
    async with living(tmp_path, board) as hall:
        approval = await hall.propose()
        await hall.proposals.decide(approval.id, "Ada", approve=True)
        await hall.shows(ApprovalState.APPROVED)
        async with asyncio.timeout(30):
            while not (await hall.get(approval.id)).card_ts:
                await asyncio.sleep(0.03)
        assert len(board.cards) == 1


STOPS = {
    "never shown": [ApprovalState.PENDING],
    "approved": [ApprovalState.PENDING, ApprovalState.APPROVED],
    "rejected": [ApprovalState.PENDING, ApprovalState.REJECTED],
    "let through": [ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXECUTING],
}
"""The last move that was recorded before the process died; nothing after it was done."""


@pytest.mark.parametrize("moves", STOPS.values(), ids=STOPS)
async def test_what_a_dead_process_left_is_seen_to_by_the_next(tmp_path: Path, moves: list[ApprovalState]):
    board = Board()
    async with living(tmp_path, board, boot="b1") as hall:
        approval = await hall.record()
        for state in moves:
            await hall.ledger.approvals.move(approval.tool_use_id, state, by="Ada")
    async with living(tmp_path, board, boot="b2") as hall:
        await hall.shows(moves[-1])
        if len(moves) > 1:
            await hall.asked()
            assert len(hall.desk.prompts) == 1
        else:
            assert hall.desk.prompts == []
            await hall.proposals.decide(approval.id, "Ada", approve=True)
            await hall.shows(ApprovalState.APPROVED)
    async with living(tmp_path, board, boot="b3") as hall:
        assert await hall.proposals.holds_up("C1", "1.0")
        await hall.proposals.applied(approval.id, ran=True)
        assert hall.desk.prompts == [], "asked once in all lives"
        assert len(board.cards) == 1


async def test_an_approval_that_the_agent_could_not_be_told_of_is_void(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        await hall.proposals.decide(approval.id, "Ada", approve=True)
        await hall.proposals.applied(approval.id, ran=False)
        await hall.shows(ApprovalState.EXPIRED)
        assert await hall.proposals.holds_up("C1", "1.0") == ""


@pytest.mark.parametrize("ran", [True, False])
async def test_a_call_that_had_not_begun_when_its_run_ended_never_will(tmp_path: Path, ran: bool):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        await hall.proposals.decide(approval.id, "Ada", approve=True)
        await hall.ledger.approvals.move(approval.tool_use_id, ApprovalState.EXECUTING)
        await hall.proposals.applied(approval.id, ran=ran)
        await hall.shows(ApprovalState.EXPIRED)
        with pytest.raises(NotApproved):
            await hall.ledger.approvals.consume(approval.tool_use_id, approval.tool, approval.arguments)


async def test_who_decides_while_the_change_is_made_is_told_what_became_of_it(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()

        async def carry_out() -> None:
            await hall.proposals.decide(approval.id, "Ada", approve=True)
            await hall.ledger.approvals.move(approval.tool_use_id, ApprovalState.EXECUTING)
            await hall.hand.call(TOOL, ARGUMENTS, approval.tool_use_id)

        hall.electorate.meanwhile = carry_out
        with pytest.raises(BadRequest, match="is succeeded already"):
            await hall.proposals.decide(approval.id, "Bo", approve=True)
        assert hall.env_file.read_text() == "DB_POOL_SIZE=20\n"


async def test_what_the_cards_of_a_thread_offer_is_shown_anew_when_its_incident_is_over(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await begin(hall)
        await hall.ledger.approvals.move(approval.tool_use_id, ApprovalState.SUCCEEDED, outcome="done")
        await hall.shows(ApprovalState.SUCCEEDED)
        await hall.ledger.approvals.note(approval.id, verdict="RECOVERED: no threshold")
        await hall.proposals.offer_anew("C1", "1.0", "7:1")
        await hall.until(lambda: hall.board.newest(approval.id).offer)  # type: ignore[union-attr]  # it hangs there


async def test_a_conversation_waits_while_its_proposal_is_undecided_or_unread(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        assert await hall.proposals.holds_up("C1", "1.0") == ""
        approval = await hall.propose()
        assert f"#{approval.id}" in await hall.proposals.holds_up("C1", "1.0")
        assert await hall.proposals.holds_up("C1", "2.0") == ""
        await hall.proposals.decide(approval.id, "Ada", approve=False)
        assert await hall.proposals.holds_up("C1", "1.0")
        await hall.proposals.applied(approval.id, ran=True)
        assert await hall.proposals.holds_up("C1", "1.0") == ""


async def begin(hall: Hall) -> Approval:
    """A change that the tool process has taken, and whose run is over without an answer."""
    approval = await take(hall)
    await hall.proposals.applied(approval.id, ran=True)
    return approval


async def take(hall: Hall) -> Approval:
    """A change that the tool process has taken."""
    approval = await hall.propose()
    await hall.shows(ApprovalState.PENDING)
    await hall.proposals.decide(approval.id, "Ada", approve=True)
    await hall.shows(ApprovalState.APPROVED)
    await hall.ledger.approvals.move(approval.tool_use_id, ApprovalState.EXECUTING)
    await hall.ledger.approvals.consume(approval.tool_use_id, approval.tool, approval.arguments)
    return approval


async def test_the_outcome_of_a_change_that_outlasts_its_run_is_shown_when_it_is_there(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await begin(hall)
        await hall.shows(ApprovalState.CONSUMED)
        await hall.ledger.approvals.move(approval.tool_use_id, ApprovalState.SUCCEEDED, outcome="It worked.")
        await hall.shows(ApprovalState.SUCCEEDED)
        async with asyncio.timeout(30):
            while approval.id not in hall.figures.scheduled:
                await asyncio.sleep(0.03)


async def test_an_outcome_that_arrives_after_its_card_was_shown_is_shown_too(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await take(hall)

        async def tell() -> None:
            await hall.ledger.approvals.move(approval.tool_use_id, ApprovalState.FAILED, outcome="It broke.")

        hall.board.after_next = tell
        await hall.proposals.applied(approval.id, ran=True)
        await hall.shows(ApprovalState.FAILED)


async def test_a_change_whose_process_died_is_shown_as_one_of_unknown_outcome(tmp_path: Path):
    async with living(tmp_path, Board(), longest=1.0) as hall:
        approval = await begin(hall)
        await hall.shows(ApprovalState.FAILED)
        assert (await hall.get(approval.id)).outcome == UNKNOWN


@pytest.mark.parametrize("card", ["2.0", "1.00", " 1.0"])
async def test_a_click_on_another_message_does_not_count(tmp_path: Path, card: str):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        async with asyncio.timeout(30):
            while not (await hall.get(approval.id)).card_ts:
                await asyncio.sleep(0.03)
        with pytest.raises(BadRequest, match="not the card"):
            await hall.proposals.decide(approval.id, "Ada", approve=True, thread=THREAD, card=card)
        assert (await hall.get(approval.id)).state is ApprovalState.PENDING


async def test_what_nobody_can_read_whole_nobody_may_approve(tmp_path: Path):
    async with living(tmp_path, Board(), shelf=Shelf(refused="Slack did not take the file.")) as hall:
        approval = await hall.propose()
        await hall.shows(ApprovalState.EXPIRED)
        for thread in ("", THREAD):
            with pytest.raises(BadRequest, match="is expired already"):
                await hall.proposals.decide(approval.id, "Ada", approve=True, thread=thread)
        assert (await hall.get(approval.id)).reason.startswith("Slack did not take the file.")
        assert await hall.proposals.holds_up("C1", "1.0") == "", "words may go on"


async def test_the_file_of_a_long_proposal_is_there_before_its_card_and_not_looked_for_again(tmp_path: Path):
    async with living(tmp_path, Board()) as hall:
        approval = await hall.propose()
        await hall.shows(ApprovalState.PENDING)
        await hall.proposals.decide(approval.id, "Ada", approve=True)
        await hall.shows(ApprovalState.APPROVED)
        assert hall.shelf.filed == [approval.id]
