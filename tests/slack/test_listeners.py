"""Slack's events through the real Bolt app and socket: which of them are words to the bot."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.slack import listeners
from sre_bot.workflows.people import Prompt


class Desk:
    """Takes prompts; stands where workflows do."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []
        self.known: set[tuple[str, str]] = set()

    async def submit(self, prompt: Prompt) -> None:
        self.prompts.append(prompt)
        self.known.add((prompt.channel, prompt.thread_ts))

    async def knows(self, channel: str, thread_ts: str) -> bool:
        return (channel, thread_ts) in self.known

    async def texts(self, count: int) -> list[str]:
        async with asyncio.timeout(20):
            while len(self.prompts) < count:
                await asyncio.sleep(0.01)
        return [prompt.text for prompt in self.prompts]


@pytest_asyncio.fixture
async def desk(slack) -> AsyncIterator[Desk]:
    desk = Desk()
    app = AsyncApp(client=AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/"))
    listeners.register(app, desk, slack.bot)
    sockets = AsyncSocketModeHandler(app, slack.world["tokens"]["app"])
    await sockets.connect_async()  # type: ignore[no-untyped-call]
    yield desk
    await sockets.close_async()  # type: ignore[no-untyped-call]


async def _settle(slack) -> None:
    """Wait until every event so far was acknowledged: what comes of it has been decided then."""
    async with asyncio.timeout(20):
        while (await slack.look("acks"))["unacked"]:
            await asyncio.sleep(0.02)


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


async def test_other_robots_edits_and_deletions_are_not_words_to_the_bot(desk, slack):
    ts = await slack.say("@SRE Bot look")
    await desk.texts(1)
    await slack.order("messages", channel=slack.channel, bot="Alertmanager", text="@SRE Bot FIRING", thread_ts=ts)
    await slack.order("messages/edit", channel=slack.channel, ts=ts, text="edited")
    second = await slack.say("more", thread_ts=ts)
    await desk.texts(2)
    await slack.order("messages/delete", channel=slack.channel, ts=second)
    await _settle(slack)
    assert [prompt.text for prompt in desk.prompts] == ["look", "more"]


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
