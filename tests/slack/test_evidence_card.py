"""Evidence below an answer: its buttons, and the window that a click opens, against the strict stand-in."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.blocks import faults_of
from sre_bot.errors import LedgerError
from sre_bot.evidence.exhibit import Exhibit
from sre_bot.slack.cards import evidence
from sre_bot.slack.cards.reply import Page, render
from sre_bot.slack.membership import Membership
from sre_bot.slack.sockets import Sockets

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
IN_VIEWS = ("section", "rich_text", "context", "actions", "divider", "header", "input")


def exhibit(text: str = "api-server fails 33.1 %", *, ok: bool = True, **arguments: Any) -> Exhibit:
    return Exhibit(3, "mcp__sre__get_logs", arguments, text, ok, NOW)


class Room:
    """Evidence E3 in one thread of one channel."""

    def __init__(self, channel: str) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.thread_ts = ""
        self.fails = False
        self._channel = channel

    async def find(self, channel: str, thread_ts: str, number: int) -> tuple[Exhibit, str] | None:
        self.asked.append((channel, thread_ts, number))
        if self.fails:
            raise LedgerError("The database does not answer. Try again in a minute.")
        there = (channel, thread_ts, number) == (self._channel, self.thread_ts, 3)
        return (
            (exhibit("key=x password=hunter2 <!channel>\u202e", service="api-server"), "Reading `logs`")
            if there
            else None
        )


@pytest_asyncio.fixture
async def room(slack) -> AsyncIterator[Room]:
    room = Room(slack.channel)
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    app = AsyncApp(client=client)
    evidence.register(app, room, Membership(client))
    await slack.order("clock", ack_within=60, trigger_lives=60)  # as long as a busy machine may take
    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    yield room
    await sockets.close()


async def post(slack: Any, ts: str, *numbers: int) -> str:
    """An answer with its buttons, in a thread."""
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    blocks = render(Page("It fails [E3].", cited=tuple((number, "Reading `logs`") for number in numbers)))
    return str((await client.chat_postMessage(channel=slack.channel, thread_ts=ts, text="x", blocks=blocks))["ts"])


async def until_called(slack: Any, method: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            calls = (await slack.look("calls", method=method))["calls"]
            if calls and "status" in calls[-1]:
                return dict(calls[-1])
            await asyncio.sleep(0.02)


async def test_a_click_opens_the_call_and_its_result_masked_and_literal(room: Room, slack):
    ts = room.thread_ts = await slack.say("look")
    message = await post(slack, ts, 1, 3)
    await slack.order("actions", channel=slack.channel, ts=message, user="Ada", action_id="show_evidence:3")
    call = await until_called(slack, "views.open")
    assert call["ok"], call
    view = call["args"]["view"]
    shown = json.dumps(view if isinstance(view, dict) else json.loads(view))
    assert room.asked == [(slack.channel, ts, 3)]
    assert "Evidence E3" in shown
    assert "hunter2" not in shown
    assert "\\\\u202e" in shown, "what would turn the text is spelled out"


async def test_evidence_that_is_not_of_this_thread_is_not_shown(room: Room, slack):
    room.thread_ts = await slack.say("look")
    message = await post(slack, await slack.say("another thread"), 3)
    await slack.order("actions", channel=slack.channel, ts=message, user="Ada", action_id="show_evidence:3")
    told = await until_called(slack, "chat.postEphemeral")
    assert told["args"]["text"] == "I do not keep E3 of this thread any more."
    assert (await slack.look("calls", method="views.open"))["calls"] == []


async def test_a_ledger_that_is_away_is_said_to_be(room: Room, slack):
    room.fails = True
    message = await post(slack, await slack.say("look"), 3)
    await slack.order("actions", channel=slack.channel, ts=message, user="Ada", action_id="show_evidence:3")
    told = await until_called(slack, "chat.postEphemeral")
    assert "The database does not answer" in told["args"]["text"]


def test_a_view_of_the_longest_result_is_one_that_slack_takes():
    view = evidence.view(exhibit("line of a log\n" * 4_000, ok=False, query="x" * 2_000), "Reading " + "y" * 500)
    assert faults_of(view["blocks"], IN_VIEWS, 100) == []
    assert len(json.dumps(view)) < 250_000
    assert "the call failed" in str(view)


@given(st.text(max_size=9_000), st.text(max_size=300))
def test_any_words_are_shown_in_blocks_that_slack_takes(text: str, summary: str):
    assert faults_of(evidence.view(exhibit(text, contains=summary), summary)["blocks"], IN_VIEWS, 100) == []
    assert faults_of([evidence.row([(n, summary) for n in range(1, 40)])], ("actions",), 50) == []


def test_a_reply_without_evidence_has_no_buttons():
    assert [block["type"] for block in render(Page("Text."))] == ["markdown"]
