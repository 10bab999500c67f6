"""Whether an answer helped: two buttons below a finished answer, in both ways of showing it, and what a click does."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from benchmarks.stories import ADA, DM
from sandbox.slack.block_table import MESSAGE_BLOCKS
from sandbox.slack.blocks import faults_of
from sre_bot.agent.events import Outcome, RunEnded, TextDelta
from sre_bot.errors import BadRequest
from sre_bot.slack.cards import feedback
from sre_bot.slack.files import Files
from sre_bot.slack.following import Following, Spot
from sre_bot.slack.membership import Membership
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.sockets import Sockets
from sre_bot.slack.streamed import StreamedReply
from sre_bot.slack.streams import Recipient, Streams
from sre_bot.slack.writer import LiveReply

TURN = str(uuid4())
ANSWERED = RunEnded(Outcome.ANSWERED, "", "", 0.0123, 4.2, 1)


class Thread:
    """A question, and the reply below it by one of the two writers."""

    def __init__(self, slack: Any, mode: str, channel: str, ts: str) -> None:
        self.slack, self.mode, self.channel, self.ts = slack, mode, channel, ts
        client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/", retry_handlers=[])
        self.outbox = Outbox(client, 60.0)
        self.files = Files(client, self.outbox)
        self.streams = Streams(client, self.outbox, slack.bot, 60.0)

    def begin(self) -> Following:
        async def note(_: str) -> None:
            pass

        async def stop(_channel: str, _ts: str) -> None:
            pass

        spot = Spot(self.channel, self.ts, f"turn:{TURN}", note, turn=TURN)
        if self.mode == "edit":
            return LiveReply(self.outbox, self.files, spot, tick=0.02)
        recipient = Recipient(ADA, self.slack.world["team"])
        return StreamedReply(self.outbox, self.files, self.streams, spot, recipient, stop, self.ts)

    async def tell(self, *events: Any) -> list[dict[str, Any]]:
        reply = self.begin()
        for event in events:
            reply.show(event)
        await reply.settle()
        return await self.messages()

    async def messages(self) -> list[dict[str, Any]]:
        """The bot's."""
        messages = (await self.slack.look("thread", channel=self.channel, ts=self.ts))["messages"]
        return [message for message in messages if message["bot"]]


@pytest_asyncio.fixture(params=["edit", "native"])
async def thread(request, slack) -> Thread:
    await slack.order("clock", rate=600)
    await slack.order("streams", lifetime=36_000)  # a minute: only what a test orders ends a stream
    channel = DM if request.param == "native" else slack.channel
    return Thread(slack, request.param, channel, await slack.say("500 errors?", channel=channel))


def offered(message: dict[str, Any]) -> list[str]:
    """The values of the buttons below a message."""
    elements = [each for block in message["blocks"] if block["type"] == "context_actions" for each in block["elements"]]
    return [each[name]["value"] for each in elements for name in ("positive_button", "negative_button")]


BOTH = [f"good:{TURN}", f"bad:{TURN}"]


async def test_a_finished_answer_asks_whether_it_helped(thread: Thread) -> None:
    (message,) = await thread.tell(TextDelta("The pool."), ANSWERED)
    assert offered(message) == BOTH
    assert message["blocks"][-1]["type"] == "context_actions", "below everything"


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.ANSWERED])
async def test_what_is_no_answer_asks_nothing(thread: Thread, outcome: Outcome) -> None:
    (message,) = await thread.tell(TextDelta("So far."), RunEnded(outcome, "It ended.", "", None, 1.0, 0))
    assert offered(message) == []


async def test_a_prompt_that_became_part_of_another_run_asks_nothing(thread: Thread) -> None:
    (message,) = await thread.tell(RunEnded(Outcome.ANSWERED, "It goes on elsewhere.", "", None, 1.0, 0))
    assert offered(message) == []


async def test_of_several_messages_the_last_asks(thread: Thread) -> None:
    messages = await thread.tell(TextDelta("\n\n".join("word " * 400 for _ in range(9))), ANSWERED)
    assert len(messages) > 1
    assert [offered(message) for message in messages] == [[]] * (len(messages) - 1) + [BOTH]


