"""An incident from its page to its post-mortem, by clicks, on real processes; its timeline comes from the record."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from sandbox.ports import free_port
from sandbox.processes import Child
from sandbox.stack import ROOT, Stack
from sandbox.stories import BROKEN
from sandbox.surroundings import LISTENS, RETRIES, SECRET
from tests.journeys.test_approval import APPROVE, PROPOSAL, click, order, pool_size

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

CLOSE_OUT = "case_close_out"
TITLE = "STORY-CLOSING: 5xx above 5 %"
REPORT = {
    "title": "api-server: connections exhausted",
    "summary": "Requests failed while the pool had one connection.",
    "impact": "A third of the requests answered 500.",
    "root_cause": "A deployment set DB_POOL_SIZE to 1.",
    "what_went_well": "The alert came within a minute.",
    "action_items": "- [ ] ada: bound the pool size, Friday",
}


class House:
    """The stack with an account of PagerDuty and a space of Confluence, and what people see of the one incident."""

    def __init__(self, stack: Stack, pagerduty: Child, confluence: Child) -> None:
        self.stack = stack
        self.pagerduty = pagerduty
        self.confluence = confluence

    async def card(self) -> dict[str, Any]:
        """The card of the incident, as soon as it is there."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(60):
            while not found:
                await asyncio.sleep(0.1)
                messages = (await self.stack.look(self.stack.slack, f"channel?channel={self.stack.channel}"))[
                    "messages"
                ]
                found = [each for each in messages if each["bot"] and TITLE in f"{each['notification']} {each['text']}"]
        return found[0]

    async def with_button(self, ts: str, action: str, patience: float = 120) -> dict[str, Any]:
        """The message of a thread that has a button."""
        async with asyncio.timeout(patience):
            while True:
                for message in reversed(await self.stack.thread(ts)):
                    if any(
                        each.get("action_id") == action for b in message["blocks"] for each in b.get("elements", [])
                    ):
                        return dict(message)
                await asyncio.sleep(0.2)

    async def seen(self, ts: str, *words: str, patience: float = 120) -> str:
        """The thread's text, once it holds all of the words."""
        text = ""
        try:
            async with asyncio.timeout(patience):
                while not (text and all(word in text for word in words)):
                    await asyncio.sleep(0.2)
                    text = "\n".join(message["text"] for message in await self.stack.thread(ts))
        except TimeoutError:
            raise AssertionError(f"{words} are not all in:\n{text}") from None
        return text

    async def incident(self) -> dict[str, Any]:
        (found,) = (await self.stack.look(self.pagerduty, "incidents"))["incidents"]
        return dict(found)

    async def pages(self) -> list[dict[str, Any]]:
        found = (await self.stack.look(self.confluence, "pages?label=postmortem"))["pages"]
        return [page for page in found if page["title"].startswith(REPORT["title"])]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("closing")
    async with AsyncExitStack() as parts:

        async def start(module: str) -> tuple[Child, dict[str, Any]]:
            command = [sys.executable, "-m", f"sandbox.{module}"]
            child = await Child.start(module, command, ready=LISTENS, log_dir=folder, env={"PYTHONPATH": str(ROOT)})
            parts.push_async_callback(child.stop)
            async with http.get(f"{child.found}/sandbox/world") as answer:
                return child, await answer.json()

        http = await parts.enter_async_context(aiohttp.ClientSession())
        pagerduty, account = await start("pagerduty")
        confluence, site = await start("confluence")
        port = free_port()
        settings = {
            "SLACK_APPROVERS": "U0ADA00001",
            "SLACK_INCIDENT_CHANNEL": "C0INCIDENTS",
            # The figures' windows are a minute: less says nothing.
            "SRE_VERIFY_AFTER": "62",
            "SRE_VERIFY_WITHIN": "150",
            "WEBHOOK_PORT": str(port),
            "PAGERDUTY_WEBHOOK_SECRET": SECRET,
            "PAGERDUTY_API_URL": pagerduty.found,
            "PAGERDUTY_API_KEY": account["api_key"],
            "PAGERDUTY_SERVICE_ID": account["service_id"],
            "PAGERDUTY_FROM_EMAIL": account["from_email"],
            "CONFLUENCE_BASE_URL": site["site"],
            "CONFLUENCE_API_TOKEN": site["token"],
            "CONFLUENCE_USER_EMAIL": site["email"],
            "CONFLUENCE_SPACE_KEY": site["space"]["key"],
            "CONFLUENCE_PARENT_PAGE_ID": site["parent"],
        }
        stack = await parts.enter_async_context(Stack(folder, bot_settings=settings))
        url = f"http://127.0.0.1:{port}/webhooks/pagerduty"
        await order(stack, pagerduty, "webhooks", url=url, secret=SECRET, schedule=RETRIES)
        yield House(stack, pagerduty, confluence)
        for part in (stack.slack, stack.model, pagerduty, confluence):
            assert part
            assert (await stack.look(part, "violations"))["violations"] == []
        assert (await stack.look(stack.slack, "pings"))["pings"] == []


