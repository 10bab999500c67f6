"""The way back: sealed before its button is shown, decided once, carried out once without a model, whatever dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sre_bot.clients.prometheus import Series
from sre_bot.errors import BadRequest, Unreachable
from sre_bot.incidents.model import Approval, ApprovalState
from sre_bot.workflows.rollback import CHANGED, UNKNOWN
from tests.tools.conftest import FakeMetrics, one
from tests.workflows.hall import ARGUMENTS, TOOL, Board, Hall, Shelf, living


class Undrawn(FakeMetrics):
    """Tells how it is and not how it was: these tests look at no picture."""

    async def query_range(self, promql: str, start: float, end: float, step: float) -> list[Series]:
        raise Unreachable("Prometheus does not answer.")


BREACHED = Undrawn({"5..": [one("api-server", 0.3)], "http_requests_total[1m]": [one("api-server", 80.0)]})
BACK = {**ARGUMENTS, "value": "1"}
CHANGED_FILE = "DB_POOL_SIZE=20\n"


async def change(hall: Hall, call: str = "toolu_1") -> Approval:
    """An approved change, made by the tool; the figures are compared after it."""
    approval = await hall.propose(call=call)
    await hall.proposals.decide(approval.id, "Ada", approve=True)
    await hall.ledger.approvals.move(call, ApprovalState.EXECUTING)
    await hall.hand.call(TOOL, ARGUMENTS, call)
    hall.hand.calls.clear()
    await hall.proposals.applied(approval.id, ran=True)
    return await hall.get(approval.id)


async def offered(hall: Hall, approval: Approval) -> Approval:
    """Wait for the sealed rollback on the card of the change."""

    def way_back() -> Approval | None:
        card = hall.board.newest(approval.id)
        found = card.way_back if card else None
        return found if found and found.state is not ApprovalState.PROPOSED else None

    await hall.until(way_back)
    found = way_back()
    assert found
    return found


@asynccontextmanager
async def worse(folder: Path, **more: object) -> AsyncIterator[tuple[Hall, Approval, Approval]]:
    """A change that did not help, and its way back."""
    async with living(folder, Board(), metrics=BREACHED, **more) as hall:  # type: ignore[arg-type]
        approval = await change(hall)
        way_back = await offered(hall, approval)
        await hall.asked(2)  # the verdict is told after the card offers it
        yield hall, approval, way_back


async def test_where_the_figures_did_not_recover_the_card_offers_the_sealed_way_back(tmp_path: Path):
    async with worse(tmp_path) as (hall, approval, rollback):
        assert (rollback.state, rollback.rolls_back) == (ApprovalState.PENDING, approval.id)
        assert (rollback.tool, dict(rollback.arguments)) == (TOOL, BACK)
        assert rollback.file_hash == approval.plan.way_back.file_hash  # type: ignore[union-attr]
        assert rollback.plan.summary == f"Roll back #{approval.id}: Set DB_POOL_SIZE=1 for api-server, and redeploy it"
        assert rollback.plan.diff.splitlines()[-2:] == ["-DB_POOL_SIZE=20", "+DB_POOL_SIZE=1"]
        assert (await hall.get(approval.id)).verdict.startswith("NOT RECOVERED: ")
        await hall.asked(2)
        assert f"#{rollback.id} (Roll back #{approval.id}" in hall.desk.texts[-1]
        assert hall.board.newest(rollback.id) is None, "it has no card before somebody wants it"
        assert await hall.proposals.holds_up("C1", "1.0") == "", "no conversation waits for it"
        assert (hall.hand.calls, hall.env_file.read_text()) == ([], CHANGED_FILE)


async def test_one_click_takes_the_change_back_shows_the_outcome_and_is_verified_itself(tmp_path: Path):
    async with worse(tmp_path) as (hall, approval, rollback):
        said = await hall.proposals.decide(rollback.id, "Bo", approve=True)
        assert said == f"Proposal #{rollback.id} is approved; it runs now."
        done = await hall.reaches(rollback.id, ApprovalState.SUCCEEDED)
        assert hall.env_file.read_text() == "DB_POOL_SIZE=1\n"
        assert "REDEPLOYED api-server" in done.outcome
        assert (done.decided_by, hall.hand.calls) == ("Bo", [f"rollback:{approval.id}"])
        await hall.until(lambda: (card := hall.board.newest(rollback.id)) and card.approval.verdict)
        shown = hall.board.newest(rollback.id)
        assert shown
        assert shown.approval.outcome == done.outcome
        assert shown.way_back is None, "what is taken back is not brought again"
        assert shown.approval.before, "its figures are its own"
        below = hall.board.newest(approval.id)
        assert below
        assert below.way_back
        assert below.way_back.state is ApprovalState.SUCCEEDED
        await hall.asked(4)
        told = [prompt.ts for prompt, _ in hall.desk.prompts]
        assert told == [
            f"act:{approval.id}",
            f"verdict:{approval.id}",
            f"rollback:{rollback.id}",
            f"verdict:{rollback.id}",
        ]
        assert done.outcome in hall.desk.texts[2]


async def test_clicks_at_once_take_it_back_once(tmp_path: Path):
    async with worse(tmp_path) as (hall, approval, rollback):
        clicks = (hall.proposals.decide(rollback.id, who, approve=True) for who in ("Ada", "Bo", "Ada"))
        said = await asyncio.gather(*clicks, return_exceptions=True)
        assert all(isinstance(one, str | BadRequest) for one in said), "who is late is told so"
        await hall.reaches(rollback.id, ApprovalState.SUCCEEDED)
        await hall.asked(4)
        with pytest.raises(BadRequest, match="is succeeded already"):
            await hall.proposals.decide(rollback.id, "Ada", approve=True)
        assert hall.hand.calls == [f"rollback:{approval.id}"]
        assert len([prompt for prompt, _ in hall.desk.prompts if prompt.ts == f"rollback:{rollback.id}"]) == 1


async def test_the_wrong_person_takes_nothing_back(tmp_path: Path):
    async with worse(tmp_path) as (hall, _, rollback):
        with pytest.raises(BadRequest, match="may not decide"):
            await hall.proposals.decide(rollback.id, "Mallory", approve=True)
        with pytest.raises(BadRequest, match="no proposal"):
            await hall.proposals.decide(rollback.id, "Ada", approve=True, thread="C1/2.0")
        assert (await hall.get(rollback.id)).state is ApprovalState.PENDING
        assert (hall.hand.calls, hall.env_file.read_text()) == ([], CHANGED_FILE)


async def test_it_can_be_typed_and_rejected(tmp_path: Path):
    async with worse(tmp_path) as (hall, approval, rollback):
        await hall.proposals.decide(rollback.id, "Ada", approve=False, reason="we wait", thread="C1/1.0")
        await hall.until(lambda: _way_back_of(hall, approval).state is ApprovalState.REJECTED)
        with pytest.raises(BadRequest, match="is rejected already"):
            await hall.proposals.decide(rollback.id, "Ada", approve=True, thread="C1/1.0")
        assert (hall.hand.calls, hall.board.newest(rollback.id)) == ([], None)


async def test_what_nobody_takes_in_time_is_void_and_its_button_goes(tmp_path: Path):
    async with worse(tmp_path, expires=1.0) as (hall, approval, rollback):
        await hall.until(lambda: _way_back_of(hall, approval).state is ApprovalState.EXPIRED)
        with pytest.raises(BadRequest, match="is expired already"):
            await hall.proposals.decide(rollback.id, "Ada", approve=True)
        assert (hall.hand.calls, hall.env_file.read_text()) == ([], CHANGED_FILE)


async def test_a_file_that_was_changed_after_the_offer_voids_it(tmp_path: Path):
    async with worse(tmp_path) as (hall, approval, rollback):
        hall.env_file.write_text("DB_POOL_SIZE=20\n# somebody was here\n")
        with pytest.raises(BadRequest, match="is void"):
            await hall.proposals.decide(rollback.id, "Ada", approve=True)
        await hall.until(lambda: _way_back_of(hall, approval).state is ApprovalState.EXPIRED)
        assert hall.hand.calls == []


async def test_a_file_that_was_changed_after_the_decision_is_left_as_it_is(tmp_path: Path):
    async with worse(tmp_path) as (hall, _, rollback):
        await hall.ledger.approvals.move(rollback.tool_use_id, ApprovalState.APPROVED, by="Ada")
        hall.env_file.write_text("DB_POOL_SIZE=30\n")
        await hall.rollbacks.schedule(await hall.get(rollback.id))
        failed = await hall.reaches(rollback.id, ApprovalState.FAILED)
        assert "is not the file that was seen" in failed.outcome
        assert hall.env_file.read_text() == "DB_POOL_SIZE=30\n"


async def test_a_file_that_was_changed_before_the_verdict_gives_no_button_and_says_why(tmp_path: Path):
    async with living(tmp_path, Board(), metrics=BREACHED) as hall:
        approval = await hall.propose()
        await hall.proposals.decide(approval.id, "Ada", approve=True)
        await hall.ledger.approvals.move("toolu_1", ApprovalState.EXECUTING)
        await hall.hand.call(TOOL, ARGUMENTS, "toolu_1")
        hall.env_file.write_text("DB_POOL_SIZE=20\nDB_POOL_TIMEOUT=3\n")
        await hall.proposals.applied(approval.id, ran=True)
        await hall.until(lambda: (card := hall.board.newest(approval.id)) and CHANGED in card.approval.verdict)
        assert await hall.ledger.approvals.rollback_of(approval.id) is None


async def test_where_there_is_no_way_back_there_is_no_button(tmp_path: Path):
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "api-server.env").write_text("DB_POOL_TIMEOUT=3\n")
    async with living(tmp_path, Board(), metrics=BREACHED) as hall:
        approval = await change(hall)
        await hall.asked(2)
        assert (await hall.get(approval.id)).verdict.startswith("NOT RECOVERED")
        assert await hall.ledger.approvals.rollback_of(approval.id) is None


async def test_what_has_recovered_is_not_offered_to_be_taken_back(tmp_path: Path):
    async with living(tmp_path, Board(), metrics=BREACHED) as hall:
        approval = await hall.propose()
        await hall.ledger.approvals.note(approval.id, verdict="RECOVERED: no threshold is breached any more")
        assert hall.verifier
        await hall.verifier.schedule(await hall.get(approval.id))
        await hall.asked()
        assert await hall.ledger.approvals.rollback_of(approval.id) is None


async def test_without_the_tool_process_it_is_void_nothing_is_changed_and_the_card_says_why(tmp_path: Path):
    async with worse(tmp_path) as (hall, _, rollback):
        hall.hand.broken = "The tool process did not answer (no such file)."
        await hall.proposals.decide(rollback.id, "Ada", approve=True)
        void = await hall.reaches(rollback.id, ApprovalState.EXPIRED)
        assert void.reason == hall.hand.broken
        await hall.until(lambda: (card := hall.board.newest(rollback.id)) and card.approval.reason)
        await hall.asked(3)
        assert hall.hand.broken in hall.desk.texts[-1]
        assert hall.env_file.read_text() == CHANGED_FILE


async def test_what_cannot_be_shown_whole_is_not_offered(tmp_path: Path):
    shelf = Shelf(refused="")
    async with living(tmp_path, Board(), metrics=BREACHED, shelf=shelf) as hall:
        approval = await hall.propose()
        await hall.shows(ApprovalState.PENDING)
        await hall.proposals.decide(approval.id, "Ada", approve=True)
        shelf.refused = "Slack did not take the file."
        await hall.ledger.approvals.move("toolu_1", ApprovalState.EXECUTING)
        await hall.hand.call(TOOL, ARGUMENTS, "toolu_1")
        await hall.proposals.applied(approval.id, ran=True)
        await hall.until(lambda: (card := hall.board.newest(approval.id)) and "No rollback" in card.approval.verdict)
        rollback = _way_back_of(hall, approval)
        assert (rollback.state, rollback.reason) == (ApprovalState.EXPIRED, shelf.refused)
        with pytest.raises(BadRequest, match="is expired already"):
            await hall.proposals.decide(rollback.id, "Ada", approve=True)


# --- Between every two steps the process may die ----------------------------------------------------------------------

STOPS: dict[str, list[ApprovalState]] = {
    "approved": [ApprovalState.APPROVED],
    "let through": [ApprovalState.APPROVED, ApprovalState.EXECUTING],
}
"""The last move of the rollback that was recorded before the process died; nothing after it was done."""


@pytest.mark.parametrize("moves", STOPS.values(), ids=STOPS)
async def test_a_rollback_that_a_dead_process_left_is_carried_out_by_the_next(
    tmp_path: Path, moves: list[ApprovalState]
):
    async with worse(tmp_path) as (hall, approval, rollback):
        for state in moves:
            await hall.ledger.approvals.move(rollback.tool_use_id, state, by="Ada")
        board = hall.board
    async with living(tmp_path, board, metrics=BREACHED, boot="b2") as hall:
        await hall.reaches(rollback.id, ApprovalState.SUCCEEDED)
        await hall.until(lambda: (card := hall.board.newest(rollback.id)) and card.approval.outcome)
        assert (hall.env_file.read_text(), hall.hand.calls) == ("DB_POOL_SIZE=1\n", [f"rollback:{approval.id}"])
    async with living(tmp_path, board, metrics=BREACHED, boot="b3") as hall:
        assert (await hall.get(rollback.id)).state is ApprovalState.SUCCEEDED
        assert hall.hand.calls == []
        assert len(board.cards) == 2


async def test_a_process_that_dies_while_it_calls_is_followed_by_one_that_calls(tmp_path: Path):
    async with worse(tmp_path) as (hall, _, rollback):
        hall.hand.hangs = True
        await hall.proposals.decide(rollback.id, "Ada", approve=True)
        await hall.until(lambda: hall.hand.calls)
        assert (await hall.get(rollback.id)).state is ApprovalState.EXECUTING
        board = hall.board
    async with living(tmp_path, board, metrics=BREACHED, boot="b2") as hall:
        await hall.reaches(rollback.id, ApprovalState.SUCCEEDED)
        assert hall.env_file.read_text() == "DB_POOL_SIZE=1\n"


async def take(hall: Hall, rollback: Approval) -> None:
    """A tool process takes the call, and nobody hears of it again."""
    for state in (ApprovalState.APPROVED, ApprovalState.EXECUTING):
        await hall.ledger.approvals.move(rollback.tool_use_id, state, by="Ada")
    await hall.ledger.approvals.consume(rollback.tool_use_id, TOOL, BACK)


async def test_a_call_that_was_taken_before_the_death_is_waited_for_and_not_made_again(tmp_path: Path):
    async with worse(tmp_path) as (hall, _, rollback):
        await take(hall, rollback)
        board = hall.board
    async with living(tmp_path, board, metrics=BREACHED, boot="b2") as hall:
        await hall.rollbacks.schedule(await hall.get(rollback.id))
        await hall.until(lambda: hall.board.newest(rollback.id))
        await hall.ledger.approvals.move(rollback.tool_use_id, ApprovalState.SUCCEEDED, outcome="done by the other")
        await hall.until(lambda: any("done by the other" in text for text in hall.desk.texts))
        assert hall.hand.calls == []


async def test_a_rollback_whose_process_died_is_shown_as_one_of_unknown_outcome(tmp_path: Path):
    async with worse(tmp_path) as (hall, _, rollback):
        await take(hall, rollback)
        board = hall.board
    async with living(tmp_path, board, metrics=BREACHED, boot="b2", longest=1.0) as hall:
        await hall.rollbacks.schedule(await hall.get(rollback.id))
        await hall.until(
            lambda: (card := hall.board.newest(rollback.id)) and card.approval.state is ApprovalState.FAILED
        )
        assert (await hall.get(rollback.id)).outcome == UNKNOWN


async def test_an_outcome_that_a_dead_process_told_nobody_is_told_by_the_next(tmp_path: Path):
    async with worse(tmp_path) as (hall, _, rollback):
        await hall.asked(2)
        hall.desk.away = True
        await hall.proposals.decide(rollback.id, "Ada", approve=True)
        await hall.reaches(rollback.id, ApprovalState.SUCCEEDED)
        board = hall.board
    async with living(tmp_path, board, metrics=BREACHED, boot="b2") as hall:
        await hall.until(lambda: [prompt for prompt, _ in hall.desk.prompts if prompt.ts == f"rollback:{rollback.id}"])
        assert hall.hand.calls == []


async def test_an_offer_that_a_dead_process_left_unfinished_is_made_once(tmp_path: Path):
    shelf = Shelf()
    board = Board()
    async with living(tmp_path, board, metrics=BREACHED, shelf=shelf) as hall:
        hall.desk.away = True  # the verdict and the offer are there, and nobody is told
        approval = await hall.propose()
        await hall.ledger.approvals.move("toolu_1", ApprovalState.APPROVED, by="Ada")
        await hall.ledger.approvals.move("toolu_1", ApprovalState.EXECUTING)
        await hall.hand.call(TOOL, ARGUMENTS, "toolu_1")
        await hall.proposals.applied(approval.id, ran=True)
        await _until_offered(hall, approval)
    async with living(tmp_path, board, metrics=BREACHED, shelf=shelf, boot="b2") as hall:
        rollback = await offered(hall, approval)
        await hall.asked()
        assert [prompt.ts for prompt, _ in hall.desk.prompts] == [f"verdict:{approval.id}"]
        assert rollback.id == approval.id + 1


async def _until_offered(hall: Hall, approval: Approval) -> None:
    async with asyncio.timeout(100):
        while not await hall.ledger.approvals.rollback_of(approval.id):
            await asyncio.sleep(0.03)


def _way_back_of(hall: Hall, approval: Approval) -> Approval:
    card = hall.board.newest(approval.id)
    assert card
    assert card.way_back
    return card.way_back
