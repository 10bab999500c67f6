"""What a prompt refers to: alerts above it, threads of any length, files; and what is never fetched."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.slack.reading import CONTEXT_LIMIT, FILE_LIMIT, THREAD_MESSAGES, ThreadReader

TOKEN = "xoxb-the-bots-own"


def _reader(slack: Any) -> ThreadReader:
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    return ThreadReader(client, slack.bot)


async def test_an_alert_above_a_mention_is_read_from_attachments_and_blocks(slack):
    alert = {
        "fallback": "HighErrorRate",
        "title": "[FIRING] HighErrorRate",
        "fields": [{"title": "service", "value": "api-server"}],
    }
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "error rate is 7 %"}}]
    order = {"channel": slack.channel, "bot": "Alertmanager", "text": "", "attachments": [alert], "blocks": blocks}
    top = (await slack.order("messages", **order))["ts"]
    ts = await slack.say("@SRE Bot what is this?", thread_ts=top)
    context = await _reader(slack).read_context(slack.channel, top, ts, above=True)
    for words in ("Alertmanager", "[FIRING] HighErrorRate", "service: api-server", "error rate is 7 %"):
        assert words in context
    assert "what is this?" not in context, "the prompt itself is not quoted"
    assert await _reader(slack).read_context(slack.channel, top, ts, above=False) == ""


async def test_of_a_long_thread_the_first_and_the_newest_messages_are_read(slack):
    top = await slack.say("it began here")
    for number in range(THREAD_MESSAGES + 20):
        await slack.say(f"message {number:02d}", thread_ts=top)
    ts = await slack.say("@SRE Bot look", thread_ts=top)
    await slack.say("said later", thread_ts=top)
    context = await _reader(slack).read_context(slack.channel, top, ts, above=True)
    assert "it began here" in context
    assert f"message {THREAD_MESSAGES + 19:02d}" in context
    assert "message 19" not in context
    assert "message 20" in context
    assert "said later" not in context
    assert len(context) <= CONTEXT_LIMIT + 100


async def test_text_files_are_read_up_to_their_limit_and_pictures_are_named(slack):
    files = [
        {"name": "errors.txt", "content": "pool exhausted\n" * 2000, "mimetype": "text/plain"},
        {"name": "graph.png", "content": "not really", "mimetype": "image/png"},
    ]
    ts = await slack.say("@SRE Bot see these", files=files)
    context = await _reader(slack).read_context(slack.channel, ts, ts, above=True)
    assert f"its first {FILE_LIMIT} of 30000 bytes" in context
    assert context.count("pool exhausted") == FILE_LIMIT // 15
    assert "graph.png" in context
    assert "not really" not in context


@pytest_asyncio.fixture
async def elsewhere() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that is not Slack, and the credentials that it was sent."""
    seen: list[str] = []

    async def give(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(text="content from elsewhere")

    app = web.Application()
    app.router.add_get("/{path:.*}", give)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    await runner.cleanup()


@pytest.mark.parametrize("external", [True, False])
async def test_the_bots_token_goes_to_slack_only(elsewhere, external: bool):
    url, seen = elsewhere
    reader = ThreadReader(AsyncWebClient(token=TOKEN), "U0BOT")
    file = {"name": "notes.txt", "mimetype": "text/plain", "url_private": f"{url}/notes.txt", "is_external": external}
    assert "not stored in Slack" in await reader._read_file(file)
    assert seen == []


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://files.slack.com/files-pri/T1-F1/x.txt", True),
        ("https://slack.com/x", True),
        ("http://files.slack.com/x", False),
        ("https://slack.com.evil.example/x", False),
        ("https://evilslack.com/x", False),
        ("https://user@evil.example/slack.com", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_an_address_is_slacks_by_its_host_and_scheme(url: str, trusted: bool):
    assert ThreadReader(AsyncWebClient(token=TOKEN), "U0BOT")._is_slacks(url) is trusted
