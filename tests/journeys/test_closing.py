"""An incident from its page to its post-mortem, by clicks, on real processes; its timeline comes from the record."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sandbox.stack import FROM_COLD, QUICKLY, Stack
from sandbox.stories import POOL
from sandbox.surroundings import ADA
from tests.journeys.test_approval import APPROVE, PROPOSAL, seen

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack in which PagerDuty pages, and Ada may approve."""
    folder: Path = tmp_path_factory.mktemp("closing")
    async with Stack(folder, paged=True, approvers=(ADA,), bot_settings=QUICKLY | FROM_COLD) as running:
        yield running
        parts = [running.slack, running.model, running.pagerduty, running.confluence]
        assert [await running.look(part, "violations") for part in parts] == [{"violations": []}] * len(parts)
        assert (await running.look(running.slack, "pings"))["pings"] == []


async def with_button(stack: Stack, ts: str, action: str, but: str = "") -> dict[str, Any]:
    """The newest message of a thread that has a button, and is not the one with this timestamp."""
    async with asyncio.timeout(120):
        while True:
            for message in reversed(await stack.thread(ts)):
                elements = [each for block in message["blocks"] for each in block.get("elements", [])]
                if message["ts"] != but and any(each.get("action_id") == action for each in elements):
                    return dict(message)
            await asyncio.sleep(0.2)


async def on_card(stack: Stack, *words: str) -> dict[str, Any]:
    """The card in the channel that says all of the words."""
    cards: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(60):
            while True:
                cards = await stack.cards()
                for card in cards:
                    if all(word in f"{card['text']} {card['blocks']}" for word in words):
                        return card
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{words} are not all on one of {[card['text'] for card in cards]}") from None


async def incident(stack: Stack) -> dict[str, Any]:
    (found,) = (await stack.look(stack.pagerduty, "incidents"))["incidents"]
    return dict(found)


async def published(stack: Stack) -> list[dict[str, Any]]:
    found = (await stack.look(stack.confluence, "pages", label="postmortem"))["pages"]
    return [page for page in found if page["title"].startswith(REPORT["title"])]


async def recover(stack: Stack) -> str:
    """An incident up to the verdict that it has recovered; gives its thread."""
    await stack.break_by(POOL)
    found = [{"text": "**Root cause:** DB_POOL_SIZE is 1."}, PROPOSAL]
    turns = [found, {"text": "It is done."}, {"text": "It has recovered."}]
    await stack.order(stack.model, "script", marker=TITLE, turns=turns)
    ts = await stack.page(TITLE)
    await stack.click(await with_button(stack, ts, APPROVE), APPROVE)
    await seen(stack, ts, "RECOVERED: no threshold is breached any more", "It has recovered.", patience=300)
    return ts


async def test_a_page_ends_in_a_resolved_incident_and_a_postmortem_from_the_record(stack: Stack):
    ts = await recover(stack)
    identity = (await incident(stack))["id"]
    call: dict[str, Any] = {**REPORT, "resolve_incident": identity}
    tool = {"tool": "mcp__sre__confluence_create_postmortem", "input": call}
    better = {**tool, "input": {**call, "impact": "A third of the requests, of customers too, answered 500."}}
    turns = [[{"text": "I propose the post-mortem."}, tool], [{"text": "With the customers, then."}, better]]
    await stack.order(stack.model, "script", marker=TITLE, turns=[*turns, {"text": "All is closed out."}])

    # Three clicks ask for one draft.
    offer = await with_button(stack, ts, CLOSE_OUT)
    assert "Write the post-mortem and resolve …" in str(offer["blocks"])
    await asyncio.gather(*(stack.click(offer, CLOSE_OUT, "Grace") for _ in range(3)))
    first = await with_button(stack, ts, APPROVE)
    text = await seen(stack, ts, "I propose the post-mortem.", "Waits for your decision")
    assert text.count("I propose the post-mortem.") == 1

    # A rejection's reason reaches the model, which proposes again, and nothing was published.
    (number,) = re.findall(r"#(\d+) Publish", first["text"])[:1]
    await stack.say(f"reject {number} name the customers", thread_ts=ts)
    second = await with_button(stack, ts, APPROVE, but=first["ts"])
    told = (await stack.look(stack.model, "requests"))["requests"]
    assert any("name the customers" in request["last_result"] for request in told)
    assert await published(stack) == []

    # The bot is killed while the second draft waits; the clicks after its restart do both, once and in order.
    stack.bot.kill()
    await stack.bot.wait()
    await stack.start_bot()
    await asyncio.gather(*(stack.click(second, APPROVE) for _ in range(2)))
    cause = f"Root cause, as investigated: {REPORT['root_cause']}"
    text = await seen(stack, ts, "All is closed out.", cause, patience=180)

    (page,) = await published(stack)
    lines = page["text"].splitlines()
    assert "A third of the requests, of customers too, answered 500." in lines
    for words in (
        "Duration: .*, from the first page until the figures had recovered",
        rf"\d\d:\d\d:\d\d PagerDuty {identity} paged: {TITLE} on api-server",
        r"\d\d:\d\d:\d\d The bot's conclusion: DB_POOL_SIZE is 1.",
        r"\d\d:\d\d:\d\d Proposal #\d+ was approved by Ada.*",
        r"\d\d:\d\d:\d\d Figures after proposal #\d+: RECOVERED: no threshold is breached any more.*",
        r"api-server Error rate \(5xx\): .* → .*",
    ):
        assert any(re.fullmatch(words, line) for line in lines), (words, page["text"])

    resolved = await incident(stack)
    assert resolved["status"] == "resolved"
    assert [page["url"] in note["content"] for note in resolved["notes"]] == [True]

    assert re.search(r"Resolved\W* after .*\d", text), "the closing line has the duration"
    # The last run has its end a moment after the card has the link.
    shown = await on_card(stack, page["url"], REPORT["root_cause"])
    assert "Resolved" in shown["notification"]
    async with asyncio.timeout(60):  # nothing is left to offer
        while any(CLOSE_OUT in str(message["blocks"]) for message in await stack.thread(ts)):
            await asyncio.sleep(0.2)
