"""Replies by native streaming, against the strict stand-in: exactly the right text, whatever becomes of the stream."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from slack_sdk.web.async_client import AsyncWebClient

from benchmarks.stories import squeeze
from sre_bot.agent.events import (
    Event,
    ImageShown,
    Notice,
    Outcome,
    RunEnded,
    Steered,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from sre_bot.slack.cards.reply import Page
from sre_bot.slack.files import Files
from sre_bot.slack.following import Spot
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.reply import BELOW, WORKING
from sre_bot.slack.streamed import StreamedReply
from sre_bot.slack.streams import Recipient, Streams

END = RunEnded(Outcome.ANSWERED, "", "", 0.0123, 4.2, 1)
FOOTER = "_1 tool call · 4 s · $0.01_"
SPEED = 60.0
LONG = 90 * SPEED  # of the fast clock: a minute and a half, so that a busy machine makes no stream old
ADA = "U0ADA00001"


class Dm:
    """A direct message with a prompt in it, and a streamed reply below."""

    def __init__(self, slack: Any, ts: str, lifetime: float = LONG, channel: str = "D0ADA00001") -> None:
        self.slack = slack
        self.ts = ts
        self.channel = channel
        self.posted: list[str] = []
        self.stops: list[tuple[str, str]] = []
        client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/", retry_handlers=[])
        self.outbox = Outbox(client, SPEED)
        self.streams = Streams(client, self.outbox, slack.bot, SPEED, lifetime)
        self.files = Files(client, self.outbox)
        self.reply = self.begin()

    def begin(self) -> StreamedReply:
        spot = Spot(self.channel, self.ts, f"turn:{uuid4()}", self._note)
        recipient = Recipient(ADA, self.slack.world["team"])
        return StreamedReply(self.outbox, self.files, self.streams, spot, recipient, self._stop, self.ts)

    async def _note(self, ts: str) -> None:
        self.posted.append(ts)

    async def _stop(self, channel: str, thread_ts: str) -> None:
        self.stops.append((channel, thread_ts))

    async def messages(self) -> list[dict[str, Any]]:
        messages = (await self.slack.look("thread", channel=self.channel, ts=self.ts))["messages"]
        return [message for message in messages if message["bot"]]

    async def tell(self, *events: Event) -> list[dict[str, Any]]:
        """Show events and give the bot's messages when all is settled."""
        for event in events:
            self.reply.show(event)
        await self.reply.settle()
        return await self.messages()

    async def until_shown(self, words: str) -> dict[str, Any]:
        while True:
            for message in await self.messages():
                if words in message["markdown"] or words in message["text"]:
                    return message

    async def calls(self, method: str) -> list[dict[str, Any]]:
        return list((await self.slack.look("calls", method=method))["calls"])


@pytest_asyncio.fixture
async def dm(slack) -> AsyncIterator[Dm]:
    await slack.order("clock", rate=SPEED)
    await slack.order("streams", lifetime=LONG)
    dm = Dm(slack, await slack.say("500 errors?", channel="D0ADA00001"))
    yield dm
    assert dm.streams.live == 0
    assert [message["stream"] for message in await dm.messages() if message["stream"] == "open"] == []


async def test_text_grows_tool_calls_are_cards_and_the_plan_counts_them(dm):
    dm.reply.show(TextDelta("Looking at health."))
    dm.reply.show(ToolStarted("a", "get_logs", "Reading the logs of api-server"))
    message = await dm.until_shown("in_progress: Reading the logs of api-server")
    assert "Working on it" in message["text"]
    (message,) = await dm.tell(
        ToolFinished("a", True, 0.41),
        ToolStarted("b", "get_alerts", "Reading the alerts"),
        ToolFinished("b", False, 1.0),
        Notice("The model's API answered 529; trying again (1 of 3)."),
        TextDelta("All is well."),
        END,
    )
    assert message["stream"] == "ended"
    assert message["markdown"].split("\n\n") == [
        "Looking at health.",
        "ℹ️ _The model's API answered 529; trying again (1 of 3)._",  # noqa: RUF001
        "All is well.",
        FOOTER,
    ]
    plan = message["blocks"][0]
    assert plan["title"] == "2 steps, 1 failed"
    assert [(card["status"], card["title"]) for card in plan["tasks"]] == [
        ("complete", "Reading the logs of api-server · 0.4 s"),
        ("error", "Reading the alerts · 1.0 s"),
    ]
    assert dm.posted == [message["ts"]]


