"""The stories of DEMO.md, lived through by clicks in a real browser over the whole demo: the bot, its agent, its tools.

With `SCREENSHOTS=folder` the pictures that README shows are taken on the way.
"""

import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from sandbox.page import show
from sandbox.page.faults import find_fault
from sandbox.stack import QUICKLY, Stack
from sandbox.stories import BASELINE, FALSE_ALARM, LATENCY, POOL, RELEASE, Story
from sandbox.surroundings import ADA
from tests.browser.scene import PHONE, App, Scene

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]

QUIET = 'service:http_errors:ratio_rate1m{service="api-server"} < 0.005'
PATIENCE = 90_000.0  # ms; for an investigation, with everything else that this machine has to do
PROOF = 200_000.0  # ms; the rates need a minute, and a look may be repeated
APART = {"SRE_STORM_WINDOW": "0.0005"}  # one story's pages do not join another's


class Desk:
    """A person at the page."""

    def __init__(self, page: Page, stack: Stack) -> None:
        self.page = page
        self.stack = stack

    @property
    def thread(self) -> Locator:
        return self.page.get_by_role("region", name="Thread", exact=True).first

    async def go(self, path: str) -> None:
        await self.page.evaluate("path => { location.hash = path; }", path)

    async def break_by(self, story: Story) -> None:
        """One click in the fleet's panel, and then until people notice."""
        fault = find_fault(story.name)
        assert fault
        await self.go("#/fleet")
        await self.page.get_by_role("button", name=f"Break: {fault.title}").click()
        await self.stack.await_figures(story.symptom, timeout=120)

    async def ask(self, story: Story) -> None:
        """Mention the bot, and open the thread."""
        await self.go("#/chat/" + self.stack.channel)
        field = self.page.get_by_label("Message #incidents")
        await field.fill(f"@SRE Bot {story.asked}")
        await field.press("Enter")
        asked = self.page.locator(".conversation .message", has_text=story.asked).last
        await asked.get_by_role("link", name=re.compile(r"\d+ repl")).click(timeout=PATIENCE)

    async def be_paged(self, story: Story) -> None:
        """Let PagerDuty page the bot, and open the thread of the card."""
        await self.go("#/pagerduty")
        form = self.page.get_by_role("form", name="Trigger an incident")
        await form.get_by_label("Title").fill(story.paged)
        await form.get_by_label("Service").select_option(label="api-server")
        await form.get_by_role("button", name="Trigger").click()
        await expect(self.page.get_by_role("heading", name=story.paged)).to_be_visible()
        await self.go("#/chat/" + self.stack.channel)
        card = self.page.locator(".conversation .message", has_text=story.paged).last
        await card.get_by_role("link", name=re.compile(r"\d+ repl")).click(timeout=PATIENCE)

    async def reads(self, *words: str | re.Pattern[str], within: float = PATIENCE) -> None:
        """Wait until the thread says so."""
        for each in words:
            await expect(self.thread).to_contain_text(_in_browser(each), timeout=within)

    async def approve(self) -> None:
        """The button of the card that waits, and the question whether one is sure."""
        await self.thread.get_by_role("button", name=re.compile("^Approve")).last.click(timeout=PATIENCE)
        await self.page.get_by_role("alertdialog").get_by_role("button", name="Approve").click()

    async def picture(self, name: str) -> None:
        """A screenshot, where somebody wants them."""
        if folder := os.environ.get("SCREENSHOTS"):
            await self.page.screenshot(path=Path(folder) / f"{name}.png")


def _in_browser(words: str | re.Pattern[str]) -> str | re.Pattern[str]:
    """An expression without the flag for ASCII, which a browser's do not know."""
    return words if isinstance(words, str) else re.compile(words.pattern, words.flags & re.IGNORECASE)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder = tmp_path_factory.mktemp("browsed")
    async with Stack(folder, paged=True, approvers=(ADA,), bot_settings=QUICKLY | APART) as running:
        yield running
        parts = [running.slack, running.model, running.pagerduty, running.confluence]
        assert [await running.look(part, "violations") for part in parts] == [{"violations": []}] * len(parts)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(stack: Stack, browser: Browser) -> AsyncIterator[Desk]:
    """Ada, with the fleet as it is shipped."""
    if any(f"{key}={value}" not in stack.env_file.read_text() for key, value in BASELINE.items()):
        await stack.deploy(**BASELINE)
    await stack.await_figures(QUIET, timeout=120)
    async with AsyncExitStack() as open_pages:
        url = await open_pages.enter_async_context(show(stack, approvers=("Ada",)))
        scene = Scene(url, App(stack.slack.found, stack.http), browser)
        open_pages.push_async_callback(scene.close)
        yield Desk(await scene.open("#/fleet"), stack)
        assert scene.errors == [], "the browser's console"


async def test_the_pool_is_paged_mended_proved_and_closed_out(desk: Desk):
    await desk.break_by(POOL)
    await desk.be_paged(POOL)
    await desk.reads("Verdict", POOL.cause, "Waits for your decision", "DB_POOL_SIZE=20")
    await desk.picture("approval")
    await desk.approve()
    await desk.reads("Done as approved", "RECOVERED: no threshold is breached", within=PROOF)
    chart = desk.thread.locator("img").last
    await expect(chart).to_be_visible(timeout=PATIENCE)
    await chart.scroll_into_view_if_needed()
    await desk.picture("recovered")
    await desk.thread.get_by_role("button", name=re.compile("^Write the post-mortem")).last.click()
    await expect(desk.thread.get_by_role("button", name=re.compile("^Approve"))).to_be_visible(timeout=PATIENCE)
    await desk.approve()
    await desk.reads("published:")
    await desk.go("#/confluence")
    await expect(desk.page.locator("article")).to_contain_text("DB_POOL_SIZE", timeout=PATIENCE)
    await desk.picture("postmortem")
    await desk.go("#/pagerduty")
    await expect(desk.page.locator(".record-line", has_text=POOL.paged).last).to_contain_text(
        re.compile("resolved", re.IGNORECASE), timeout=PATIENCE
    )


async def test_slow_queries_are_asked_about_mended_and_proved(desk: Desk):
    await desk.break_by(LATENCY)
    await desk.ask(LATENCY)
    await desk.reads(LATENCY.cause, "its database queries have become slow", "high-latency-cascade", "DB_QUERY_MS=60")
    await desk.reads(re.compile(r"Slow queries: \d+ WARN lines like .*SELECT \* FROM orders"))
    await desk.approve()
    await desk.reads("RECOVERED: no threshold is breached", within=PROOF)


async def test_a_bad_release_is_asked_about_mended_and_proved(desk: Desk):
    await desk.break_by(RELEASE)
    await desk.ask(RELEASE)
    await desk.reads(
        RELEASE.cause, "elevated-error-rates", "KeyError: 'coupon' in apply_discount", "APP_VERSION=2.14.0"
    )
    await desk.approve()
    await desk.reads("RECOVERED: no threshold is breached", within=PROOF)


async def test_a_false_alarm_ends_in_nothing_on_a_phone_too(desk: Desk):
    await desk.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await desk.break_by(FALSE_ALARM)
    await desk.ask(FALSE_ALARM)
    await desk.reads(FALSE_ALARM.cause, re.compile(r"Logs: \d+ ERROR lines like .*CartGone"), "2.14.0 → 2.14.1")
    await expect(desk.thread.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
    wide = await desk.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wide, "nothing has to be scrolled sideways"
