"""`catch up`: taken before any model reads it, seen by who asked alone, and safe whatever others wrote."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.block_table import MESSAGE_BLOCKS
from sandbox.slack.blocks import faults_of
from sandbox.slack.mentions import in_blocks
from sre_bot.errors import BadRequest
from sre_bot.incidents.model import ApprovalState, TurnState
from sre_bot.slack import listeners
from sre_bot.slack.cards.briefing import NOBODY_WAITS, PAGED, render
from sre_bot.slack.catching_up import CatchingUp
from sre_bot.slack.membership import Membership
from sre_bot.slack.sockets import Sockets
from sre_bot.workflows.briefing import Asked, Briefing, Decided, Wait
from sre_bot.workflows.findings import Findings

from .cases import NINE, make_card, make_case, make_incident
from .test_listeners import Desk
from .test_proposal_card import NASTY, make


def make_briefing(words: str = "why is it slow?", name: str = "Ada", many: int = 1) -> Briefing:
    card = make_card(make_case(make_incident(title=words)), owner=name, progress=words)
    approval = make(
        state=ApprovalState.REJECTED,
        decided_at=NINE,
        reason=words,
        verdict=words,
        plan=replace(make().plan, summary=words),
    )
    return Briefing(
        card=card,
        asked=[Asked(name, NINE, words, TurnState.ANSWERED), Asked("", NINE, "", TurnState.RUNNING)] * many,
        asked_in_all=2 * many + 3,
        findings=Findings(NINE, {"verdict": words, "next step": words}, words),
        proposals=[Decided(approval, name)] * many,
        waiting=[Wait(words, NINE, NINE)] * many,
    )


def text_of(briefing: Briefing) -> str:
    return json.dumps(render(briefing), ensure_ascii=False)


def test_a_briefing_says_what_it_is_what_was_found_who_decided_and_what_waits() -> None:
    shown = text_of(make_briefing("the pool is full"))
    for words in (
        "High urgency".lower(),
        "*Ada* · ",
        PAGED,
        "and 3 earlier",
        "*Verdict:* the pool is full",
        "*Next step:* the pool is full",
        "*Since then:* the pool is full",
        "*#12* the pool is full",
        "rejected by *Ada*",
        "no model was asked",
    ):
        assert words in shown.replace("*high* urgency", "high urgency"), words


def test_where_nothing_is_known_that_is_said() -> None:
    shown = text_of(Briefing(None, [], 0, Findings(None, {}), [], []))
    assert "Nothing yet" in shown
    assert NOBODY_WAITS in shown


@settings(max_examples=50)
@given(
    words=st.text(max_size=300) | st.sampled_from([NASTY, NASTY * 50, "&" * 9_000, "👩\u200d🚒" * 2_000, ""]),
    many=st.integers(min_value=1, max_value=5),
)
def test_whatever_people_and_models_wrote_a_briefing_fits_slack_and_calls_nobody(words: str, many: int) -> None:
    blocks = render(make_briefing(words, words, many))
    assert faults_of(blocks, MESSAGE_BLOCKS, 50) == []
    assert list(in_blocks(blocks)) == []


def test_what_does_not_fit_is_counted_and_the_verdict_is_the_last_to_go() -> None:
    (found,) = [block["text"]["text"] for block in render(make_briefing("&" * 900, many=5)) if "Found" in str(block)]
    assert "*Verdict:*" in found
    assert "would not fit here" in found


# --- Typed -----------------------------------------------------------------------------------------------------------


class Briefings:
    """Knows one thread; stands where the workflow does."""

    def __init__(self) -> None:
        self.known = ""
        self.asked: list[str] = []

    async def of(self, _channel: str, thread_ts: str) -> Briefing:
        self.asked.append(thread_ts)
        if thread_ts != self.known:
            raise BadRequest("There is nothing to catch up on.")
        return make_briefing()


@pytest_asyncio.fixture
async def room(slack) -> AsyncIterator[tuple[Desk, Briefings]]:
    desk, briefings = Desk(), Briefings()
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    app = AsyncApp(client=client)
    listeners.register(app, desk, Membership(client), slack.bot, briefer=CatchingUp(client, briefings))
    await slack.order("clock", ack_within=60)  # on a busy machine an event is not sent again
    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    yield desk, briefings
    await sockets.close()


async def told(slack: Any, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while len(calls := (await slack.look("calls", method="chat.postEphemeral"))["calls"]) < count:
            await asyncio.sleep(0.02)
    return [call["args"] for call in calls]


ORDERS = (
    "catch up",
    "Catch me up!",
    "`catch up`",
    "please catch me up",
    "catch up, please",
    "@SRE Bot catch up",
    "CATCH UP ?",
)


async def test_who_asks_to_catch_up_is_briefed_alone_and_no_model_reads_it(room, slack) -> None:
    desk, briefings = room
    ts = await slack.say("@SRE Bot look")
    await desk.texts(1)
    briefings.known = ts
    for count, words in enumerate(ORDERS, 1):
        await slack.say(words, thread_ts=ts, user="Grace")
        answers = await told(slack, count)
        assert (answers[-1]["user"], answers[-1]["thread_ts"]) == (slack.world["users"]["Grace"], ts), words
        assert answers[-1]["blocks"], words
    assert [prompt.text for prompt in desk.prompts] == ["look"]


async def test_more_words_are_a_question(room, slack) -> None:
    desk, _ = room
    ts = await slack.say("@SRE Bot look")
    await desk.texts(1)
    questions = ["catch up with the logs", "did auth-svc catch up?", "catchup"]
    for words in questions:
        await slack.say(words, thread_ts=ts)
    assert sorted(await desk.texts(4)) == sorted(["look", *questions])


@pytest.mark.parametrize(("channel", "threaded"), [("incidents", True), ("incidents", False)])
async def test_where_there_is_nothing_to_tell_that_is_said(room, slack, channel, threaded) -> None:
    place = slack.world["channels"][channel]
    thread_ts = await slack.say("lunch?", channel=place) if threaded else None
    await slack.say("@SRE Bot catch up", thread_ts=thread_ts, channel=place)
    (answer,) = await told(slack, 1)
    assert answer["text"] == "There is nothing to catch up on."
    assert answer.get("thread_ts") == thread_ts


async def test_a_guest_is_not_briefed(room, slack) -> None:
    _, briefings = room
    await slack.say("@SRE Bot catch up", user="Guest")
    (answer,) = await told(slack, 1)
    assert "members of this workspace only" in answer["text"]
    assert briefings.asked == []