async def test_where_slack_refuses_the_buttons_the_answer_is_there_without_them(thread: Thread) -> None:
    method = "chat.update" if thread.mode == "edit" else "chat.stopStream"
    if thread.mode == "edit":
        await thread.slack.order("faults", method="chat.postMessage", kind="error", error="invalid_blocks")
    await thread.slack.order("faults", method=method, kind="error", error="invalid_blocks")
    messages = await thread.tell(TextDelta("The pool."), ANSWERED)
    assert any("The pool." in message["text"] for message in messages)
    assert [offered(message) for message in messages] == [[]] * len(messages)


async def test_a_stream_that_has_to_be_written_again_asks_all_the_same(slack) -> None:
    await slack.order("clock", rate=600)
    await slack.order("streams", lifetime=36_000)  # a minute: only what a test orders ends a stream
    thread = Thread(slack, "native", DM, await slack.say("500 errors?", channel=DM))
    reply = thread.begin()
    reply.show(TextDelta("The pool."))
    async with asyncio.timeout(60):
        while not (await thread.messages())[-1:] or "The pool." not in (await thread.messages())[-1]["text"]:
            await asyncio.sleep(0.02)
    await slack.order("streams", lifetime=0)
    reply.show(ANSWERED)
    await reply.settle()
    (message,) = await thread.messages()
    assert (offered(message), "The pool." in message["markdown"]) == (BOTH, True)


def test_the_block_is_one_that_slack_takes() -> None:
    assert faults_of([feedback.render(TURN)], MESSAGE_BLOCKS, 50) == []


# --- Clicks ----------------------------------------------------------------------------------------------------------


class Ratings:
    """Remembers what was given; stands where the workflow does."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str, bool, str, str]] = []

    async def rate(self, turn: str, person: str, *, good: bool, channel: str, thread_ts: str) -> str:
        self.given.append((turn, person, good, channel, thread_ts))
        if len(self.given) > 2:
            raise BadRequest("I do not know this answer any more.")
        return "Thank you."


@pytest_asyncio.fixture
async def ratings(slack) -> AsyncIterator[Ratings]:
    ratings = Ratings()
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    app = AsyncApp(client=client)
    feedback.register(app, ratings, Membership(client))
    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    yield ratings
    await sockets.close()


async def told(slack: Any, count: int) -> list[dict[str, Any]]:
    """What people were told alone."""
    async with asyncio.timeout(60):
        while len(calls := (await slack.look("calls", method="chat.postEphemeral"))["calls"]) < count:
            await asyncio.sleep(0.02)
    return [call["args"] for call in calls]


async def test_a_click_rates_the_answer_of_its_thread_and_thanks_the_one_who_clicked(ratings, slack, thread) -> None:
    (message,) = await thread.tell(TextDelta("The pool."), ANSWERED)
    click = {"channel": thread.channel, "ts": message["ts"], "user": "Ada", "action_id": feedback.FEEDBACK}
    for count, value in enumerate([*BOTH, BOTH[0]], 1):
        await slack.order("actions", **click, value=value)
        answers = await told(slack, count)
    ada = slack.world["users"]["Ada"]
    assert ratings.given == [(TURN, ada, good, thread.channel, thread.ts) for good in (True, False, True)]
    assert [(each["user"], each["thread_ts"], each["text"]) for each in answers] == [
        (ada, thread.ts, "Thank you."),
        (ada, thread.ts, "Thank you."),
        (ada, thread.ts, "I do not know this answer any more."),
    ]


async def test_a_guest_rates_nothing(ratings, slack) -> None:
    ts = await slack.say("look")
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    posted = await client.chat_postMessage(
        channel=slack.channel, thread_ts=ts, text="x", blocks=[feedback.render(TURN)]
    )
    click = {"channel": slack.channel, "ts": posted["ts"], "action_id": feedback.FEEDBACK, "value": BOTH[0]}
    await slack.order("actions", **click, user="Guest")
    (answer,) = await told(slack, 1)
    assert "members of this workspace only" in answer["text"]
    assert ratings.given == []
