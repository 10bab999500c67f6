"""The status line of a direct message: there while the reply grows, gone after it, and never in the way."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.agent.events import Outcome, RunEnded
from sre_bot.slack.files import Files
from sre_bot.slack.following import Following, Spot
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.replies import Replies
from sre_bot.slack.status import LOADING, STATUS, StatusLine
from sre_bot.slack.streams import Streams
from sre_bot.workflows.people import Prompt

DM = "D0ADA00001"
END = RunEnded(Outcome.ANSWERED, "", "", None, 1.0, 0)
Begin = Callable[[str, str], Following]


@pytest.fixture
def begin(slack) -> Begin:
    """Begins a reply as the bot does, with a status that is set anew quickly."""
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/", retry_handlers=[])
    outbox = Outbox(client)
    streams = Streams(client, outbox, slack.bot)
    replies = Replies(outbox, Files(client, outbox), streams, "auto", StatusLine(client, every=0.2))

    async def note(_: str) -> None:
        pass

    def begin(channel: str, ts: str) -> Following:
        prompt = Prompt(slack.world["team"], channel, ts, ts, "U0ADA00001", "why?")
        return replies.begin(prompt, Spot(channel, ts, f"turn:{uuid4()}", note))

    return begin


async def until(slack: Any, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while len(calls := (await slack.look("calls", method="assistant.threads.setStatus"))["calls"]) < count:
            await asyncio.sleep(0.02)
    return list(calls)


async def test_a_direct_message_shows_that_it_is_worked_on_until_it_is_answered(begin: Begin, slack) -> None:
    ts = await slack.say("why?", channel=DM)
    reply = begin(DM, ts)
    calls = await until(slack, 3)  # Slack clears it by itself, so it is set anew
    assert {call["args"]["status"] for call in calls} == {STATUS}
    assert calls[0]["args"]["loading_messages"] == list(LOADING)
    reply.show(END)
    await reply.settle()
    async with asyncio.timeout(60):
        while (await until(slack, 4))[-1]["args"]["status"]:
            await asyncio.sleep(0.02)
    assert (await slack.look("thread", channel=DM, ts=ts))["status"] is None


async def test_a_channel_has_no_status_line_since_everybody_sees_the_reply_grow(begin: Begin, slack) -> None:
    reply = begin(slack.channel, await slack.say("why?"))
    reply.show(END)
    await reply.settle()
    assert (await slack.look("calls", method="assistant.threads.setStatus"))["calls"] == []


async def test_where_slack_offers_no_status_the_reply_does_without_it(begin: Begin, slack) -> None:
    await slack.order("faults", method="assistant.threads.setStatus", kind="error", error="unknown_method", count=9)
    ts = await slack.say("why?", channel=DM)
    first = begin(DM, ts)
    await until(slack, 1)
    first.show(END)
    await first.settle()
    second = begin(DM, await slack.say("and now?", channel=DM))
    second.show(END)
    await second.settle()
    assert len(await until(slack, 1)) == 1, "nobody tries again for a while"
    shown = (await slack.look("thread", channel=DM, ts=ts))["messages"]
    assert [message["stream"] for message in shown if message["bot"]] == ["ended"]
