"""Charts in a thread against the strict stand-in: shown once, in order, and never at the cost of the text."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.agent.events import Event, ImageShown, Outcome, RunEnded, TextDelta
from sre_bot.slack.files import Files
from sre_bot.slack.following import Spot
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.pictures import MOST
from sre_bot.slack.writer import LiveReply

END = RunEnded(Outcome.ANSWERED, "", "", None, 4.2, 1)
SHARE = "files.completeUploadExternal"
STEPS = ("files.getUploadURLExternal", SHARE)


def picture(title: str = "Error rate, 14:00Z to 15:00Z", size: int = 500) -> ImageShown:
    return ImageShown(b"\x89PNG" + b"x" * size, "image/png", title)


class Thread:
    def __init__(self, slack: Any, client: AsyncWebClient, ts: str) -> None:
        self._slack = slack
        self.ts = ts
        outbox = Outbox(client, speed=20.0)
        spot = Spot(slack.channel, ts, f"turn:{uuid4()}", self._note)
        self.reply = LiveReply(outbox, Files(client, outbox), spot, tick=0.02)

    async def _note(self, ts: str) -> None:
        pass

    async def tell(self, *events: Event) -> tuple[str, list[str]]:
        """Show events and give the text of the reply, and the titles of the files in the thread."""
        for event in events:
            self.reply.show(event)
        await self.reply.settle()
        messages = await self._slack.replies(self.ts)
        files = [file["title"] for message in messages for file in message["files"]]
        return "\n".join(message["markdown"] for message in messages if message.get("markdown")), files


@pytest_asyncio.fixture
async def thread(slack) -> AsyncIterator[Thread]:
    handlers: Any = [AsyncRateLimitErrorRetryHandler(max_retry_count=5)]
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/", retry_handlers=handlers)
    yield Thread(slack, client, await slack.say("500 errors?"))


async def test_charts_are_files_of_the_thread_in_their_order(thread):
    text, files = await thread.tell(
        picture("one"),
        TextDelta("It rises."),
        picture("two"),
        END,
    )
    assert files == ["one", "two"]
    assert text.startswith("It rises.")


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "ratelimited", "http_500", "error_after"])
@pytest.mark.parametrize("method", STEPS)
async def test_a_failed_call_leaves_one_file_and_the_whole_text(thread, slack, method, kind):
    await slack.order("faults", method=method, kind=kind, count=2 if kind != "drop_after" else 1)
    text, files = await thread.tell(picture(), TextDelta("It rises."), END)
    assert files == ["Error rate, 14:00Z to 15:00Z"]
    assert "could not be posted" not in text


async def test_a_refused_file_is_a_line_of_the_reply_which_says_what_to_do(thread, slack):
    await slack.order("faults", method=STEPS[0], kind="error", error="missing_scope", count=1)
    text, files = await thread.tell(picture(), TextDelta("It rises."), END)
    assert files == []
    assert text.startswith("It rises.")
    assert "A chart could not be posted: The Slack app needs the scope `files:write`" in text
    assert text.index("could not be posted") < text.index("1 tool call")


async def test_the_end_of_the_text_does_not_wait_for_a_slow_file_and_the_reply_does(thread, slack):
    await slack.order("faults", method=SHARE, kind="slow", delay=8)
    for event in (TextDelta("It rises."), picture(), END):
        thread.reply.show(event)
    while "1 tool call" not in str(messages := await slack.replies(thread.ts)):
        pass
    assert not any(message["files"] for message in messages)
    _, files = await thread.tell()
    assert len(files) == 1


async def test_more_charts_than_anybody_looks_at_are_left_out_and_said_to_be(thread):
    text, files = await thread.tell(*(picture(f"{n}") for n in range(MOST + 2)), END)
    assert files == [f"{n}" for n in range(MOST)]
    assert text.count("Further charts are not shown") == 1


async def test_words_in_a_title_ring_nobody(thread, slack):
    _, files = await thread.tell(picture("<!channel> @here <@U0GRACE001>"), END)
    assert len(files) == 1
    assert (await slack.look("pings"))["pings"] == []
