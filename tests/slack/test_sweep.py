"""A message that a crash left open: the sign of work and the button go, the words stay, the reason is added."""

import pytest_asyncio
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.slack.cards.reply import STOP, Page, render
from sre_bot.slack.outbox import POST_EVENT, Outbox
from sre_bot.slack.reply import WORKING
from sre_bot.slack.streams import Streams
from sre_bot.slack.sweep import Abandoned, close_abandoned

REASON = "I was restarted."
KEY = "turn:this"


@pytest_asyncio.fixture
async def client(slack) -> AsyncWebClient:
    return AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")


async def _left(slack, client: AsyncWebClient, page: Page) -> str:
    ts = await slack.say("@SRE Bot look")
    for key in (f"{KEY}/0", "turn:another/0"):
        await client.chat_postMessage(
            channel=slack.channel,
            thread_ts=ts,
            text="x",
            blocks=render(page),
            metadata={"event_type": POST_EVENT, "event_payload": {"key": key}},
            unfurl_links=False,
            unfurl_media=False,
        )
    return str(ts)


async def _sweep(slack, client: AsyncWebClient, thread_ts: str, *noted: str) -> bool:
    outbox = Outbox(client)
    left = Abandoned(slack.channel, thread_ts, KEY, frozenset(noted))
    return await close_abandoned(outbox, Streams(client, outbox, slack.bot), left, REASON)


async def test_an_open_message_is_ended_and_keeps_what_it_says(slack, client):
    words = f"The pool is **full**: 5 of 5.\n\n- ✅ Reading the logs · 0.4 s\n\n{WORKING}"
    thread_ts = await _left(slack, client, Page(words, running=True))
    assert await _sweep(slack, client, thread_ts)
    message, other = await slack.replies(thread_ts)
    assert "full" in message["text"]
    assert "Reading the logs" in message["text"]
    assert REASON in message["text"]
    assert "Working on it" not in message["text"]
    assert "⏳" not in message["text"]
    assert STOP not in str(message["blocks"])
    assert STOP in str(other["blocks"]), "the message of another turn stays as it is"


async def test_a_message_that_is_complete_is_left_alone(slack, client):
    thread_ts = await _left(slack, client, Page("All is well."))
    assert not await _sweep(slack, client, thread_ts)
    message, _ = await slack.replies(thread_ts)
    assert REASON not in message["text"]
    assert message["edited"] is False