async def recover(house: House) -> str:
    """An incident up to the verdict that it has recovered; gives its thread."""
    stack = house.stack
    assert stack.model
    await stack.deploy(DB_POOL_SIZE="1")
    await stack.await_figures(BROKEN)
    found = [{"text": "**Root cause:** DB_POOL_SIZE is 1."}, PROPOSAL]
    turns = [found, {"text": "It is done."}, {"text": "It has recovered."}]
    await order(stack, stack.model, "script", marker=TITLE, turns=turns)
    await order(stack, house.pagerduty, "incidents", title=TITLE, service="api-server")
    ts = str((await house.card())["ts"])
    await click(stack, await house.with_button(ts, APPROVE), "Ada", APPROVE)
    await house.seen(ts, "RECOVERED: no threshold is breached any more", "It has recovered.", patience=300)
    assert pool_size(stack) == "DB_POOL_SIZE=20"
    return ts


async def test_a_page_ends_in_a_resolved_incident_and_a_postmortem_from_the_record(house: House):
    stack = house.stack
    ts = await recover(house)
    identity = (await house.incident())["id"]
    assert stack.model
    call: dict[str, Any] = {
        "tool": "mcp__sre__confluence_create_postmortem",
        "input": {**REPORT, "resolve_incident": identity},
    }
    better = {**call, "input": {**call["input"], "impact": "A third of the requests, of customers too, answered 500."}}
    turns = [[{"text": "I propose the post-mortem."}, call], [{"text": "With the customers, then."}, better]]
    await order(stack, stack.model, "script", marker=TITLE, turns=[*turns, {"text": "All is closed out."}])

    # Three clicks ask for one draft.
    offer = await house.with_button(ts, CLOSE_OUT)
    assert "Write the post-mortem and resolve …" in str(offer["blocks"])
    await asyncio.gather(*(click(stack, offer, "Grace", CLOSE_OUT) for _ in range(3)))
    text = await house.seen(ts, "I propose the post-mortem.", "Waits for your decision")
    assert text.count("I propose the post-mortem.") == 1
    first = await house.with_button(ts, APPROVE)

    # A rejection's reason reaches the model, which proposes again, and nothing was published.
    number = int(re.findall(r"#(\d+)", first["text"])[0])
    await stack.say(f"reject {number} name the customers", thread_ts=ts)
    await house.seen(ts, "With the customers, then.")
    told = (await stack.look(stack.model, "requests"))["requests"]
    assert any("name the customers" in request["last_result"] for request in told)
    assert await house.pages() == []

    # The bot is killed while the second draft waits; the click after its restart does both, in order.
    async with asyncio.timeout(60):
        while (second := await house.with_button(ts, APPROVE))["ts"] == first["ts"]:
            await asyncio.sleep(0.2)
    stack.bot.kill()
    await stack.bot.wait()
    await stack.start_bot()
    await asyncio.gather(*(click(stack, second, "Ada", APPROVE) for _ in range(2)))
    text = await house.seen(ts, "All is closed out.", "Post-mortem: ", "after")

    (page,) = await house.pages()
    lines = page["text"].splitlines()
    assert "A third of the requests, of customers too, answered 500." in lines
    for words in (
        r"Duration: .*, from the first page until the figures had recovered",
        rf"\d\d:\d\d:\d\d PagerDuty {identity} paged: {TITLE} on api-server",
        r"\d\d:\d\d:\d\d The bot's conclusion: DB_POOL_SIZE is 1.",
        r"\d\d:\d\d:\d\d Proposal #\d+ was approved by Ada.*",
        r"\d\d:\d\d:\d\d Figures after proposal #\d+: RECOVERED: no threshold is breached any more.*",
        r"api-server Error rate \(5xx\): .* → .*",
    ):
        assert any(re.fullmatch(words, line) for line in lines), (words, page["text"])
    shown = second["text"]
    assert all(line in shown for line in (REPORT["summary"], "Then resolved in PagerDuty")), shown

    incident = await house.incident()
    assert incident["status"] == "resolved"
    assert [page["url"] in note["content"] for note in incident["notes"]] == [True]

    closing = next(line for line in text.splitlines() if "Resolved" in line and "after" in line)
    assert closing
    assert f"Root cause, as investigated: {REPORT['root_cause']}" in text
    async with asyncio.timeout(60):
        while "Post-mortem" not in str((card := await house.card())["blocks"]):
            await asyncio.sleep(0.2)
    assert page["url"] in str(card["blocks"])
    assert "Resolved" in card["notification"]
    assert "after" in card["text"]
    assert REPORT["root_cause"] in card["text"]
    async with asyncio.timeout(60):
        while any(CLOSE_OUT in str(message["blocks"]) for message in await stack.thread(ts)):
            await asyncio.sleep(0.2)
