"""The way back on a card: one button that says the exact call twice, and nothing where it cannot be taken."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.block_table import MESSAGE_BLOCKS
from sandbox.slack.blocks import faults_of
from sandbox.slack.mentions import in_blocks
from sre_bot.incidents.model import ApprovalState
from sre_bot.incidents.plan import Plan
from sre_bot.slack.cards import proposal
from sre_bot.slack.cards.rollback import ROLL_BACK
from sre_bot.workflows.people import ProposalCard
from tests.slack.test_proposal_card import NASTY, Decisions, decisions, make, nasty, offered, texts

__all__ = ["decisions"]  # the fixture

ARGUMENTS = {"service": "api-server", "key": "DB_POOL_SIZE", "value": "1", "redeploy": True}


def way_back(state: ApprovalState = ApprovalState.PENDING, approvers: str = "Ada", **facts: Any) -> ProposalCard:
    plan = Plan("Roll back #12: Set DB_POOL_SIZE=1 for api-server", "-DB_POOL_SIZE=20\n+DB_POOL_SIZE=1")
    rollback = make(**{"id": 13, "rolls_back": 12, "arguments": ARGUMENTS, "state": state, "plan": plan, **facts})
    done = make(state=ApprovalState.SUCCEEDED, outcome="CHANGED", verdict="NOT RECOVERED: still breached: x")
    return ProposalCard(done, approvers, "Ada", rollback)


@pytest.mark.parametrize("render", [proposal.render, proposal.render_short])
@pytest.mark.parametrize("state", list(ApprovalState))
def test_the_button_is_there_only_while_a_person_may_still_decide(state: ApprovalState, render):
    assert offered(render(way_back(state))) == ([ROLL_BACK] if state is ApprovalState.PENDING else [])


def test_the_card_and_the_question_say_the_exact_call_and_the_diff():
    blocks = proposal.render(way_back())
    (actions,) = [block for block in blocks if block["type"] == "actions"]
    (button,) = actions["elements"]
    call = 'update_service_config(key="DB_POOL_SIZE", redeploy=true, service="api-server", value="1")'
    assert (button["value"], button["confirm"]["text"]["text"]) == ("13", call)
    shown = texts(blocks[:-1])
    for words in ('value = \\"1\\"', "+DB_POOL_SIZE=1", "approve 13", "May decide"):
        assert words in shown


def test_afterwards_the_card_says_what_became_of_it():
    assert "Rollback #13 is succeeded" in texts(proposal.render(way_back(ApprovalState.SUCCEEDED)))
    assert "void*: nobody decided in time" in texts(
        proposal.render(way_back(ApprovalState.EXPIRED, reason="nobody decided in time"))
    )


@settings(max_examples=40)
@given(text=st.text(max_size=300) | st.sampled_from([NASTY * 300, "x" * 60_000]), state=st.sampled_from(ApprovalState))
def test_whatever_stands_in_it_the_card_fits_slack_and_calls_nobody(text: str, state: ApprovalState):
    rollback = replace(nasty(text, state=state).approval, id=13, rolls_back=12)
    card = replace(nasty(text, state=ApprovalState.SUCCEEDED), way_back=rollback)
    for blocks in (proposal.render(card), proposal.render_short(card)):
        assert faults_of(blocks, MESSAGE_BLOCKS, 50) == []
        assert list(in_blocks(blocks)) == []


async def test_a_click_decides_on_the_rollback_and_on_nothing_else(decisions: Decisions, slack):
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    ts = await slack.say("look")
    posted = await client.chat_postMessage(
        channel=slack.channel, thread_ts=ts, text="x", blocks=proposal.render(way_back())
    )
    await slack.order("actions", channel=slack.channel, ts=posted["ts"], user="Ada", action_id=ROLL_BACK)
    await decisions.until(1)
    assert decisions.taken == [(13, slack.world["users"]["Ada"], True, "", f"{slack.channel}/{ts}")]
