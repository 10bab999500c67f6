"""What becomes of a proposal when its time runs out, or the bot dies before, at or after the click."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sre_bot.incidents.model import Approval
from sre_bot.slack.cards.proposal import WORDS
from tests.attack.town import BEFORE, POLICY, Town, open_town

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]
AFTER = BEFORE.replace("DB_POOL_SIZE=1\n", "DB_POOL_SIZE=20\n")
CHANGE: dict[str, Any] = {
    "tool": "mcp__sre__update_service_config",
    "input": {"service": "api-server", "key": "DB_POOL_SIZE", "value": "20", "redeploy": True},
}
DONE = "It is done, as far as I can tell."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with open_town(tmp_path_factory.mktemp("town"), "nothing", "nothing") as town:
        yield town


async def ask(town: Town, marker: str) -> str:
    """Ask for the change; the file is as it was and nothing has run. Gives the thread."""
    town.env_file.write_text(BEFORE)
    (town.folder / "redeployed").unlink(missing_ok=True)
    await town.script(marker, CHANGE, {"text": DONE})
    return await town.say(f"@SRE Bot {marker}")


async def propose(town: Town, marker: str) -> Approval:
    """Ask, and wait for the card."""
    return await town.proposal(await ask(town, marker))


async def restart(town: Town) -> None:
    await town.bot.kill()
    await town.bot.start()


async def once(town: Town, approval: Approval) -> None:
    """It was carried out once, exactly, and people see that."""
    await town.becomes(approval, "succeeded")
    await town.seen(approval.thread_ts, "Carried out", DONE)
    assert town.env_file.read_text() == AFTER
    assert town.redeploys == 1


async def test_a_bot_that_was_killed_while_a_proposal_waited_takes_the_click_on_its_old_card(town: Town):
    approval = await propose(town, "KILLED-BEFORE")
    await restart(town)
    await town.click(approval)
    await once(town, approval)


async def test_a_bot_that_is_killed_between_the_click_and_the_execution_goes_on_with_it_once(town: Town):
    approval = await propose(town, "KILLED-BETWEEN")
    await restart(town)  # the conversation is not resumed yet, so that the click has some way to go
    await town.click(approval)
    now = await town.becomes(approval, "approved", "executing", "consumed", "succeeded")
    await restart(town)
    if now.state == "approved":
        await once(town, approval)
        return
    ended = await town.becomes(approval, "succeeded", "expired", "failed")
    await town.seen(approval.thread_ts, WORDS[ended.state])
    assert town.redeploys == (ended.state == "succeeded")


async def test_a_bot_that_is_killed_during_the_execution_repeats_nothing_and_says_what_it_knows(town: Town):
    hold = town.folder / "hold"
    hold.touch()
    approval = await propose(town, "KILLED-DURING")
    await town.click(approval)
    await town.becomes(approval, "consumed")
    await town.redeployed()
    await town.bot.kill()
    hold.unlink()
    await town.bot.start()
    await town.seen(approval.thread_ts, DONE)
    # Claude Code ends its tool process soon after the bot is gone: the outcome is recorded, or known to be unknown.
    ended = await town.becomes(approval, "succeeded", "consumed")
    if ended.state == "consumed":
        assert "its outcome is unknown" in await town.heard()
    assert (town.env_file.read_text(), town.redeploys) == (AFTER, 1)


async def test_what_nobody_decides_in_time_is_void_and_cannot_be_approved_any_more(town: Town):
    policy = town.folder / "config" / "policy.yaml"
    policy.write_text(POLICY.replace("30", "0.1"))
    await restart(town)
    ts = await ask(town, "EXPIRES")
    async with asyncio.timeout(150):  # its card, whatever that says by then
        while not (found := [each for each in await town.approvals() if each.thread_ts == ts and each.card_ts]):
            await asyncio.sleep(0.2)
    (approval,) = found
    await town.becomes(approval, "expired")
    await town.seen(ts, "Void", "nobody decided in time")
    card = await town.card(approval)
    assert card
    assert not any(block["type"] == "actions" for block in card["blocks"])
    await town.say(f"approve {approval.id}", ts)
    await town.seen(ts, f"Proposal #{approval.id} is expired already")
    assert (town.env_file.read_text(), town.redeploys) == (BEFORE, 0)
    await town.say("and now?", ts)
    await town.seen(ts, "and now?", "0 tool calls")
    assert "This proposal is void (nobody decided in time). Nothing was executed." in await town.heard()
    policy.write_text(POLICY)
