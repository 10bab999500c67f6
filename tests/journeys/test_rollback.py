"""A change that does not help, by clicks: the verdict with its chart, one button, and the file is as it was."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sandbox.stack import FROM_COLD, Stack
from sandbox.stories import BROKEN
from sandbox.surroundings import ADA
from tests.journeys.test_approval import APPROVE, card, click, order, seen

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

WRONG = {
    "tool": "mcp__sre__update_service_config",
    "input": {"service": "api-server", "key": "DB_POOL_TIMEOUT", "value": "2", "redeploy": True},
}
ROLL_BACK = "proposal_roll_back"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack in which Ada may approve, and what does not help is seen soon."""
    folder: Path = tmp_path_factory.mktemp("rollback")
    verify = {"SRE_VERIFY_AFTER": "10", "SRE_VERIFY_WITHIN": "10"}
    async with Stack(folder, approvers=(ADA,), bot_settings=FROM_COLD | verify) as running:
        yield running
        assert (await running.look(running.slack, "violations"))["violations"] == []
        assert (await running.look(running.slack, "pings"))["pings"] == []


async def offer(stack: Stack, ts: str) -> dict[str, Any]:
    """The card that has the button."""
    async with asyncio.timeout(90):
        while True:
            for message in await stack.thread(ts):
                elements = (each for block in message["blocks"] for each in block.get("elements", []))
                if any(each.get("action_id") == ROLL_BACK for each in elements):
                    return message
            await asyncio.sleep(0.1)


async def pictures(stack: Stack, ts: str) -> list[str]:
    return [file["name"] for message in await stack.thread(ts) for file in message["files"]]


async def test_a_change_that_did_not_help_is_taken_back_with_one_click_across_a_restart(house: Stack):
    await house.deploy(DB_POOL_SIZE="1")
    await house.await_figures(BROKEN)
    before = house.env_file.read_bytes()
    assert house.model
    turns = [WRONG, {"text": "It is done."}, {"text": "It did not help."}, {"text": "It is as it was."}]
    await order(house, house.model, "script", marker="STORY-WORSE", turns=turns)
    ts = await house.say("@SRE Bot STORY-WORSE")
    await click(house, await card(house, ts), "Ada", APPROVE)
    await seen(house, ts, "Carried out", "NOT RECOVERED: still breached")
    shown = await offer(house, ts)
    assert house.env_file.read_bytes() != before
    (picture,) = await pictures(house, ts)
    assert picture.startswith("verdict-")
    await seen(house, ts, "It did not help.")
    await click(house, shown, "Grace", ROLL_BACK)
    house.bot.kill()
    await house.bot.wait()
    await house.start_bot()
    assert house.env_file.read_bytes() != before, "nobody who may has decided"
    clicks = (click(house, shown, "Ada", ROLL_BACK) for _ in range(2))
    taken = [each for each in await asyncio.gather(*clicks, return_exceptions=True) if each is None]
    assert taken, "whose click comes late may find the button gone"
    await seen(house, ts, "Carried out: #2 Roll back #1", "is succeeded", "It is as it was.")
    assert house.env_file.read_bytes() == before
    async with asyncio.timeout(60):
        while len(await pictures(house, ts)) < 2:
            await asyncio.sleep(0.1)
    text = await seen(house, ts, "NOT RECOVERED")
    assert text.count("REDEPLOYED api-server") == 2, "once for the change, once for its way back"
