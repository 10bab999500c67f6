"""The stories of the demo on real processes: asked or paged, investigated, decided by a click, proved by figures.

All four are walked through in a browser (`tests/browser/test_stories.py`); here are ways beside the straight one. They
share one fleet, so each ends with the fleet as it is shipped. Most of the time is the minute that the rates need before
anybody may say that a change has helped.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.stack import QUICKLY, Stack
from sandbox.stories import BASELINE, POOL, RELEASE, Story
from sandbox.surroundings import ADA
from sandbox.terminal import Telling

QUIET = 'service:http_errors:ratio_rate1m{service="api-server"} < 0.005'
pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack in which PagerDuty pages, and Ada may approve; one story's pages do not join another's."""
    folder: Path = tmp_path_factory.mktemp("stories")
    apart = {"SRE_STORM_WINDOW": "0.0005"}
    async with Stack(folder, paged=True, approvers=(ADA,), bot_settings=QUICKLY | apart) as running:
        yield running
        parts = [running.slack, running.model, running.pagerduty, running.confluence]
        assert [await running.look(part, "violations") for part in parts] == [{"violations": []}] * len(parts)
        assert (await running.look(running.slack, "pings"))["pings"] == []


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def shipped(stack: Stack) -> None:
    """A story begins with the fleet as it is shipped, also after one that failed."""
    if not runs_as_shipped(stack):
        await stack.deploy(**BASELINE)
    await stack.await_figures(QUIET, timeout=120)


async def ask(stack: Stack, words: str) -> Telling:
    return Telling(stack, await stack.say(f"@SRE Bot {words}"))


def runs_as_shipped(stack: Stack) -> bool:
    written = stack.env_file.read_text().splitlines()
    return all(f"{key}={value}" in written for key, value in BASELINE.items())


async def deployed_by(stack: Stack) -> str:
    async with stack.http.get(f"{stack.fleet.found}/deployments", params={"service": "api-server"}) as answer:
        return str((await answer.json())["deployments"][0]["author"])


async def await_recovery(stack: Stack, telling: Telling, story: Story) -> str:
    """Approve the change that undoes the story's, and wait for the verdict; gives the card that shows it."""
    card = (await telling.card())["text"]
    for key, value in story.settings.items():
        assert f"-{key}={value}" in card
        assert f"+{key}={BASELINE[key]}" in card
    assert "Done as approved" in await telling.approve()
    assert runs_as_shipped(stack)
    assert await deployed_by(stack) == "sre-bot"
    assert await telling.verdict() == "RECOVERED"
    return next(str(reply["text"]) for reply in await telling.look() if "RECOVERED: no threshold" in reply["text"])


async def test_a_pool_that_was_cut_pages_the_on_call_and_is_investigated_mended_proved_and_closed(stack: Stack):
    await stack.break_by(POOL)
    asking = await ask(stack, "page on-call, api-server is failing")
    await asking.follow()
    assert "pagerduty_create_incident" in (await asking.card())["text"]
    known = await stack.cards()
    assert "Done as approved" in await asking.approve()
    telling = Telling(stack, await stack.await_card(known))
    answer = await telling.follow()
    assert POOL.cause.search(answer)
    assert "by linus" in answer
    assert re.search(r"Pool: \d/\d connections in use, [1-9]\d+ waiting", answer)
    assert re.search(r"HighErrorRate on api-server \(critical", answer)
    shown = await await_recovery(stack, telling, POOL)
    assert re.search(r"api-server Error rate \(5xx\): [1-9][\d.]* % → 0 %", shown)
    await telling.say("close out")
    await telling.follow()
    assert "DB_POOL_SIZE" in (await telling.card())["text"]
    assert re.search(r"published: https?://\S+/wiki/", await telling.approve())
    (page,) = (await stack.look(stack.confluence, "pages", label="postmortem"))["pages"][:1]
    assert "DB_POOL_SIZE 20 → 1" in page["title"]
    incidents = (await stack.look(stack.pagerduty, "incidents"))["incidents"]
    (paged,) = [incident for incident in incidents if incident["title"].startswith("api-server: error rate")]
    assert paged["status"] == "resolved", "the one approval did both"


async def test_a_bad_release_is_proposed_to_be_undone_again_after_a_first_no(stack: Stack):
    await stack.break_by(RELEASE)
    telling = await ask(stack, RELEASE.asked)
    answer = await telling.follow()
    assert RELEASE.cause.search(answer)
    assert "elevated-error-rates" in answer
    assert re.search(r"Logs: \d+ ERROR lines like .*KeyError: 'coupon' in apply_discount", answer)
    assert "HighErrorRate on api-server" in answer
    (number,) = re.findall(r"#(\d+) Set", (await telling.card())["text"])
    await telling.say(f"reject {number} the shop is in a sale until noon")
    after = await telling.follow()
    assert "the shop is in a sale until noon" in after
    assert not telling.proposed
    await telling.say("the sale is over, propose it again")
    assert RELEASE.cause.search(await telling.follow())
    assert "+APP_VERSION=2.14.0" in (await telling.card())["text"]
