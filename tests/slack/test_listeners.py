"""Slack's events through the real Bolt app and socket: which of them are words to the bot."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.slack import listeners
from sre_bot.slack.cards import reply
from sre_bot.slack.membership import Membership
from sre_bot.slack.sockets import Sockets
from sre_bot.workflows.people import Prompt


class Desk:
    """Takes prompts; stands where workflows do."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []
        self.known: set[tuple[str, str]] = set()
        self.stopped: list[str] = []
        self.amended: list[tuple[str, str | None]] = []

    async def submit(self, prompt: Prompt) -> None:
        self.prompts.append(prompt)
        self.known.add((prompt.channel, prompt.thread_ts))

    async def knows(self, channel: str, thread_ts: str) -> bool:
        return (channel, thread_ts) in self.known

    async def stop(self, channel: str, thread_ts: str) -> bool:
        self.stopped.append(thread_ts)
        return True

    async def amend(self, channel: str, thread_ts: str, ts: str, text: str | None) -> None:
        self.amended.append((ts, text))

    async def texts(self, count: int) -> list[str]:
        async with asyncio.timeout(60):
            while len(self.prompts) < count:
                await asyncio.sleep(0.01)
        return [prompt.text for prompt in self.prompts]


@pytest_asyncio.fixture
async def desk(slack) -> AsyncIterator[Desk]:
    desk = Desk()
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    app = AsyncApp(client=client)
    listeners.register(app, desk, Membership(client), slack.bot)
    reply.register(app, desk)
    await slack.order("clock", ack_within=60)  # on a busy machine an event is not sent again
    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    yield desk
    await sockets.close()


async def _settle(slack) -> None:
    """Wait until every event so far was acknowledged: what comes of it has been decided then."""
    async with asyncio.timeout(60):
        while (await slack.look("acks"))["unacked"]:
            await asyncio.sleep(0.02)


async def test_words_that_follow_a_mention_at_once_are_words_to_the_bot_too(desk, slack):
    await slack.order("faults", method="users.info", kind="slow", delay=1)
    ts = await slack.say("@SRE Bot look at api-server")
    await slack.say("and at auth-svc", thread_ts=ts)
    assert await desk.texts(2) == ["look at api-server", "and at auth-svc"]


async def test_a_mention_is_one_prompt_without_the_mention_itself(desk, slack):
    ts = await slack.say("@SRE Bot 500 errors on api-server &amp; more")
    await desk.texts(1)
    await _settle(slack)
    (prompt,) = desk.prompts
    assert (prompt.ts, prompt.thread_ts, prompt.channel) == (ts, ts, slack.channel)
    assert prompt.author == slack.world["users"]["Ada"]
    assert "<@" not in prompt.text
    assert prompt.text.startswith("500 errors on api-server")


async def test_a_follow_up_needs_no_mention_in_a_thread_the_bot_knows(desk, slack):
    ts = await slack.say("@SRE Bot look")
    await desk.texts(1)
    await slack.say("and payment-svc?", thread_ts=ts)
    assert (await desk.texts(2))[1] == "and payment-svc?"
    assert desk.prompts[1].thread_ts == ts


async def test_talk_among_people_is_not_taken_for_a_prompt(desk, slack):
    ts = await slack.say("lunch?")
    await slack.say("yes", thread_ts=ts)
    await slack.say("@SRE Bot look")
    await desk.texts(1)
    await _settle(slack)
    assert [prompt.text for prompt in desk.prompts] == ["look"]


async def test_other_robots_do_not_speak_to_the_bot(desk, slack):
    ts = await slack.say("@SRE Bot look")
    await desk.texts(1)
    await slack.order("messages", channel=slack.channel, bot="Alertmanager", text="@SRE Bot FIRING", thread_ts=ts)
    await slack.say("more", thread_ts=ts)
    await desk.texts(2)
    await _settle(slack)
    assert [prompt.text for prompt in desk.prompts] == ["look", "more"]


