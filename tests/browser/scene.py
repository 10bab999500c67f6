"""A page in a real Chromium over a stand-in for Slack, with an app of the test's own at its other end."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright

from sandbox.page import Parts, serve
from sandbox.slack.app import StandIn
from sandbox.slack.world import APP_TOKEN, BOT_TOKEN

ADA, GRACE = "U0ADA00001", "U0GRACE001"
INCIDENTS = "C0INCIDENTS"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
CLOCK_RATE = 1000.0  # of the stand-in's rate limits: what is tested here is not how fast an app may write

Json = dict[str, Any]


def find_chromium() -> str | None:
    """Debian's Chromium, or another one on PATH."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


async def launch(playwright: Playwright) -> Browser:
    """Start Chromium with an empty profile, or skip the test where there is none."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium here: `make test` installs it where it can")
    return await playwright.chromium.launch(executable_path=chromium, headless=True, args=list(FLAGS))


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser for all tests of a session."""
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        yield browser
        await browser.close()


class App:
    """The app: it writes over the Web API, and keeps what arrives over its socket."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http
        self.got: list[Json] = []
        self.on_click: Callable[[Json], Awaitable[None]] | None = None

    async def call(self, method: str, **arguments: Any) -> Json:
        """A call of the Web API, which has to succeed."""
        token = APP_TOKEN if method.startswith("apps.") else BOT_TOKEN
        headers = {"Authorization": f"Bearer {token}"}
        async with self.http.post(f"{self.url}/api/{method}", json=arguments, headers=headers) as answer:
            body = dict(await answer.json())
        assert body["ok"], body
        return body

    async def post(self, *blocks: Json, text: str = "what a notification says", **more: Any) -> str:
        """A message; gives its ts."""
        arguments = {"channel": INCIDENTS, "text": text, "unfurl_links": False, "unfurl_media": False} | more
        return str((await self.call("chat.postMessage", **arguments, **({"blocks": blocks} if blocks else {})))["ts"])

    async def listen(self) -> None:
        """Take and acknowledge what is sent over a socket, until cancelled."""
        opened = await self.call("apps.connections.open")
        async with self.http.ws_connect(opened["url"]) as socket:
            async for frame in socket:
                envelope = frame.json()
                if "envelope_id" in envelope:
                    await socket.send_json({"envelope_id": envelope["envelope_id"]})
                    self.got.append(envelope["payload"])
                    if self.on_click and envelope["payload"]["type"] == "block_actions":
                        await self.on_click(envelope["payload"])

    def payloads(self, kind: str) -> list[Json]:
        """What arrived of a type, oldest first."""
        return [each for each in self.got if each["type"] == kind]

    def events(self, kind: str) -> list[Json]:
        """The events of a type that arrived."""
        return [each["event"] for each in self.payloads("event_callback") if each["event"]["type"] == kind]


class Scene:
    """The running stand-in, the app and the page's address; pages that are opened must log no error."""

    def __init__(self, url: str, app: App, browser: Browser) -> None:
        self.url = url
        self.app = app
        self.errors: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    async def open(self, path: str = "#/chat/C0INCIDENTS", *, phone: bool = False, scheme: Any = "light") -> Page:
        """A page in a profile of its own."""
        context = await self._browser.new_context(
            viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
            color_scheme=scheme,
            has_touch=phone,
            locale="en-GB",
            timezone_id="UTC",
            reduced_motion="reduce",
        )
        self._contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda line: self.errors.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(f"{self.url}/{path}")
        await page.wait_for_selector("#rail a")
        return page

    async def order(self, path: str, **body: Any) -> Json:
        """An order to the stand-in's control API."""
        return await _order(self.app, path, **body)

    async def look(self, path: str, **query: str) -> Json:
        """A page of the stand-in's control API."""
        async with self.app.http.get(f"{self.app.url}/sandbox/{path}", params=query) as answer:
            return dict(await answer.json())

    async def say(self, text: str, user: str = ADA, **more: Any) -> str:
        """Somebody writes; gives the ts."""
        return str((await self.order("messages", channel=INCIDENTS, user=user, text=text, **more))["ts"])

    async def close(self) -> None:
        """Close the pages."""
        for context in self._contexts:
            await context.close()


async def _order(app: App, path: str, **body: Any) -> Json:
    async with app.http.post(f"{app.url}/sandbox/{path}", json=body) as answer:
        assert answer.status < 300, await answer.text()
        return dict(await answer.json())


@contextlib.asynccontextmanager
async def scene(browser: Browser, **parts: Any) -> AsyncIterator[Scene]:
    """A new workspace with its page; `parts` are further parts that the page shows."""
    runner = web.AppRunner(StandIn(clock_rate=CLOCK_RATE).application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack = "http://{}:{}".format(*runner.addresses[0][:2])
    try:
        async with (
            aiohttp.ClientSession() as http,
            serve(lambda: Parts(slack=slack, approvers=(ADA,), **parts)) as url,
        ):
            app = App(slack, http)
            await _order(app, "streams", lifetime=300 * CLOCK_RATE)
            await _order(app, "clock", ack_within=60, trigger_lives=60)  # as long as a busy machine may take
            listening = asyncio.create_task(app.listen())
            found = Scene(url, app, browser)
            yield found
            await found.close()
            listening.cancel()
            assert found.errors == [], "the browser's console"
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is true; gives it."""
    async with asyncio.timeout(seconds):
        while not (value := condition()):
            await asyncio.sleep(0.02)
    return value