async def test_the_first_sign_is_there_before_the_model_has_said_anything(dm):
    message = await dm.until_shown("Working on it")
    assert message["stream"] == "open"
    (message,) = await dm.tell(END)
    assert message["markdown"] == FOOTER


METHODS = ("chat.startStream", "chat.appendStream", "chat.stopStream")
KINDS = ("drop_before", "drop_after", "ratelimited", "http_500", "error_after")
FAILURES = [
    *((method, kind, "live") for method in METHODS for kind in KINDS),
    *(("chat.appendStream", kind, read_back) for kind in KINDS[:2] for read_back in ("first", "hidden")),
]


@pytest.mark.parametrize(("method", "kind", "read_back"), FAILURES)
async def test_a_failed_call_leaves_one_message_with_the_whole_text(dm, slack, method, kind, read_back):
    await slack.order("streams", read_back=read_back, lifetime=LONG)
    await slack.order("faults", method=method, kind=kind, count=2)
    dm.reply.show(TextDelta("Half "))
    if method == "chat.appendStream":
        while not [call for call in await dm.calls(method) if "status" in call]:
            pass
    (message,) = await dm.tell(TextDelta("and whole."), END)
    assert message["markdown"] == f"Half and whole.\n\n{FOOTER}"


@pytest.mark.parametrize("error", ["invalid_blocks", "invalid_chunks"])
@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
async def test_a_refused_step_leaves_one_message_with_the_whole_text(dm, slack, method, error):
    await dm.until_shown("Working on it")
    await slack.order("faults", method=method, kind="error", error=error)
    (message, *rest) = await dm.tell(TextDelta("Half and whole."), END)
    together = "\n\n".join(each["markdown"] for each in (message, *rest))
    assert squeeze(together) == squeeze(f"Half and whole. {FOOTER}")


@pytest.mark.parametrize("error", ["missing_scope", "user_not_found"])
async def test_where_no_stream_can_be_started_a_message_is_edited(dm, slack, error):
    await dm.tell(END)
    await slack.order("faults", method="chat.startStream", kind="error", error=error)
    dm.reply = dm.begin()
    (_, message) = await dm.tell(TextDelta("Here all the same."), END)
    assert (message["stream"], message["markdown"]) == (None, f"Here all the same.\n\n{FOOTER}")
    assert dm.streams.may_start() == (error == "user_not_found")


async def test_a_reply_does_not_wait_for_a_start(dm, slack):
    starts = 0
    while dm.streams.may_start():
        await dm.streams._starts.acquire()
        starts += 1
    (message, *_) = await dm.tell(TextDelta("At once."), END)
    assert starts > 0
    assert "At once." in message["markdown"]


async def test_a_stream_that_grows_old_goes_on_in_another_with_what_still_runs(slack):
    await slack.order("clock", rate=SPEED)
    await slack.order("streams", lifetime=LONG)
    dm = Dm(slack, await slack.say("500 errors?", channel="D0ADA00001"), lifetime=2 * SPEED)
    dm.reply.show(TextDelta("It began here.\n\n"))
    dm.reply.show(ToolStarted("a", "get_logs", "Reading the logs"))
    await dm.until_shown("in_progress: Reading the logs")
    while len(dm.posted) < 2:
        await dm.messages()
    messages = await dm.tell(ToolFinished("a", True, 0.4), TextDelta("It ended there."), END)
    assert [message["stream"] for message in messages] == ["ended"] * len(messages)
    assert squeeze("".join(message["markdown"] for message in messages)) == squeeze(
        f"It began here. It ended there. {FOOTER}"
    )
    assert messages[0]["blocks"][0]["tasks"][0]["title"] == "Reading the logs · goes on below"
    assert messages[-1]["blocks"][0]["tasks"][0]["title"] == "Reading the logs · 0.4 s"


