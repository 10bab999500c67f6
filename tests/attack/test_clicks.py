"""Forged, stale and replayed clicks: a decision is a click of a person who may, on the card of the very proposal."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sre_bot.incidents.model import ApprovalState
from sre_bot.slack.approvers import NOT_YOU
from sre_bot.slack.cards.proposal import APPROVE, FORGED, REJECT
from sre_bot.slack.membership import OUTSIDER
from tests.conftest import running_slack

from .court import SPEED, Court, sitting
from .forgery import block_actions, forge, place, refused, view_submission

pytestmark = pytest.mark.asyncio(loop_scope="module")
PENDING, APPROVED, REJECTED = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def court(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Court]:
    folder = tmp_path_factory.mktemp("clicks")
    async with running_slack("--clock-rate", f"{SPEED:g}") as slack, sitting(folder, slack) as court:
        yield court


@pytest.mark.parametrize(
    "value", ["", "x", "0", "-1", "1.0", "1_0", " 1", "\uff11", "01", "9" * 10, "9" * 4_000, None, 1, ["1"], {"a": 1}]
)
@pytest.mark.parametrize("action", [APPROVE, REJECT])
async def test_a_button_without_a_proposals_number_decides_nothing(court: Court, value: Any, action: str):
    approval = await court.propose()
    await refused(court, block_actions(court, approval, value=value, action=action), FORGED)
    assert await court.state(approval) is PENDING


async def test_the_number_of_another_proposal_decides_neither(court: Court):
    thread = await court.slack.say("two matters in one thread")
    one, two = await court.propose(thread_ts=thread), await court.propose("30", thread_ts=thread)
    far = await court.propose("40")
    await refused(court, block_actions(court, one, value=str(two.id)), f"not the card of proposal #{two.id}")
    await refused(court, block_actions(court, one, value=str(far.id)), f"no proposal #{far.id} here")
    await refused(court, block_actions(court, one, value="999999999"), "no proposal #999999999 here")
    assert [await court.state(each) for each in (one, two, far)] == [PENDING] * 3


@pytest.mark.parametrize("change", [{"channel": "C0PLATFORM1"}, {"thread": "1.000001"}, {"card": "1.000002"}])
async def test_a_card_elsewhere_is_not_the_card(court: Court, change: dict[str, str]):
    approval = await court.propose()
    words = "not the card of" if "card" in change else "There is no proposal"
    await forge(court, block_actions(court, approval, **change))
    await court.told(words)
    assert await court.state(approval) is PENDING


async def test_whoever_left_the_group_after_the_card_was_shown_may_not(court: Court):
    approval = await court.propose()
    await court.slack.order("usergroups", usergroup="S0APPROVERS", users=["Linus"])
    await court.click(approval, "Grace", APPROVE)
    await court.told(NOT_YOU, "Grace")
    assert await court.state(approval) is PENDING
    await court.click(approval, "Linus", APPROVE)
    await court.becomes(approval, APPROVED)
    await court.slack.order("usergroups", usergroup="S0APPROVERS", users=["Grace"])


@pytest.mark.parametrize(("user", "why"), [("Guest", OUTSIDER), ("SRE Bot", OUTSIDER), ("Linus", NOT_YOU)])
async def test_a_guest_a_robot_and_a_bystander_decide_nothing(court: Court, user: str, why: str):
    approval = await court.propose()
    await refused(court, block_actions(court, approval, user), why, user)
    await refused(court, view_submission(court, place(approval), user), why, user)
    assert await court.state(approval) is PENDING


async def test_an_approvers_id_of_another_workspace_decides_nothing(court: Court):
    approval = await court.propose()
    await refused(court, block_actions(court, approval, team="T0PARTNER1"), OUTSIDER)
    assert await court.state(approval) is PENDING


@pytest.mark.parametrize("metadata", ["", "no JSON", "[]", "{}", "null", '{"channel": "C1", "proposal": 1}'])
async def test_a_reason_that_belongs_nowhere_rejects_nothing(court: Court, metadata: str):
    approval = await court.propose()
    await forge(court, view_submission(court, metadata))
    await refused(court, block_actions(court, approval, value="x"), FORGED)  # what came after it was answered
    assert await court.state(approval) is PENDING


async def test_a_reason_with_the_number_of_another_proposal_rejects_neither(court: Court):
    one, two = await court.propose(), await court.propose("30")
    await refused(court, view_submission(court, place(one, proposal=str(two.id))), f"no proposal #{two.id} here")
    await refused(court, view_submission(court, place(one, channel="C0PLATFORM1")), f"no proposal #{one.id} here")
    assert [await court.state(one), await court.state(two)] == [PENDING, PENDING]
    await forge(court, view_submission(court, place(two)))
    await court.becomes(two, REJECTED)
    assert await court.state(one) is PENDING
