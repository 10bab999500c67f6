"""Clicks that come after something has changed: the person's account, or the process that showed the card."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sre_bot.incidents.model import ApprovalState
from sre_bot.slack.approvers import NOT_YOU
from sre_bot.slack.cards.proposal import APPROVE, REJECT
from tests.conftest import Slack, running_slack

from .court import SPEED, sitting
from .forgery import block_actions, forge, place, refused, view_submission

PENDING, APPROVED, REJECTED = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED


@pytest_asyncio.fixture
async def slack(tmp_path: Path) -> AsyncIterator[Slack]:
    async with running_slack("--clock-rate", f"{SPEED:g}") as slack:
        yield slack


@pytest.mark.parametrize("change", [{"deleted": True}, {"guest": True}])
async def test_whoever_was_deactivated_or_became_a_guest_after_the_card_was_shown_may_not(
    slack: Slack, tmp_path: Path, change: dict[str, bool]
):
    async with sitting(tmp_path, slack, ("U0ADA00001", "U0LINUS001")) as court:
        approval = await court.propose()
        await court.click(approval, "Linus", REJECT)  # a full member, who is asked for a reason and remembered as one
        await court.asked()
        await court.slack.order("people", user="Linus", **change)
        await refused(court, block_actions(court, approval, "Linus"), NOT_YOU, "Linus")
        await refused(court, view_submission(court, place(approval), "Linus"), NOT_YOU, "Linus")
        assert await court.state(approval) is PENDING


async def test_a_click_is_of_no_use_a_second_time_also_after_a_restart(slack: Slack, tmp_path: Path):
    async with sitting(tmp_path, slack) as court:
        one, two = await court.propose(), await court.propose("30")
        await court.click(one, "Ada", APPROVE)
        await court.click(two, "Ada", REJECT)
        await forge(court, view_submission(court, place(two)))
        await court.becomes(one, APPROVED)
        await court.becomes(two, REJECTED)
        third = await court.propose("40")
        async with asyncio.timeout(30):  # else what is left of it is done in the next life
            while len(court.resumed.prompts) < 2:
                await asyncio.sleep(0.05)
    async with sitting(tmp_path, slack) as court:
        asked = len(court.resumed.prompts)
        await refused(court, block_actions(court, one), "was approved already")
        await refused(court, block_actions(court, two), "is rejected already")
        await refused(court, view_submission(court, place(one)), "is approved already")
        assert len(court.resumed.prompts) == asked
        assert [await court.state(one), await court.state(two)] == [APPROVED, REJECTED]
        await court.click(third, "Grace", APPROVE)  # an old card that still waits is as good as before
        await court.becomes(third, APPROVED)
