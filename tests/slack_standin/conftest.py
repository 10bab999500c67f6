"""The stand-in for the tests: in the test's own loop for plain calls, as a process wherever Bolt is involved.

A process of its own matters for sockets: in one loop, a blocked app would also block "Slack" and hide that
its acknowledgements are late.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.app import StandIn
from sandbox.slack.world import APP_TOKEN, BOT_TOKEN

ROOT = Path(__file__).parents[2]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


class Slack:
    """A running stand-in: the control API, and clients for the Web API."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http
        self.bot = self.client(BOT_TOKEN)
        self.app = self.client(APP_TOKEN)

    def client(self, token: str) -> AsyncWebClient:
        return AsyncWebClient(token=token, base_url=f"{self.url}/api/", retry_handlers=[])

    async def read(self, path: str, **query: str) -> Any:
        async with self.http.get(f"{self.url}/sandbox/{path}", params=query) as response:
            return await response.json()

    async def order(self, path: str, **body: Any) -> Any:
        status, answer = await self.try_order(path, **body)
        assert status == 200, answer
        return answer

    async def try_order(self, path: str, **body: Any) -> tuple[int, Any]:
        async with self.http.post(f"{self.url}/sandbox/{path}", json=body) as response:
            return response.status, await response.json()

    async def say(self, text: str, channel: str = "#incidents", user: str = "Ada", **more: Any) -> str:
        """A person writes; returns the ts."""
        ts: str = (await self.order("messages", channel=channel, user=user, text=text, **more))["ts"]
        return ts

    async def violations(self) -> list[str]:
        return [violation["kind"] for violation in (await self.read("violations"))["violations"]]

    async def thread(self, ts: str, channel: str = "C0INCIDENTS") -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = (await self.read("thread", channel=channel, ts=ts))["messages"]
        return messages


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 60.0) -> Any:
    """Wait for a condition; the value that made it true."""
    async with asyncio.timeout(seconds):
        while not (value := await condition()):
            await asyncio.sleep(0.02)
    return value


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    """A fresh stand-in in this loop."""
    runner = web.AppRunner(StandIn().application(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        yield Slack("http://{}:{}".format(*runner.addresses[0][:2]), http)
    await runner.cleanup()


@pytest.fixture
async def slack_process() -> AsyncIterator[Slack]:
    """A fresh stand-in as it runs in the demo."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox.slack",
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in PROXIES},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().strip()
    prefix, _, url = line.rpartition(" ")
    assert prefix == "slack stand-in listening on"
    async with aiohttp.ClientSession() as http:
        yield Slack(url, http)
    process.terminate()
    assert await process.wait() == 0
