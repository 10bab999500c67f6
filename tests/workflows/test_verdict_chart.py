"""The picture of a verdict: of what is breached, once in the thread whatever dies, and words where there is none."""

import io
from pathlib import Path

import pytest
from PIL import Image

from sre_bot.errors import Refused, Unreachable
from sre_bot.incidents.model import Approval, ApprovalState
from tests.tools.conftest import FakeMetrics, one
from tests.workflows.hall import ARGUMENTS, TOOL, Board, Hall, Shelf, living
from tests.workflows.wall import AFTER, BEFORE


def breached() -> FakeMetrics:
    return FakeMetrics({"5..": [one("api-server", 0.3)], "http_requests_total[1m]": [one("api-server", 80.0)]})


async def change(hall: Hall) -> Approval:
    approval = await hall.propose()
    await hall.proposals.decide(approval.id, "Ada", approve=True)
    await hall.ledger.approvals.move("toolu_1", ApprovalState.EXECUTING)
    await hall.hand.call(TOOL, ARGUMENTS, "toolu_1")
    await hall.proposals.applied(approval.id, ran=True)
    return approval


async def judged(hall: Hall, approval: Approval) -> Approval:
    """Wait until the verdict is told."""
    await hall.until(lambda: [1 for prompt, _ in hall.desk.prompts if prompt.ts == f"verdict:{approval.id}"])
    return await hall.get(approval.id)


async def test_a_verdict_comes_with_one_picture_of_what_is_breached(tmp_path: Path):
    async with living(tmp_path, Board(), metrics=breached()) as hall:
        approval = await judged(hall, await change(hall))
        assert hall.shelf.shared == [approval.chart]
        image, words = hall.shelf.pictures[approval.chart]
        with Image.open(io.BytesIO(image)) as picture:
            assert picture.format == "PNG"
        assert words.startswith(f"Before and after #{approval.id}. Error rate (5xx), before and after, ")
        assert "thresholds: warning 1 %, critical 5 %" in words
        assert f"#{approval.id} Set DB_POOL_SIZE=20 for api-server" in words
        assert "No chart" not in approval.verdict


@pytest.mark.parametrize("fault", [BEFORE, AFTER])
async def test_a_picture_is_shown_once_although_slack_fails(tmp_path: Path, fault: str):
    shelf = Shelf()
    shelf.faults.append(fault)
    async with living(tmp_path, Board(), metrics=breached(), shelf=shelf) as hall:
        approval = await judged(hall, await change(hall))
        assert shelf.shared == [approval.chart]
        assert len(shelf.pictures) == 1


@pytest.mark.parametrize("given", [True, False], ids=["shown", "only given to Slack"])
async def test_a_picture_that_a_dead_process_left_is_shown_once_by_the_next(tmp_path: Path, given: bool):
    shelf, board = Shelf(), Board()
    async with living(tmp_path, board, metrics=breached(), shelf=shelf) as hall:
        hall.desk.away = given  # it dies before the telling, or before the sharing
        shelf.faults.extend([] if given else [Unreachable("Slack is away.")] * 2)
        approval = await hall.propose()
        for state in (ApprovalState.APPROVED, ApprovalState.EXECUTING):
            await hall.ledger.approvals.move("toolu_1", state, by="Ada")
        await hall.hand.call(TOOL, ARGUMENTS, "toolu_1")
        await hall.proposals.applied(approval.id, ran=True)
        await hall.until(lambda: shelf.shared if given else not shelf.faults and shelf.pictures)
    shelf.faults.clear()
    async with living(tmp_path, board, metrics=breached(), shelf=shelf, boot="b2") as hall:
        approval = await judged(hall, approval)
        assert shelf.shared == [approval.chart]
        assert len(shelf.pictures) == 1


async def test_where_prometheus_cannot_be_read_there_is_no_picture_and_the_words_say_so(tmp_path: Path):
    metrics = breached()
    async with living(tmp_path, Board(), metrics=metrics) as hall:
        approval = await hall.propose()
        await hall.proposals.decide(approval.id, "Ada", approve=True)
        metrics.answers = {"": Unreachable("Prometheus does not answer.")}
        await hall.ledger.approvals.move("toolu_1", ApprovalState.EXECUTING)
        await hall.hand.call(TOOL, ARGUMENTS, "toolu_1")
        await hall.proposals.applied(approval.id, ran=True)
        approval = await judged(hall, approval)
        assert approval.verdict.startswith("INCONCLUSIVE: the figures cannot be read now")
        assert approval.verdict.endswith("No chart: the figures cannot be read now.")
        assert hall.shelf.pictures == {}
        assert await hall.ledger.approvals.rollback_of(approval.id), "what is not known to be well can be taken back"


@pytest.mark.parametrize(
    ("error", "sharings"), [(Refused("missing_scope", 200), 1), (Unreachable("Slack is away."), 4)]
)
async def test_a_picture_that_slack_does_not_take_holds_no_verdict_up(
    tmp_path: Path, error: Refused | Unreachable, sharings: int
):
    shelf = Shelf()
    shelf.faults.extend([error] * sharings)
    async with living(tmp_path, Board(), metrics=breached(), shelf=shelf) as hall:
        approval = await judged(hall, await change(hall))
        assert approval.verdict.endswith(f"No chart: Slack did not take it ({error}).")
        assert (shelf.shared, list(shelf.faults)) == ([], [])


async def test_where_nothing_is_or_was_breached_there_is_nothing_to_draw(tmp_path: Path):
    async with living(tmp_path, Board(), metrics=FakeMetrics({"5..": [one("api-server", 0.0)]})) as hall:
        approval = await judged(hall, await change(hall))
        assert approval.verdict == "INCONCLUSIVE: nothing was breached before, and nothing is now"
        assert hall.shelf.pictures == {}
