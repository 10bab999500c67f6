"""The live reply against the strict stand-in: exactly the right text, whatever Slack does to the calls."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.agent.events import (
    Event,
    Notice,
    Outcome,
    RunEnded,
    Steered,
    TextBreak,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.writer import LiveReply

END = RunEnded(Outcome.ANSWERED, "", "", 0.0123, 4.2, 1)


class Thread:
    """A thread with a prompt in it, and a reply below."""

    def __init__(self, slack: Any, client: AsyncWebClient, ts: str) -> None:
        self.slack = slack
        self.ts = ts
        self.posted: list[str] = []
        self.outbox = Outbox(client)
        self.reply = LiveReply(self.outbox, slack.channel, ts, f"turn:{uuid4()}", self._note, tick=0.02)

    async def _note(self, ts: str) -> None:
        self.posted.append(ts)

    async def tell(self, *events: Event) -> list[str]:
        """Show events and give the Markdown of the bot's messages when all is settled."""
        for event in events:
            self.reply.show(event)
        await self.reply.settle()
        return [message["markdown"] for message in await self.slack.replies(self.ts)]


@pytest_asyncio.fixture
async def thread(slack) -> AsyncIterator[Thread]:
    handlers: Any = [AsyncRateLimitErrorRetryHandler(max_retry_count=5)]
    token = slack.world["tokens"]["bot"]
    client = AsyncWebClient(token=token, base_url=f"{slack.url}/api/", retry_handlers=handlers)
    yield Thread(slack, client, await slack.say("500 errors?"))


async def test_a_reply_shows_text_tools_and_footer_in_the_order_of_their_happening(thread):
    (text,) = await thread.tell(
        TextDelta("Looking at "),
        TextDelta("health."),
        TextBreak(),
        ToolStarted("a", "get_logs", "Reading the logs of api-server"),
        ToolFinished("a", True, 0.41),
        ToolStarted("b", "get_alerts", "Reading the alerts"),
        ToolFinished("b", False, 1.0),
        Notice("The model's API answered 529; trying again (1 of 3)."),
        TextDelta("All is well."),
        END,
    )
    lines = [line for line in text.splitlines() if line]
    assert lines == [
        "Looking at health.",
        "- ✅ Reading the logs of api-server · 0.4 s",
        "- ⚠️ Reading the alerts · 1.0 s",
        "ℹ️ _The model's API answered 529; trying again (1 of 3)._",  # noqa: RUF001
        "All is well.",
        "_1 tool call · 4 s · $0.01_",
    ]


async def test_the_first_sign_is_there_before_the_model_has_said_anything(thread, slack):
    while not (replies := await slack.replies(thread.ts)):
        pass
    assert "Working on it" in replies[0]["markdown"]
    await thread.tell(END)
    assert thread.posted == [replies[0]["ts"]]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "ratelimited", "http_500"])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_a_failed_call_leaves_one_message_with_the_whole_text(thread, slack, method, kind):
    await slack.order("faults", method=method, kind=kind, count=2)
    thread.reply.show(TextDelta("Half "))
    while not thread.posted:
        await slack.replies(thread.ts)
    texts = await thread.tell(TextDelta("and whole."), END)
    assert len(texts) == 1
    assert texts[0].startswith("Half and whole.")


async def test_an_answer_over_every_limit_arrives_whole_in_several_messages(thread):
    paragraphs = [f"Paragraph {number}: " + "word " * 150 for number in range(60)]
    texts = await thread.tell(TextDelta("\n\n".join(paragraphs)), END)
    assert len(texts) > 3
    together = "\n\n".join(texts)
    assert [together.count(f"Paragraph {number}:") for number in range(60)] == [1] * 60


async def test_a_refused_length_is_answered_with_shorter_messages(thread, slack):
    await slack.order("faults", method="chat.update", kind="error", error="msg_too_long", count=1)
    await slack.order("faults", method="chat.postMessage", kind="error", error="msg_too_long", count=1)
    texts = await thread.tell(TextDelta("word " * 1600), END)
    assert " ".join(texts).count("word") == 1600


async def test_an_outage_delays_the_answer_and_loses_nothing(thread, slack):
    await slack.order("outage", seconds=2)
    texts = await thread.tell(TextDelta("Still here."), END)
    assert [text.startswith("Still here.") for text in texts] == [True]


async def test_what_is_said_after_somebody_spoke_stands_below_their_words(thread, slack):
    thread.reply.show(TextDelta("The pool is full."))
    while not thread.posted:
        await slack.replies(thread.ts)
    spoken = await slack.say("and auth-svc?", thread_ts=thread.ts)
    texts = await thread.tell(Steered(), TextDelta("auth-svc is fine."), END)
    assert [text.split("\n")[0] for text in texts] == ["The pool is full.", "auth-svc is fine."]
    assert thread.posted[0] < spoken < thread.posted[1]


async def test_only_the_last_message_of_a_running_reply_has_a_stop_button(thread, slack):
    def buttons(messages: list[dict[str, Any]]) -> list[bool]:
        return ["stop_run" in str(message["blocks"]) for message in messages]

    thread.reply.show(TextDelta("word " * 3000))
    while len(thread.posted) < 2:
        await slack.replies(thread.ts)
    while buttons(await slack.replies(thread.ts)) != [False, True]:
        pass
    await thread.tell(END)
    assert buttons(await slack.replies(thread.ts)) == [False, False]


async def test_mentions_written_by_the_model_reach_nobody(thread, slack):
    (text,) = await thread.tell(TextDelta("Paging <!channel> <@U0GRACE001> @here <!subteam^S0ONCALL001> now."), END)
    assert "now." in text
    assert (await slack.look("pings"))["pings"] == []


async def test_a_run_that_did_not_answer_says_why_below_what_was_found(thread):
    end = RunEnded(Outcome.LIMITED, "I used all the steps I may take in one run.", "", None, 9.0, 40)
    (text,) = await thread.tell(TextDelta("So far: the pool is full."), end)
    assert text.index("So far") < text.index("**I used all the steps")
    assert text.endswith("_40 tool calls · 9 s_")
