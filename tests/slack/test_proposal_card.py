"""The card of a proposal: whatever the model put into a call, it is shown as it is, fits, and calls nobody."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.block_table import MESSAGE_BLOCKS
from sandbox.slack.blocks import faults_of
from sandbox.slack.mentions import in_blocks, in_text
from sre_bot.errors import BadRequest
from sre_bot.incidents.model import Approval, ApprovalState
from sre_bot.incidents.plan import Plan
from sre_bot.slack import listeners
from sre_bot.slack.board import SlackBoard
from sre_bot.slack.cards import proposal
from sre_bot.slack.cards.proposal import APPROVE, REJECT, ProposalSheet
from sre_bot.slack.listeners import read_decision
from sre_bot.slack.membership import Membership
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.sockets import Sockets
from sre_bot.workflows.people import Prompt, ProposalCard

NASTY = (
    "<!channel> *<@U0ADA00001>* &lt;!here> @everyone <https://evil.example|ok> [x](!channel) `~_` <!subteam^S1>\n"
    "> \u202e<!date^1^x|y> ```"
)
PENDING = ApprovalState.PENDING


def make(**facts: Any) -> Approval:
    now = datetime.now(UTC)
    approval = Approval(
        id=12,
        tool_use_id="toolu_1",
        session_id=UUID(int=7),
        tool="update_service_config",
        arguments={"service": "api-server", "key": "DB_POOL_SIZE", "value": "20"},
        call_hash="0" * 64,
        file_hash="0" * 16,
        state=PENDING,
        proposed_at=now,
        expires_at=now + timedelta(minutes=30),
        decided_at=None,
        decided_by="",
        started_at=None,
        consumed_at=None,
        ended_at=None,
        reason="",
        outcome="",
        channel="C1",
        thread_ts="1.0",
        card_ts="",
        plan=Plan("Set DB_POOL_SIZE=20 for api-server", "-DB_POOL_SIZE=1\n+DB_POOL_SIZE=20", ("api-server restarts",)),
        before={},
        verdict="",
        applied=False,
    )
    return replace(approval, **facts)


def nasty(text: str, **facts: Any) -> ProposalCard:
    """A card on which every word that comes from outside is this one."""
    plan = Plan(text, text, (text, text), text, None, text, (), text)
    words: dict[str, Any] = {"arguments": {"value": text}, "plan": plan, "reason": text, "outcome": text}
    return ProposalCard(make(**{**words, "verdict": text, **facts}), text, text)


def texts(blocks: list[dict[str, Any]]) -> str:
    return json.dumps(blocks, ensure_ascii=False)


def offered(blocks: list[dict[str, Any]]) -> list[str]:
    return [each["action_id"] for block in blocks if block["type"] == "actions" for each in block["elements"]]


@pytest.mark.parametrize("render", [proposal.render, proposal.render_short])
@pytest.mark.parametrize("state", list(ApprovalState))
def test_buttons_are_there_only_while_a_person_may_still_decide(state: ApprovalState, render):
    blocks = render(ProposalCard(make(state=state), "Ada", "Ada"))
    assert offered(blocks) == ([APPROVE, REJECT] if state is PENDING else [])


def test_a_card_shows_the_exact_call_the_change_the_radius_and_who_may_decide():
    shown = texts(proposal.render(ProposalCard(make(), "Ada Lovelace", "")))
    for words in ('value = \\"20\\"', "+DB_POOL_SIZE=20", "api-server restarts", "Ada Lovelace", "approve 12", "#12"):
        assert words in shown


def test_a_card_that_had_to_be_shortened_still_shows_what_changes():
    shown = texts(proposal.render_short(ProposalCard(make(), "Ada Lovelace", "")))
    for words in ('value = \\"20\\"', "+DB_POOL_SIZE=20", "Ada Lovelace", "approve 12"):
        assert words in shown
    assert "more characters are not shown here._" in texts(proposal.render_short(nasty("x" * 3_000)))


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\u200f", "\x00", "\x1b", "\u2028", "\ufeff"])
def test_what_would_turn_or_hide_parts_of_a_call_is_spelled_out(hidden: str):
    shown = texts(proposal.render(nasty(f"20{hidden}02")))
    assert f"20\\\\u{ord(hidden):04x}02" in shown
    header, call, *_ = proposal.render(nasty(f"20{hidden}02"))[0::2]
    assert hidden not in json.dumps([header, call], ensure_ascii=False)


def test_without_approvers_the_card_says_how_to_name_them():
    assert "SLACK_APPROVERS" in texts(proposal.render(ProposalCard(make(), "", "")))


@settings(max_examples=60)
@given(
    text=st.text(max_size=400) | st.sampled_from([NASTY, NASTY * 300, "x" * 60_000, "👩\u200d🚒" * 2_000, "&" * 9_000]),
    state=st.sampled_from(list(ApprovalState)),
)
def test_whatever_stands_in_a_call_the_card_fits_slack_and_calls_nobody(text: str, state: ApprovalState):
    card = nasty(text, state=state)
    for short in (False, True):
        content = ProposalSheet(card, short).content()
        assert faults_of(content["blocks"], MESSAGE_BLOCKS, 50) == []
        assert list(in_blocks(content["blocks"])) == []
        assert list(in_text(content["text"], bare=True)) == []
        assert len(content["text"]) <= 4_000


@pytest.mark.parametrize("state", list(ApprovalState))
async def test_slack_takes_the_worst_card_and_notifies_nobody(slack, state: ApprovalState):
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    board = SlackBoard(Outbox(client, 1.0))
    thread_ts = await slack.say("why is it slow?")
    card = nasty(NASTY * 40, state=state, channel=slack.channel, thread_ts=thread_ts)

    async def now() -> ProposalCard:
        return card

    shown = await board.show_proposal(now, search=False)
    card = replace(card, approval=replace(card.approval, card_ts=shown))
    assert await board.show_proposal(now, search=False) == shown
    assert len(await slack.replies(thread_ts)) == 1


# --- Clicks and typed words -----------------------------------------------------------------------------------------


class Decisions:
    """Remembers what was decided; stands where workflows do."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, str, bool, str, str]] = []
        self.prompts: list[Prompt] = []

    async def decide(
        self, approval_id: int, person: str, *, approve: bool, reason: str = "", thread: str = "", card: str = ""
    ) -> str:
        self.taken.append((approval_id, person, approve, reason, thread))
        if approval_id == 99:
            raise BadRequest("There is no proposal #99 here.")
        return f"Proposal #{approval_id} is decided."

    async def submit(self, prompt: Prompt) -> None:
        self.prompts.append(prompt)

    async def knows(self, _channel: str, thread_ts: str) -> bool:
        return bool(thread_ts)

    async def stop(self, _channel: str, _thread_ts: str) -> bool:
        return False

    async def amend(self, channel: str, thread_ts: str, ts: str, text: str | None) -> None:
        self.prompts.append(Prompt("T", channel, thread_ts, ts, "amended", text or ""))

    async def until(self, seen: int) -> None:
        async with asyncio.timeout(30):
            while len(self.taken) + len(self.prompts) < seen:
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def decisions(slack) -> AsyncIterator[Decisions]:
    decisions = Decisions()
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    app = AsyncApp(client=client)
    door = Membership(client)
    listeners.register(app, decisions, door, slack.bot, decisions)
    proposal.register(app, decisions, door)
    await slack.order("clock", ack_within=60)  # on a busy machine an event is not sent again
    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    yield decisions
    await sockets.close()


