"""The live reply against the strict stand-in: exactly the right text, whatever Slack does to the calls."""

from collections.abc import AsyncIterator
from dataclasses import replace
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
from sre_bot.slack.files import Files
from sre_bot.slack.following import GIVE_UP, Spot
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.writer import LiveReply

END = RunEnded(Outcome.ANSWERED, "", "", 0.0123, 4.2, 1)


class Thread:
    """A thread with a prompt in it, and a reply below."""

    def __init__(self, slack: Any, client: AsyncWebClient, ts: str) -> None:
        self.slack = slack
        self.ts = ts
        self.posted: list[str] = []
        self.trouble: Exception | None = None  # what telling of a message runs into
        self.now = 0.0
        self.outbox = Outbox(client)
        spot = Spot(slack.channel, ts, f"turn:{uuid4()}", self._note)
        self.files = Files(client, self.outbox)
        self.reply = LiveReply(self.outbox, self.files, spot, tick=0.02, clock=lambda: self.now)

    async def _note(self, ts: str) -> None:
        if self.trouble:
            raise self.trouble
        self.posted.append(ts)

    async def calls(self, method: str, count: int, **facts: Any) -> None:
        """Wait until so many calls of a method have had an answer with these facts in its note."""
        called = 0
        while called < count:
            calls = (await self.slack.look("calls", method=method))["calls"]
            called = sum("status" in call and facts.items() <= call.items() for call in calls)

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


async def _until_posted(thread: Thread, count: int = 1) -> None:
    while len(thread.posted) < count:
        await thread.slack.replies(thread.ts)


async def test_a_reply_shows_text_and_tools_in_the_order_of_their_happening_and_the_answer_first_when_it_is_over(
    thread,
):
    thread.reply.show(TextDelta("Looking at "))
    thread.reply.show(TextDelta("health."))
    thread.reply.show(TextBreak())
    thread.reply.show(ToolStarted("a", "get_logs", "Reading the logs of api-server"))
    thread.reply.show(TextDelta("The pool is full."))
    growing: list[str] = []
    while "- 🔄 Reading the logs of api-server" not in growing or "The pool is full." not in growing:
        growing = [line for m in await thread.slack.replies(thread.ts) for line in m["markdown"].splitlines() if line]
    assert growing[:3] == ["Looking at health.", "- 🔄 Reading the logs of api-server", "The pool is full."]
    (text,) = await thread.tell(
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
        "The pool is full.",
        "ℹ️ _The model's API answered 529; trying again (1 of 3)._",  # noqa: RUF001
        "All is well.",
        "- ✅ Reading the logs of api-server · 0.4 s",
        "- ⚠️ Reading the alerts · 1.0 s",
        "_1 tool call · 4 s · $0.01_",
    ]


async def test_a_reply_that_another_process_began_goes_on_in_its_message(thread, slack):
    key = "turn:left-behind"
    spot = Spot(slack.channel, thread.ts, key, thread._note, search=True)
    LiveReply(thread.outbox, thread.files, replace(spot, search=False), tick=0.02)  # its process dies after the post
    await _until_posted(thread)
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    reply = LiveReply(Outbox(client), thread.files, spot, tick=0.02)
    for event in (TextDelta("All is well."), END):
        reply.show(event)
    await reply.settle()
    own = [message for message in await slack.replies(thread.ts) if key in str(message["metadata"])]
    assert ["All is well." in message["markdown"] for message in own] == [True]


async def test_the_first_sign_is_there_before_the_model_has_said_anything(thread, slack):
    await _until_posted(thread)
    replies = await slack.replies(thread.ts)
    assert "Working on it" in replies[0]["markdown"]
    await thread.tell(END)
    assert thread.posted == [replies[0]["ts"]]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "ratelimited", "http_500", "error_after"])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_a_failed_call_leaves_one_message_with_the_whole_text(thread, slack, method, kind):
    await slack.order("faults", method=method, kind=kind, count=2)
    thread.reply.show(TextDelta("Half "))
    await _until_posted(thread)
    texts = await thread.tell(TextDelta("and whole."), END)
    assert len(texts) == 1
    assert texts[0].startswith("Half and whole.")


async def test_an_answer_over_every_limit_arrives_whole_in_several_messages(thread):
    paragraphs = [f"Paragraph {number}: " + "word " * 150 for number in range(32)]
    texts = await thread.tell(TextDelta("\n\n".join(paragraphs)), END)
    assert len(texts) > 2
    together = "\n\n".join(texts)
    assert [together.count(f"Paragraph {number}:") for number in range(32)] == [1] * 32


async def test_a_post_that_was_stored_and_answered_with_an_error_is_not_repeated(thread, slack):
    await slack.order("faults", method="chat.postMessage", kind="error_after", count=1)
    texts = await thread.tell(TextDelta("Once."), END)
    await thread.calls("chat.postMessage", 1)
    assert [text.split("\n")[0] for text in texts] == ["Once."]


async def test_a_post_whose_answer_was_lost_says_what_came_meanwhile(thread, slack):
    await slack.order("faults", method="chat.postMessage", kind="drop_after", count=1)
    await thread.calls("chat.postMessage", 1, fault="drop_after")
    (text,) = await thread.tell(TextDelta("Said while nobody knew."), END)
    assert text.startswith("Said while nobody knew.")