async def test_a_stream_that_slack_ended_is_rescued(dm, slack):
    dm.reply.show(TextDelta("Before. "))
    await dm.until_shown("Before.")
    await slack.order("streams", lifetime=0)
    dm.reply.show(TextDelta("During. "))
    while not [call for call in await dm.calls("chat.appendStream") if call.get("error")]:
        pass
    await slack.order("streams", lifetime=LONG)
    messages = await dm.tell(TextDelta("After."), END)
    together = "".join(message["markdown"] for message in messages)
    assert squeeze(together) == squeeze(f"Before. During. After. {FOOTER}")


@pytest.mark.parametrize("cap", [10_600, 3_000])
async def test_long_text_goes_on_in_another_message_and_code_is_closed_and_opened_again(dm, slack, cap):
    await slack.order("streams", most_bytes=cap, lifetime=LONG)
    lines = [f"line {number:03d} = {'x' * 40}" for number in range(300)]
    text = "Before.\n\n```python\n" + "\n".join(lines) + "\n```\n\nAfter."
    for start in range(0, len(text), 700):
        dm.reply.show(TextDelta(text[start : start + 700]))
        await asyncio.sleep(0.02)
    texts = [message["markdown"] for message in await dm.tell(END)]
    assert len(texts) > 1
    assert all(part.count("```") % 2 == 0 for part in texts)
    assert all(part.startswith("```python\n") for part in texts[1:-1])
    words = "".join(texts).replace("```python\n", "").replace("```", "")
    assert squeeze(words) == squeeze("Before." + "".join(lines) + "After." + FOOTER)


async def test_a_person_stops_a_stream_and_the_run_and_nothing_more_is_said(dm, slack):
    dm.reply.show(TextDelta("So far."))
    message = await dm.until_shown("So far.")
    await slack.order("streams/stop", channel=dm.channel, ts=message["ts"], user="Ada")
    dm.reply.show(TextDelta("More."))
    while not dm.stops:
        await asyncio.sleep(0)
    (message,) = await dm.tell(RunEnded(Outcome.STOPPED, "Stopped.", "", None, 1.0, 0))
    assert dm.stops == [(dm.channel, dm.ts)]
    assert (message["stream"], message["markdown"]) == ("stopped_by_user", "So far.")


async def test_what_is_said_after_somebody_spoke_stands_below_their_words(dm, slack):
    dm.reply.show(TextDelta("The pool is full."))
    dm.reply.show(ToolStarted("a", "get_logs", "Reading the logs"))
    await dm.until_shown("The pool is full.")
    spoken = await slack.say("and auth-svc?", thread_ts=dm.ts, channel=dm.channel)
    dm.reply.show(Steered())
    while len(dm.posted) < 2:
        await dm.messages()
    first, second = await dm.tell(ToolFinished("a", True, 0.4), TextDelta("auth-svc is fine."), END)
    assert (first["markdown"], second["markdown"]) == ("The pool is full.", f"auth-svc is fine.\n\n{FOOTER}")
    assert first["ts"] < spoken < second["ts"]
    assert second["blocks"][0]["tasks"][0]["title"] == "Reading the logs · 0.4 s"


async def test_more_calls_than_a_plan_has_rows_go_on_in_another_message(dm):
    for number in range(60):
        dm.reply.show(ToolStarted(str(number), "get_logs", f"Call {number}"))
        dm.reply.show(ToolFinished(str(number), True, 0.4))
    messages = await dm.tell(TextDelta("Done."), END)
    titles = [card["title"] for message in messages for card in message["blocks"][0]["tasks"]]
    assert titles == [f"Call {number} · 0.4 s" for number in range(60)]


HOSTILE = "Paging <!channel> <@U0GRACE001> @here <!subteam^S0ONCALL001> ![x](http://evil) [y](!channel) now."


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_mentions_written_by_the_model_reach_nobody_however_they_are_cut(dm, slack, size):
    await slack.order("streams", most_bytes=10_600, lifetime=LONG)
    dm.reply.show(ToolStarted("a", "get_logs", "Reading <!channel> @here"))
    for start in range(0, len(HOSTILE), size):
        dm.reply.show(TextDelta(HOSTILE[start : start + size]))
        await asyncio.sleep(0.012)
    (message,) = await dm.tell(ToolFinished("a", True, 0.1), END)
    assert message["markdown"].replace("\u2060", "") == f"{HOSTILE}\n\n{FOOTER}"
    assert (await slack.look("pings"))["pings"] == []