TYPED = {
    "approve 12": (12, True, ""),
    "approve #12": (12, True, ""),
    "  Approve   #12  ": (12, True, ""),
    "@SRE Bot approve 12": (12, True, ""),
    "reject 12": (12, False, ""),
    "reject 12 because it is the wrong service": (12, False, "because it is the wrong service"),
    "REJECT #12 two\nlines": (12, False, "two\nlines"),
}


async def test_a_typed_decision_is_taken_before_any_model_reads_it(decisions: Decisions, slack):
    ts = await slack.say("look")
    ada = slack.world["users"]["Ada"]
    for count, (text, (number, approve, reason)) in enumerate(TYPED.items(), 1):
        await slack.say(text, thread_ts=ts)
        await decisions.until(count)
        assert decisions.taken[-1] == (number, ada, approve, reason, f"{slack.channel}/{ts}"), text
    assert decisions.prompts == []


async def test_anything_else_is_no_approval(decisions: Decisions, slack):
    ts = await slack.say("look")
    refused = ["approve 12 please", "approve 12.", "approve 12 13", "approve 12\nand 13"]
    for text in refused:
        await slack.say(text, thread_ts=ts)
    asked = [
        "I approve 12",
        "approve",
        "approve twelve",
        "approve -12",
        "approve 1234567890",
        "reject it",
    ]
    for text in asked:
        await slack.say(text, thread_ts=ts)
    await decisions.until(len(asked))
    await _settle(slack)
    assert decisions.taken == []
    assert sorted(prompt.text for prompt in decisions.prompts) == sorted(asked)


async def test_an_edit_or_another_robot_approves_nothing(decisions: Decisions, slack):
    ts = await slack.say("look")
    said = await slack.say("what is it?", thread_ts=ts)
    await decisions.until(1)
    await slack.order("messages/edit", channel=slack.channel, ts=said, text="approve 12")
    await slack.order("messages", channel=slack.channel, bot="Alertmanager", text="approve 12", thread_ts=ts)
    await decisions.until(2)
    await _settle(slack)
    assert decisions.taken == []


async def test_a_click_carries_the_number_alone_and_a_rejection_asks_why(decisions: Decisions, slack):
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    ts = await slack.say("look")
    blocks = proposal.render(ProposalCard(make(), "Ada", ""))
    posted = await client.chat_postMessage(channel=slack.channel, thread_ts=ts, text="x", blocks=blocks)
    for person in ("Ada", "Ada"):
        await slack.order("actions", channel=slack.channel, ts=posted["ts"], user=person, action_id=APPROVE)
    await decisions.until(2)
    ada = slack.world["users"]["Ada"]
    assert decisions.taken == [(12, ada, True, "", f"{slack.channel}/{ts}")] * 2


async def _settle(slack) -> None:
    """Wait until every event so far was acknowledged: what comes of it has been decided then."""
    async with asyncio.timeout(60):
        while (await slack.look("acks"))["unacked"]:
            await asyncio.sleep(0.02)


PARTS = st.sampled_from(["approve", "APPROVE", "reject", " ", "\n", "\u00a0", "`", "#", "1", "12", "0", "<@U1>"])


@given(st.lists(PARTS | st.text(max_size=3), max_size=8).map("".join))
@example("ap<@U1>prove 1")
@example("approve 1<@U1>2")
@example("approve &#49;")
def test_what_is_taken_for_an_approval_reads_as_one(text: str):
    found = read_decision(text, "U1")
    if found and found["word"].lower() == "approve" and not found["reason"].strip():
        said = re.sub(r"\A\s*<@U1(\|[^>]*)?>", "", text)
        assert re.sub(r"[\s`#]", "", said).lower() == f"approve{found['number']}"
