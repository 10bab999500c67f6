"""The button that closes an incident out: there where something is offered, and a click on it carries a number."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.block_table import MESSAGE_BLOCKS
from sandbox.slack.blocks import faults_of
from sre_bot.errors import BadRequest
from sre_bot.incidents.model import ApprovalState
from sre_bot.slack.cards import closing, proposal
from sre_bot.slack.cards.closing import CLOSE_OUT
from sre_bot.slack.membership import Membership
from sre_bot.slack.sockets import Sockets
from sre_bot.workflows.people import ProposalCard
from tests.forged import forged_click
from tests.slack.test_proposal_card import make, offered

OFFER = "Write the post-mortem and resolve …"


class Asked:
    """Remembers who asked to close what out; stands where workflows do."""

    def __init__(self) -> None:
        self.clicks: list[tuple[int, str]] = []

    async def close_out(self, approval_id: int, person: str) -> str:
        self.clicks.append((approval_id, person))
        if approval_id == 99:
            raise BadRequest("There is no proposal #99 whose figures were compared.")
        return "I draft it."

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.clicks) < count:
                await asyncio.sleep(0.01)


def card(number: int = 12, offer: str = OFFER, state: ApprovalState = ApprovalState.SUCCEEDED) -> ProposalCard:
    return ProposalCard(make(id=number, state=state, verdict="RECOVERED: all is well"), "Ada", "Ada", offer=offer)


@pytest.mark.parametrize("render", [proposal.render, proposal.render_short])
def test_the_button_is_there_where_something_is_offered(render):
    assert offered(render(card())) == [CLOSE_OUT]
    assert offered(render(card(offer=""))) == []
    assert faults_of(render(card(offer="x" * 500)), MESSAGE_BLOCKS, 50) == []


def test_what_waits_for_a_decision_offers_nothing_else():
    assert CLOSE_OUT not in offered(proposal.render(card(state=ApprovalState.PENDING)))


@pytest_asyncio.fixture
async def asked(slack) -> AsyncIterator[Asked]:
    asked = Asked()
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    app = AsyncApp(client=client)
    closing.register(app, asked, Membership(client))
    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    yield asked
    await sockets.close()


async def click(slack, number: int, person: str) -> None:
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    ts = await slack.say("look")
    blocks = proposal.render(card(number))
    posted = await client.chat_postMessage(channel=slack.channel, thread_ts=ts, text="x", blocks=blocks)
    await slack.order("actions", channel=slack.channel, ts=posted["ts"], user=person, action_id=CLOSE_OUT)


@pytest.mark.parametrize("value", [None, "", "x", "-12", "9" * 4_000, ["12"]])
async def test_a_click_whose_number_is_none_of_ours_is_answered_and_closes_nothing(asked: Asked, slack, value: Any):
    assert (await slack.order("envelopes", payload=forged_click(slack, CLOSE_OUT, value)))["delivered"]
    async with asyncio.timeout(60):
        while not (calls := (await slack.look("calls", method="chat.postEphemeral"))["calls"]):
            await asyncio.sleep(0.02)
    assert asked.clicks == [(0, slack.world["users"]["Ada"])], "no proposal has this number"
    assert calls[-1]["args"]["text"]


async def test_a_click_carries_the_number_alone_and_is_answered_to_whoever_clicked(asked: Asked, slack):
    for count, number in enumerate((12, 99), 1):
        await click(slack, number, "Ada")
        await asked.until(count)
    assert asked.clicks == [(12, slack.world["users"]["Ada"]), (99, slack.world["users"]["Ada"])]
    async with asyncio.timeout(60):
        told: list[dict[str, Any]] = []
        while len(told) < 2:
            await asyncio.sleep(0.02)
            messages = (await slack.look("channel", channel=slack.channel))["messages"]
            told = [message for message in messages if message.get("ephemeral_to")]
    assert [message["text"] for message in told] == [
        "I draft it.",
        "There is no proposal #99 whose figures were compared.",
    ]
