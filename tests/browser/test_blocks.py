"""Every block that the stand-in lets pass is shown, and what is not known is shown as an error."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from sandbox.slack.block_table import TABLE
from tests.browser.gallery import GALLERY, mrkdwn, section
from tests.browser.scene import INCIDENTS, Scene
from tests.browser.scene import scene as new_scene

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Shown:
    """A page with one message for each sample."""

    def __init__(self, page: Page, stamps: dict[str, str]) -> None:
        self.page = page
        self.stamps = stamps


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gallery(browser: Browser) -> AsyncIterator[Shown]:
    async with new_scene(browser) as scene:
        stamps: dict[str, str] = {}
        for name, sample in GALLERY.items():
            stamps[name] = await scene.app.post(*sample.blocks)
            await asyncio.sleep(0)
        yield Shown(await scene.open(), stamps)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def board(browser: Browser) -> AsyncIterator[tuple[Scene, Page]]:
    """One workspace and one page for tests that each add a message."""
    async with new_scene(browser) as scene:
        yield scene, await scene.open()


async def test_the_gallery_has_every_row_of_the_table():
    assert GALLERY.keys() == TABLE.keys()


@pytest.mark.parametrize("name", GALLERY)
async def test_is_shown(gallery: Shown, name: str):
    message = gallery.page.locator(f'.message[data-ts="{gallery.stamps[name]}"]')
    part = message.locator(GALLERY[name].selector).first
    await expect(part).to_be_visible()
    await expect(part).to_contain_text(GALLERY[name].words)
    await expect(message.locator(".problem")).to_have_count(0)


async def _message(scene: Scene, page: Page, ts: str):
    found = page.locator(f'.message[data-ts="{ts}"]')
    await expect(found).to_be_visible()
    return found


async def test_an_unknown_block_is_shown_as_an_error_with_what_was_sent(board: tuple[Scene, Page]):
    scene, page = board
    blocks = [section("before"), {"type": "hologram", "url": "https://example.com/h"}, section("after")]
    ts = (await scene.order("messages", channel=INCIDENTS, bot="Another app", text="x", blocks=blocks))["ts"]
    message = await _message(scene, page, ts)
    await expect(message.locator(".problem strong")).to_have_text("This page cannot show a block of type “hologram”.")
    await message.locator(".problem summary").click()
    await expect(message.locator(".problem pre")).to_contain_text("https://example.com/h")
    await expect(message.locator(".words")).to_have_text(["before", "after"])


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "rich_text", "elements": [{"type": "rich_text_hologram"}]}, "“rich_text_hologram”"),
        (
            {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "smell"}]}]},
            "“smell”",
        ),
        ({"type": "actions", "elements": [{"type": "lever"}]}, "“lever”"),
        ({"type": "context", "elements": [{"type": "video"}]}, "“video”"),
        ({"type": "task_card", "task_id": "1", "title": "x", "status": "lost"}, "“lost”"),
        ({"type": "table", "rows": [[{"type": "raw_smell"}]]}, "“raw_smell”"),
        ({"type": "section", "text": 7}, "malformed"),
        ({"type": "header"}, "malformed"),
    ],
    ids=["part", "inline", "control", "context", "status", "cell", "wrong-type", "missing"],
)
async def test_an_unknown_part_is_shown_as_an_error(board: tuple[Scene, Page], block: dict[str, object], said: str):
    scene, page = board
    ts = (await scene.order("messages", channel=INCIDENTS, bot="Another app", text="x", blocks=[block]))["ts"]
    await expect((await _message(scene, page, ts)).locator(".problem").first).to_contain_text(said)


TEXTS = {
    "bold and code": ("*bold* and `code`", "strong", "bold"),
    "inside words is no mark": ("snake_case_name and 2*3*4", ".words", "snake_case_name and 2*3*4"),
    "fence": ("```\nDB_POOL_SIZE=20\n```", "pre", "DB_POOL_SIZE=20"),
    "entities": ("a &lt;b&gt; &amp; c", ".words", "a <b> & c"),
    "quote": ("&gt; said\nthen", "blockquote", "said"),
    "person": ("ask <@U0GRACE001>", ".mention", "@Grace"),
    "group": ("ask <!subteam^S0ONCALL001|@oncall>", ".mention.mine", "@oncall"),
    "date": ("since <!date^1700000000^{date_num} {time_secs}|then>", ".words time", "2023-11-14 22:13:20"),
    "link in bold": ("*<https://example.com/z|the run>*", "strong a", "the run"),
    "emoji": (":white_check_mark: done", ".words", "✅ done"),
    "unknown emoji": (":no-such-emoji:", ".words", ":no-such-emoji:"),
    "zero width space as an edge": ("pre\u200b*bold*\u200bpost", "strong", "bold"),
}


@pytest.mark.parametrize("name", TEXTS)
async def test_mrkdwn(board: tuple[Scene, Page], name: str):
    scene, page = board
    text, selector, words = TEXTS[name]
    ts = await scene.app.post({"type": "section", "text": mrkdwn(text)})
    part = (await _message(scene, page, ts)).locator(selector).first
    await expect(part).to_have_text(words)


async def test_what_is_shown_can_never_act(scene: Scene):
    page = await scene.open()
    nasty = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    blocks = [
        {"type": "section", "text": {"type": "plain_text", "text": nasty}},
        {"type": "section", "text": mrkdwn("<javascript:alert(1)|click me> <data:text/html,x|or me>")},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "link", "url": "javascript:alert(1)", "text": "run"},
            {"type": "color", "value": "red;background:url(https://example.com/leak)"},
        ]}]},
    ]  # fmt: skip
    await scene.order("messages", channel=INCIDENTS, bot=nasty, text=nasty, blocks=blocks)
    message = page.locator(".message").last
    await expect(message.locator(".words").first).to_have_text(nasty)
    assert await message.locator("img, script, a[href^='javascript'], a[href^='data']").count() == 0
    assert "sandbox" in await page.title()