LIMIT = 3_000


async def _refuse_long_messages(slack: Any) -> None:
    for method in ("chat.update", "chat.postMessage"):
        await slack.order("faults", method=method, kind="too_long", limit=LIMIT, count=1_000)


async def test_a_refused_length_is_answered_with_shorter_messages(thread, slack):
    await _refuse_long_messages(slack)
    texts = await thread.tell(TextDelta("word " * 1600), END)
    assert len(texts) > 2
    assert max(map(len, texts)) < LIMIT
    assert " ".join(texts).count("word") == 1600


async def test_a_length_refused_while_the_run_goes_on_does_not_freeze_the_reply(thread, slack):
    await _until_posted(thread)
    await _refuse_long_messages(slack)
    thread.reply.show(TextDelta("word " * 1600))
    while "".join(message["markdown"] for message in await slack.replies(thread.ts)).count("word") < 1600:
        pass
    await thread.tell(END)


async def test_an_outage_that_began_long_before_the_end_does_not_shorten_the_patience_after_it(thread, slack):
    await _until_posted(thread)
    await slack.order("faults", method="chat.update", kind="http_500", count=4)
    thread.reply.show(TextDelta("The pool is full."))
    await thread.calls("chat.update", 3, fault="http_500")
    thread.now += GIVE_UP + 1
    (text,) = await thread.tell(END)
    await thread.calls("chat.update", 4, fault="http_500")
    assert text.startswith("The pool is full.\n")
    assert text.endswith("$0.01_")


async def test_the_last_words_are_given_up_a_time_after_the_end(thread, slack, caplog):
    await _until_posted(thread)
    await slack.order("faults", method="chat.update", kind="http_500", count=1_000)
    thread.reply.show(END)
    thread.now += GIVE_UP + 1
    await thread.tell()
    assert "is undeliverable: Slack answered 500" in caplog.text


async def test_whatever_breaks_a_reply_ends_in_the_log_and_not_in_who_waits_for_it(thread, caplog):
    thread.trouble = RuntimeError("a disk is on fire")
    await thread.tell(END)
    assert "is undeliverable" in caplog.text
    assert "a disk is on fire" in caplog.text


async def test_an_outage_delays_the_answer_and_loses_nothing(thread, slack):
    await slack.order("outage", seconds=2)
    texts = await thread.tell(TextDelta("Still here."), END)
    assert [text.startswith("Still here.") for text in texts] == [True]


async def test_what_is_said_after_somebody_spoke_stands_below_their_words(thread, slack):
    thread.reply.show(TextDelta("The pool is full."))
    await _until_posted(thread)
    spoken = await slack.say("and auth-svc?", thread_ts=thread.ts)
    texts = await thread.tell(Steered(), TextDelta("auth-svc is fine."), END)
    assert [text.split("\n")[0] for text in texts] == ["The pool is full.", "auth-svc is fine."]
    assert thread.posted[0] < spoken < thread.posted[1]


async def test_who_speaks_before_the_first_words_is_answered_below_too(thread, slack):
    await _until_posted(thread)
    spoken = await slack.say("and auth-svc?", thread_ts=thread.ts)
    texts = await thread.tell(Steered(), TextDelta("Both are fine."), END)
    assert [text.split("\n")[0] for text in texts] == ["↪️ _Answered below._", "Both are fine."]
    assert thread.posted[0] < spoken < thread.posted[1]


async def test_only_the_last_message_of_a_running_reply_has_a_stop_button(thread, slack):
    def buttons(messages: list[dict[str, Any]]) -> list[bool]:
        return ["stop_run" in str(message["blocks"]) for message in messages]

    thread.reply.show(TextDelta("word " * 3000))
    await _until_posted(thread, 2)
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


CITED = ((1, "Checking the health"), (3, "Reading the logs"))


async def test_a_verdict_that_does_not_stand_is_replaced_and_its_evidence_can_be_looked_at(thread):
    before, after = (f"**Verdict:** {said}: auth-svc. [E1]" for said in ("CAUSE FOUND", "INCONCLUSIVE"))
    end = replace(END, cited=CITED, correction=(before, after))
    (text,) = await thread.tell(TextDelta(f"{before}\n\n- a claim [E3]"), end)
    assert text.startswith(after)
    (message,) = await thread.slack.replies(thread.ts)
    buttons = [each for block in message["blocks"] if block["type"] == "actions" for each in block["elements"]]
    assert [button["text"]["text"] for button in buttons] == ["E1", "E3"]
    assert [button["action_id"] for button in buttons] == ["show_evidence:1", "show_evidence:3"]


async def test_evidence_stands_below_the_last_message_of_a_long_answer_alone(thread):
    await thread.tell(TextDelta("A line of an answer.\n\n" * 700), replace(END, cited=CITED))
    messages = await thread.slack.replies(thread.ts)
    assert len(messages) > 1
    rows = [[block for block in message["blocks"] if block["type"] == "actions"] for message in messages]
    assert [len(row) for row in rows] == [0] * (len(messages) - 1) + [1]
