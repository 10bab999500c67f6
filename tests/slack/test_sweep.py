"""A message that a crash left open: the sign of work and the button go, the words stay, the reason is added."""

import pytest
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


async def _stream(slack, client: AsyncWebClient, *chunks: dict[str, str]) -> tuple[str, str]:
    prompt = await slack.say("look")
    who = {"recipient_user_id": "U0ADA00001", "recipient_team_id": slack.world["team"]}
    started = await client.chat_startStream(channel=slack.channel, thread_ts=prompt, chunks=list(chunks), **who)
    return str(prompt), str(started["ts"])


SAID = {"type": "markdown_text", "text": "The pool is **full**."}
CARD = {"type": "task_update", "id": "a", "title": "Reading the logs", "status": "in_progress"}


@pytest.mark.parametrize("read_back", ["live", "first", "hidden"])
async def test_a_stream_that_was_left_open_is_stopped_and_says_why(slack, client, read_back):
    await slack.order("streams", read_back=read_back)
    thread_ts, ts = await _stream(slack, client, CARD, SAID)
    assert await _sweep(slack, client, thread_ts, ts)
    (message,) = await slack.replies(thread_ts)
    assert message["stream"] == "ended"
    assert message["markdown"] == f"The pool is **full**.\n\n⚠️ **{REASON}**"
    assert await _sweep(slack, client, thread_ts, ts), "it is no end of the reply"
    assert [each["markdown"] for each in await slack.replies(thread_ts)] == [message["markdown"]]


async def test_a_stream_that_nobody_noted_is_found_by_its_lack_of_a_key(slack, client):
    thread_ts, _ = await _stream(slack, client, SAID)
    assert await _sweep(slack, client, thread_ts)
    (message,) = await slack.replies(thread_ts)
    assert REASON in message["text"]


async def test_a_stream_whose_time_was_over_keeps_what_it_says(slack, client):
    thread_ts, ts = await _stream(slack, client, CARD, SAID)
    await slack.order("streams", lifetime=0)
    assert await _sweep(slack, client, thread_ts, ts)
    (message,) = await slack.replies(thread_ts)
    assert "The pool is *full*." in message["text"]
    assert await _sweep(slack, client, thread_ts, ts), "a crash came before what follows"
    (message,) = await slack.replies(thread_ts)
    assert message["text"].count(REASON) == 1
    outbox = Outbox(client)
    assert not await Streams(client, outbox, slack.bot).find_stray(slack.channel, thread_ts, "0", lambda _: False)


async def test_a_stream_that_was_stopped_with_its_last_words_is_the_end_of_the_reply(slack, client):
    thread_ts, ts = await _stream(slack, client, SAID)
    outbox = Outbox(client)
    await Streams(client, outbox, slack.bot).stop(slack.channel, ts, f"{KEY}/0", more=False)
    assert not await _sweep(slack, client, thread_ts, ts)


async def test_a_message_that_was_ended_here_before_is_no_answer(slack, client):
    thread_ts = await _left(slack, client, Page(WORKING, running=True))
    assert await _sweep(slack, client, thread_ts)
    assert await _sweep(slack, client, thread_ts), "a crash came before what follows"
    message, _ = await slack.replies(thread_ts)
    assert message["text"].count(REASON) == 1
