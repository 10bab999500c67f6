"""The page while its server, what it shows, or its reader comes and goes."""

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, expect

from sandbox.page import Parts, serve
from sandbox.ports import free_port
from sandbox.slack.app import StandIn
from tests.browser.scene import ADA, DESKTOP, INCIDENTS, Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def slack() -> AsyncIterator[str]:
    runner = web.AppRunner(StandIn().application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}".format(*runner.addresses[0][:2])
    await runner.cleanup()


async def _say(slack: str, text: str) -> None:
    order = {"channel": INCIDENTS, "user": ADA, "text": text}
    async with aiohttp.ClientSession() as http, http.post(f"{slack}/sandbox/messages", json=order) as answer:
        assert answer.status == 200


async def test_the_page_is_open_before_slack_is_up(browser: Browser, slack: str):
    parts = Parts()
    errors: list[str] = []
    async with serve(lambda: parts) as url:
        page = await browser.new_page()
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        await page.goto(url)
        await expect(page.get_by_role("status").first).to_have_text("The sandbox is starting …")
        parts = Parts(slack=slack)
        await expect(page.get_by_label("Message #incidents")).to_be_visible()
        await expect(page.get_by_role("status").first).to_contain_text("Starting: fleet, Prometheus")
        await page.close()
    assert errors == []


async def test_what_happened_while_the_connection_was_lost_is_shown(browser: Browser, slack: str):
    """The server that comes back is another start of it, so the page loads itself anew."""
    port = free_port()
    page = await browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
    async with serve(lambda: Parts(slack=slack), port) as url:
        await page.goto(url)
        await expect(page.get_by_label("Message #incidents")).to_be_visible()
    await expect(page.locator(".lost")).to_contain_text("The connection to the sandbox is lost")
    await _say(slack, "said in between")
    async with serve(lambda: Parts(slack=slack), port):
        await expect(page.locator(".message", has_text="said in between")).to_be_visible(timeout=30_000)
        await expect(page.locator(".lost")).to_be_hidden()
        await page.close()


async def test_a_browser_closed_in_mid_stream_misses_nothing(scene: Scene, caplog: pytest.LogCaptureFixture):
    ts = await scene.say("@SRE Bot look")
    page = await scene.open(f"#/chat/{INCIDENTS}/{ts}")
    who = {"recipient_user_id": ADA, "recipient_team_id": "T0SANDBOX1"}
    chunks = [{"type": "markdown_text", "text": "The **pool** "}]
    started = await scene.app.call("chat.startStream", channel=INCIDENTS, thread_ts=ts, chunks=chunks, **who)
    stream = {"channel": INCIDENTS, "ts": started["ts"]}
    reply = f'.thread .message[data-ts="{started["ts"]}"]'
    await expect(page.locator(reply)).to_contain_text("The pool")
    await page.context.close()
    await scene.app.call("chat.appendStream", **stream, chunks=[{"type": "markdown_text", "text": "is too "}])
    await scene.app.call("chat.stopStream", **stream, chunks=[{"type": "markdown_text", "text": "small."}])
    again = await scene.open(f"#/chat/{INCIDENTS}/{ts}")
    await expect(again.locator(reply).locator(".rich")).to_have_text("The pool is too small.")
    await expect(again.locator(".thread .message")).to_have_count(2)
    assert [line for line in caplog.records if line.levelno >= logging.WARNING] == [], (
        "the page's server took it calmly"
    )


async def test_a_reader_that_comes_back_gets_what_it_missed(scene: Scene):
    first = await scene.say("one")
    await scene.say("two")
    async with scene.app.http.get(f"{scene.url}/api/events", params={"after": "0"}) as answer:
        async with asyncio.timeout(60):
            seen = b""
            while b'"two"' not in seen:
                seen += await answer.content.readany()
    number = next(line for line in seen.split(b"\n") if line.startswith(b"id: "))
    headers = {"Last-Event-ID": number.removeprefix(b"id: ").decode()}
    async with scene.app.http.get(f"{scene.url}/api/events", headers=headers) as answer:
        async with asyncio.timeout(60):
            again = b""
            while b'"two"' not in again:
                again += await answer.content.readany()
    assert first.encode() not in again, "what it had is not sent again"


async def test_a_second_page_takes_another_port(slack: str):
    async with serve(lambda: Parts(slack=slack)) as first:
        port = int(first.rpartition(":")[2])
        async with serve(lambda: Parts(slack=slack), port) as second, aiohttp.ClientSession() as http:
            assert second != first
            async with http.get(second) as answer:
                assert answer.status == 200