RIGHT_TO_LEFT = "قاعدة البيانات ممتلئة \u200f(5 من 5) "
SAMPLES = {
    "broken Markdown": "**open [link](http://x\n\n| a | b\n|--\n```\ncode without end",
    "emoji": "🔥🧯 👩\u200d🚒 :fire: " * 200,
    "right to left": RIGHT_TO_LEFT * 200,
    "CJK": "接続プールが枯渇しています。" * 300,
}


@pytest.mark.parametrize("name", sorted(SAMPLES))
async def test_text_of_every_kind_arrives_as_it_was_written(dm, name):
    text = SAMPLES[name]
    for start in range(0, len(text), 97):
        dm.reply.show(TextDelta(text[start : start + 97]))
        await asyncio.sleep(0)
    together = "".join(message["markdown"] for message in await dm.tell(END))
    assert squeeze(together) == squeeze(text + FOOTER)


def _picture(title: str) -> ImageShown:
    return ImageShown(b"\x89PNG" + b"x" * 500, "image/png", title)


async def test_pictures_are_files_beside_the_stream(dm):
    messages = await dm.tell(TextDelta("It rises."), _picture("one"), _picture("two"), END)
    assert [file["title"] for message in messages for file in message["files"]] == ["one", "two"]
    (text,) = [message["markdown"] for message in messages if message["stream"]]
    assert text == f"It rises.\n\n{FOOTER}"


async def test_a_picture_that_slack_refuses_is_a_line_above_the_end_of_the_stream(dm):
    await dm.slack.order("faults", method="files.getUploadURLExternal", kind="error", error="missing_scope")
    (message,) = await dm.tell(TextDelta("It rises."), _picture("one"), END)
    assert message["markdown"].startswith("It rises.\n\nℹ️ _A chart could not be posted: ")  # noqa: RUF001
    assert message["markdown"].endswith(FOOTER)


async def test_the_end_of_a_stream_comes_after_a_slow_picture(dm):
    await dm.slack.order("faults", method="files.completeUploadExternal", kind="slow", delay=0.5)
    messages = await dm.tell(TextDelta("It rises."), _picture("one"), END)
    assert [bool(message["files"]) for message in messages] == [False, True]
    assert messages[0]["markdown"] == f"It rises.\n\n{FOOTER}"


@pytest.mark.parametrize("begun", ["stream", "message", "nothing"])
async def test_what_an_earlier_process_began_is_told_on_in_an_edited_message(dm, begun):
    await dm.tell(END)
    ts = await dm.slack.say("and now?", channel=dm.channel)
    spot = Spot(dm.channel, ts, "turn:left-behind", dm._note, search=True)
    if begun == "stream":
        plan = {"type": "plan_update", "title": "Working"}
        await dm.streams.start(dm.channel, ts, Recipient(ADA, dm.slack.world["team"]), [plan])
    elif begun == "message":
        await dm.outbox.post(dm.channel, ts, Page(WORKING, running=True), "turn:left-behind/0/0")
    reply = StreamedReply(dm.outbox, dm.files, dm.streams, spot, Recipient(ADA, dm.slack.world["team"]), dm._stop, ts)
    reply.show(TextDelta("All is well."))
    reply.show(END)
    await reply.settle()
    *before, last = (m for m in (await dm.slack.look("thread", channel=dm.channel, ts=ts))["messages"] if m["bot"])
    assert last["markdown"] == f"All is well.\n\n{FOOTER}"
    assert [(m["stream"], m["markdown"].strip()) for m in before] == [("ended", BELOW)] * (begun == "stream")


async def test_evidence_can_be_looked_at_below_a_streamed_answer(dm):
    end = replace(END, cited=((3, "Reading the logs"),), correction=("It fails. [E3]", "It does not."))
    (message,) = await dm.tell(TextDelta("It fails. [E3]"), end)
    assert "It fails. [E3]" in message["markdown"], "what was streamed stays; what is wrong with it stands below"
    buttons = [each for block in message["blocks"] if block["type"] == "actions" for each in block["elements"]]
    assert [button["action_id"] for button in buttons] == ["show_evidence:3"]