async def test_edits_and_deletions_of_prompts_amend_them_and_are_no_prompts(desk, slack):
    ts = await slack.say("@SRE Bot look")
    await desk.texts(1)
    await slack.order("messages/edit", channel=slack.channel, ts=ts, text="@SRE Bot look at auth-svc")
    await slack.order("messages/delete", channel=slack.channel, ts=ts)
    async with asyncio.timeout(60):
        while len(desk.amended) < 2:
            await asyncio.sleep(0.01)
    assert desk.amended == [(ts, "look at auth-svc"), (ts, None)]


async def test_stop_alone_in_a_message_stops_the_run_and_is_no_prompt(desk, slack):
    ts = await slack.say("@SRE Bot look")
    await desk.texts(1)
    await slack.say("Stop!", thread_ts=ts)
    await slack.say("stop guessing and look at the logs", thread_ts=ts)
    await desk.texts(2)
    assert desk.stopped == [ts]
    assert [prompt.text for prompt in desk.prompts] == ["look", "stop guessing and look at the logs"]


async def test_the_stop_button_stops_the_run_of_its_thread(desk, slack):
    ts = await slack.say("@SRE Bot look")
    await desk.texts(1)
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    posted = await client.chat_postMessage(
        channel=slack.channel, thread_ts=ts, text="x", blocks=reply.render(reply.Page("Working", running=True))
    )
    await slack.order("actions", channel=slack.channel, ts=posted["ts"], user="Ada", action_id=reply.STOP)
    async with asyncio.timeout(60):
        while not desk.stopped:
            await asyncio.sleep(0.01)
    assert desk.stopped == [ts]


async def test_a_mention_in_a_direct_message_is_taken_once(desk, slack):
    ada = slack.world["users"]["Ada"]
    await slack.order("messages", channel=ada, user="Ada", text="@SRE Bot is all well?")
    assert await desk.texts(1) == ["is all well?"]
    await _settle(slack)
    assert len(desk.prompts) == 1


@pytest.mark.parametrize(
    ("channel", "user", "why"),
    [
        ("shared-partner", "Partner", "shared with another organisation"),
        ("shared-partner", "Ada", "shared with another organisation"),
        ("incidents", "Guest", "members of this workspace only"),
    ],
)
async def test_people_from_outside_are_not_answered_and_told_so_alone(desk, slack, channel, user, why):
    place = slack.world["channels"][channel]
    ts = (await slack.order("messages", channel=place, user=user, text="@SRE Bot show me the logs"))["ts"]
    async with asyncio.timeout(60):
        while not (told := [call for call in await _calls(slack, "chat.postEphemeral") if why in str(call["args"])]):
            await asyncio.sleep(0.02)
    assert told[0]["args"]["user"] == slack.world["users"][user]
    assert desk.prompts == []
    assert ts


async def _calls(slack, method: str) -> list[dict[str, Any]]:
    return list((await slack.look("calls", method=method))["calls"])


def test_a_thread_whose_first_message_is_deleted_is_no_edit():
    before = {"user": "U1", "ts": "1.0", "thread_ts": "1.0", "text": "look"}
    tombstone = {"subtype": "tombstone", "text": "This message was deleted.", "ts": "1.0"}
    event = {"subtype": "message_changed", "channel": "C1", "message": tombstone, "previous_message": before}
    desk = Desk()
    asyncio.run(listeners.amend(desk, event, "UBOT"))
    assert desk.amended == [("1.0", None)]


async def test_a_broadcast_reply_and_a_file_with_words_are_taken(desk, slack):
    ts = await slack.say("@SRE Bot look")
    await desk.texts(1)
    await slack.say("seen by all", thread_ts=ts, subtype="thread_broadcast")
    await slack.say("see the graph", thread_ts=ts, files=[{"name": "graph.txt", "content": "x"}])
    assert (await desk.texts(3))[1:] == ["seen by all", "see the graph"]


async def test_a_direct_message_needs_no_mention(desk, slack):
    ada = slack.world["users"]["Ada"]
    await slack.order("messages", channel=ada, user="Ada", text="is all well?")
    assert await desk.texts(1) == ["is all well?"]


async def test_a_mention_without_words_asks_about_the_thread(desk, slack):
    await slack.say("@SRE Bot")
    assert await desk.texts(1) == [listeners.WORDLESS]
