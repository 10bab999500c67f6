"""The fleet, PagerDuty and Confluence beside Slack; every place is accessible, fits a phone, and logs no error."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from sandbox import prometheus
from sandbox.processes import Child
from sandbox.stack import CONFIG, ROOT
from tests.browser.gallery import GALLERY, actions, button, plain
from tests.browser.scene import ADA, INCIDENTS, Scene
from tests.browser.scene import scene as new_scene

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

SECRET = "a-secret-of-this-test"
PAGE = (
    "<h2>Impact</h2><p>Payments <strong>failed</strong> &amp; &lt;waited&gt;.</p>"
    "<table><tbody><tr><th>Time</th><td>12:00</td></tr></tbody></table>"
    '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">ini</ac:parameter>'
    "<ac:plain-text-body><![CDATA[DB_POOL_SIZE=20]]></ac:plain-text-body></ac:structured-macro>"
    '<ac:structured-macro ac:name="jira"><ac:parameter ac:name="key">X-1</ac:parameter></ac:structured-macro>'
    "<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete</ac:task-status>"
    "<ac:task-body>Raise the pool</ac:task-body></ac:task></ac:task-list>"
)
PLACES = {
    "chat": f"#/chat/{INCIDENTS}",
    "list": "#/chat",
    "thread": f"#/chat/{INCIDENTS}/THREAD",
    "home": "#/app/home",
    "messages": "#/app/messages",
    "fleet": "#/fleet",
    "pagerduty": "#/pagerduty",
    "confluence": "#/confluence",
}


class Everything:
    """A scene with all parts running."""

    def __init__(self, scene: Scene, pagerduty: Child, confluence: Child, env_file: Path) -> None:
        self.scene = scene
        self.pagerduty = pagerduty
        self.confluence = confluence
        self.env_file = env_file
        self.thread = ""

    async def open(self, place: str, **how: Any) -> Page:
        return await self.scene.open(PLACES[place].replace("THREAD", self.thread), **how)

    async def order(self, part: Child, path: str, body: dict[str, Any]) -> Any:
        async with self.scene.app.http.post(f"{part.found}/sandbox/{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()


async def _start(name: str, command: list[str], ready: str, folder: Path) -> Child:
    return await Child.start(name, command, ready=ready, log_dir=folder, env={"PYTHONPATH": str(ROOT)})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def everything(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Everything]:
    folder = tmp_path_factory.mktemp("places")
    env_file = folder / "api-server.env"
    env_file.write_text((CONFIG / "api-server.env").read_text())
    listening = r"listening on (http://\S+)"
    script = [sys.executable, str(ROOT / "scripts" / "metric_logging.py"), "--port", "0"]
    fleet = await _start("fleet", [*script, "--env-file", str(env_file), "--state-dir", str(folder)], listening, folder)
    config = prometheus.write_config(CONFIG / "prometheus.yml", fleet.found.removeprefix("http://"), folder)
    command = prometheus.command("prometheus", config, folder / "data", 0)
    metrics = await _start("prometheus", command, r"msg=\"Listening on\" address=(\S+)", folder)
    pagerduty = await _start("pagerduty", [sys.executable, "-m", "sandbox.pagerduty"], listening, folder)
    confluence = await _start("confluence", [sys.executable, "-m", "sandbox.confluence"], listening, folder)
    parts = {
        "fleet": fleet.found,
        "prometheus": f"http://{metrics.found}",
        "pagerduty": pagerduty.found,
        "confluence": confluence.found,
        "env_file": env_file,
    }
    async with new_scene(browser, **parts) as scene:
        found = Everything(scene, pagerduty, confluence, env_file)
        await _fill(found)
        yield found
    for child in (fleet, metrics, pagerduty, confluence):
        await child.stop()


async def _fill(everything: Everything) -> None:
    scene = everything.scene
    everything.thread = await scene.say("@SRE Bot 500 errors spiking on api-server")
    for sample in GALLERY.values():
        await scene.app.post(*sample.blocks, thread_ts=everything.thread)
    await scene.app.post(*actions(button("Approve", "ok", style="primary"), button("Reject", "no", style="danger")))
    await scene.app.call("chat.postEphemeral", channel=INCIDENTS, user=ADA, text="For you alone")
    await scene.order("messages", channel=INCIDENTS, bot="Another app", text="x", blocks=[{"type": "hologram"}])
    view = {"type": "home", "blocks": [{"type": "header", "text": plain("On call")}]}
    await scene.app.call("views.publish", user_id=ADA, view=view)
    await everything.order(everything.pagerduty, "incidents", {"title": "Checkout is down", "service": "payment-svc"})
    await everything.order(
        everything.confluence, "pages", {"title": "Post-mortem", "storage": PAGE, "labels": ["sev1"]}
    )


async def test_the_fleet_is_broken_and_mended_with_one_click(everything: Everything):
    page = await everything.open("fleet")
    await expect(page.locator(".node", has_text="api-server")).to_contain_text("Healthy", timeout=60_000)
    await expect(page.get_by_role("img", name="P99 latency of api-server")).to_be_visible()
    await page.get_by_role("button", name="Break: Exhaust the connection pool").click()
    await expect(page.locator(".node", has_text="api-server")).to_contain_text("Failing", timeout=90_000)
    await expect(page.locator(".top .vital", has_text="api-server")).to_have_class("vital critical")
    assert "DB_POOL_SIZE=1\n" in everything.env_file.read_text()
    await expect(page.locator(".deployments li").first).to_contain_text("DB_POOL_SIZE: 20 → 1")
    await expect(page.locator(".deployments li").first).to_contain_text("by Ada")
    await page.get_by_role("button", name="Put it right: Exhaust the connection pool").click()
    await expect(page.locator(".deployments li").first).to_contain_text("DB_POOL_SIZE: 1 → 20")
    assert "DB_POOL_SIZE=20\n" in everything.env_file.read_text()


async def test_the_env_file_is_edited_and_deployed(everything: Everything):
    page = await everything.open("fleet")
    field = page.get_by_label("Settings of api-server")
    await expect(field).to_have_value(everything.env_file.read_text())
    await field.fill(everything.env_file.read_text().replace("DB_POOL_TIMEOUT=2.5", "DB_POOL_TIMEOUT=3"))
    await expect(page.locator(".env-changes")).to_have_text("DB_POOL_TIMEOUT=3")
    await page.get_by_role("button", name="Deploy", exact=True).click()
    await expect(page.locator(".deployments li").first).to_contain_text("DB_POOL_TIMEOUT: 2.5 → 3")


async def test_a_file_that_changed_meanwhile_is_not_overwritten(everything: Everything):
    page = await everything.open("fleet")
    field = page.get_by_label("Settings of api-server")
    await expect(field).not_to_have_value("")
    await field.press("End")
    await field.press_sequentially("# mine")
    somebody = everything.env_file.read_text() + "# somebody else's\n"
    everything.env_file.write_text(somebody)
    await expect(page.locator(".env-notice")).to_contain_text("changed by somebody else")
    await page.get_by_role("button", name="Deploy", exact=True).click()
    await expect(page.locator(".toast")).to_contain_text("was changed meanwhile")
    assert everything.env_file.read_text() == somebody
    await page.get_by_role("button", name="Undo my edits").click()
    await expect(field).to_have_value(somebody)
    everything.scene.errors.clear()  # the browser notes the 409 that was asked for


async def test_settings_that_cannot_be_deployed_are_said(everything: Everything):
    page = await everything.open("fleet")
    field = page.get_by_label("Settings of api-server")
    await expect(field).not_to_have_value("")
    before = everything.env_file.read_text()
    await field.fill("DB_POOL_SIZE=many\n")
    await page.get_by_role("button", name="Deploy", exact=True).click()
    await expect(page.locator(".toast")).to_contain_text("DB_POOL_SIZE must be a whole number")
    everything.env_file.write_text(before)
    everything.scene.errors.clear()  # the browser notes the 422 that was asked for


async def test_an_incident_is_triggered_acknowledged_and_resolved(everything: Everything):
    page = await everything.open("pagerduty")
    await page.get_by_label("Title").fill("Pool exhausted")
    await page.get_by_role("button", name="Trigger").click()
    record = page.get_by_role("article")
    await expect(record.get_by_role("heading", name="Pool exhausted")).to_contain_text("triggered")
    await record.get_by_role("button", name="Acknowledge").click()
    await expect(record.locator(".log")).to_contain_text("Acknowledged by Ada Lovelace")
    await record.get_by_label("A note on this incident").fill("Raising the pool")
    await record.get_by_role("button", name="Add the note").click()
    await expect(record.locator(".notes")).to_contain_text("Raising the pool")
    await record.get_by_role("button", name="Resolve").click()
    await expect(record.get_by_role("heading", name="Pool exhausted")).to_contain_text("resolved")


async def test_a_page_is_read_as_readers_see_it(everything: Everything):
    page = await everything.open("confluence")
    await page.get_by_role("link", name="Post-mortem", exact=True).click()
    article = page.get_by_role("article")
    await expect(article.get_by_role("heading", name="Impact")).to_be_visible()
    await expect(article).to_contain_text("Payments failed & <waited>.")
    await expect(article.locator("pre[data-language=ini]")).to_have_text("DB_POOL_SIZE=20")
    await expect(article.locator("td")).to_have_text("12:00")
    await expect(article.locator(".wiki-tasks")).to_contain_text("Raise the pool")
    await expect(article.locator(".problem")).to_contain_text("macro jira")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
async def test_axe_finds_nothing(everything: Everything, place: str, scheme: str):
    axe = pytest.importorskip("axe_playwright_python.async_playwright", reason="axe-playwright-python is not installed")
    page = await everything.open(place, scheme=scheme)
    await _drawn(page, place)
    results = await axe.Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


async def test_light_and_dark_follow_the_browser(everything: Everything):
    grounds = []
    for scheme in ("light", "dark"):
        page = await everything.open("chat", scheme=scheme)
        colour = await page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(int(part) for part in colour.strip("rgb()").split(",")))
    light, dark = grounds
    assert light > 600 > 150 > dark


@pytest.mark.parametrize("place", PLACES)
async def test_nothing_is_wider_than_a_phone(everything: Everything, place: str):
    page = await everything.open(place, phone=True)
    await _drawn(page, place)
    assert await page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    inside = (
        "() => [...document.querySelectorAll('main, main > *')].every(each => each.scrollWidth <= each.clientWidth)"
    )
    assert await page.evaluate(inside)
    assert await page.locator("#rail a").first.is_visible()


async def _drawn(page: Page, place: str) -> None:
    there = {"chat": ".message", "thread": ".thread .message", "home": ".home-blocks", "fleet": ".chart-box"}
    there |= {"pagerduty": ".record-line", "confluence": ".wiki", "list": ".item", "messages": ".composer"}
    await expect(page.locator(there[place]).first).to_be_attached(timeout=30_000)
