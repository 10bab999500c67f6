"""Slack's events through the real Bolt app and socket: which of them are words to the bot."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.slack import listeners
from sre_bot.slack.cards import reply
from sre_bot.slack.reading import ThreadReader
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
        async with asyncio.timeout(20):
            while len(self.prompts) < count:
                await asyncio.sleep(0.01)
        return [prompt.text for prompt in self.prompts]


@pytest_asyncio.fixture
async def desk(slack) -> AsyncIterator[Desk]:
    desk = Desk()
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    app = AsyncApp(client=client)
    listeners.register(app, desk, ThreadReader(client, slack.bot), slack.bot)
    reply.register(app, desk)
    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    yield desk
    await sockets.close()


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
    async with asyncio.timeout(20):
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
    async with asyncio.timeout(20):
        while not desk.stopped:
            await asyncio.sleep(0.01)
    assert desk.stopped == [ts]


async def test_a_mention_below_an_alert_carries_the_alert_as_context(desk, slack):
    alert = {
        "fallback": "HighErrorRate",
        "title": "[FIRING] HighErrorRate",
        "fields": [{"title": "service", "value": "api-server"}],
    }
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "error rate is 7 %"}}]
    ts = (
        await slack.order(
            "messages", channel=slack.channel, bot="Alertmanager", text="", attachments=[alert], blocks=blocks
        )
    )["ts"]
    await slack.say("@SRE Bot what is this?", thread_ts=ts)
    await desk.texts(1)
    context = desk.prompts[0].context
    assert desk.prompts[0].text == "what is this?"
    for words in ("Alertmanager", "[FIRING] HighErrorRate", "service: api-server", "error rate is 7 %"):
        assert words in context


async def test_a_pasted_text_file_is_read_and_a_picture_is_named(desk, slack):
    files = [
        {"name": "errors.txt", "content": "pool exhausted", "mimetype": "text/plain"},
        {"name": "graph.png", "content": "not really", "mimetype": "image/png"},
    ]
    await slack.say("@SRE Bot see these", files=files)
    await desk.texts(1)
    assert "pool exhausted" in desk.prompts[0].context
    assert "graph.png" in desk.prompts[0].context
    assert "not really" not in desk.prompts[0].context


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
