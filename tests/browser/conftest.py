"""One Chromium for all browser tests of a process; a workspace for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.scene import Scene, chromium
from tests.browser.scene import scene as new_scene

expect.set_options(timeout=30_000)  # milliseconds: what the page looks at every two seconds is late on a busy machine


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def scene(browser: Browser) -> AsyncIterator[Scene]:
    async with new_scene(browser) as running:
        yield running
