"""The database restarts, Slack refuses for a while: PagerDuty repeats, and in the end all is as if nothing had been."""

import asyncio

import pytest

from sandbox.chaos import Chaos
from sandbox.paged import APART, ASKED_BY_ITSELF, Paged
from sandbox.postgres import Postgres

pytestmark = pytest.mark.timeout(300)

ANSWER = "Look at the pool of connections first: it is too small. Raise DB_POOL_SIZE and redeploy. This ends it."
SEED = 7
INCIDENTS = 8
ALL = 40  # deliveries of these, as the seed makes them


async def _await_status(paged: Paged, *wanted: int | None, count: int = 1) -> None:
    """Wait until PagerDuty got so many answers of these statuses; None is for none at all."""
    async with asyncio.timeout(150):
        while sum(each["status"] in wanted for each in (await paged.deliveries())["deliveries"]) < count:
            await asyncio.sleep(0.1)


async def _count(paged: Paged, status: int) -> int:
    return sum(each["status"] == status for each in (await paged.deliveries())["deliveries"])


async def test_a_database_that_restarts_and_a_slack_that_refuses_lose_nothing(own_postgres: Postgres, open_paged):
    paged = await open_paged(own_postgres.create_database("bot"), **APART)
    bot = paged.make_bot()
    chaos = Chaos(paged, bot, seed=SEED, incidents=INCIDENTS, kills=0, seconds=20)

    async def disturb() -> None:
        for accepted, end in ((10, own_postgres.stop), (20, own_postgres.crash)):
            await _await_status(paged, 202, count=accepted)
            refused = await _count(paged, 503)
            await end()
            async with asyncio.timeout(60):  # something comes to a closed door, or all is through
                while await _count(paged, 503) == refused and await _count(paged, 202) < ALL:
                    await asyncio.sleep(0.1)
            await own_postgres.resume()
        for method in ("chat.postMessage", "chat.update"):
            await paged.order(paged.slack, "faults", method=method, kind="ratelimited", count=10, retry_after=1)

    outcome, _ = await asyncio.gather(chaos.run(patience=240), disturb())
    assert outcome.verdict.clean, f"seed {SEED}: {outcome.verdict}"
    assert outcome.lost == 0
    assert bot.lives == 1
    assert bot.child.running, "it did not have to be restarted"
    limited = [call for call in (await paged.look(paged.slack, "calls"))["calls"] if call.get("fault") == "ratelimited"]
    assert limited, "Slack did refuse"


async def test_a_bot_that_is_told_to_end_says_so_and_goes_on_after_its_restart(bots_database, open_paged):
    paged = await open_paged(bots_database, **APART)
    bot = paged.make_bot()
    await paged.subscribe(bot)
    await bot.start()
    await paged.order(paged.model, "script", marker="probe", always={"text": ANSWER})
    await paged.hang_model("probe")
    ts = await paged.say("@SRE Bot probe: what is wrong?")
    await paged.await_words(ts, "Look at the pool")

    assert await asyncio.wait_for(bot.terminate(), timeout=60) == 0
    assert "Traceback" not in bot.log()
    (reply,) = await paged.replies(ts)
    assert "I am being restarted" in reply["text"]
    assert "⏳" not in reply["text"]

    await paged.mend_model()
    await paged.report("Fault 1 while nobody listens")
    await bot.start()
    await paged.await_words(ts, "This ends it.")
    replies = await paged.replies(ts)
    assert len(replies) == 2
    assert "I was restarted while I worked on this" in replies[1]["text"]
    async with asyncio.timeout(60):
        while not await paged.cards():
            await asyncio.sleep(0.1)


async def test_a_bot_that_is_told_to_end_while_its_database_is_away_ends_all_the_same(own_postgres, open_paged):
    paged = await open_paged(own_postgres.create_database("bot"), **APART)
    bot = paged.make_bot()
    await paged.subscribe(bot)
    await bot.start()
    await paged.hang_model(ASKED_BY_ITSELF)
    for number in range(3):
        await paged.report(f"Fault {number}")
    async with asyncio.timeout(60):
        while not await paged.cards():
            await asyncio.sleep(0.1)
    await own_postgres.stop()
    # What hangs is cut off with a status that asks to be started again; orchestrators wait for 40 s.
    assert await asyncio.wait_for(bot.terminate(), timeout=80) in (0, 75), "it cuts itself off after 35 s"
    await own_postgres.resume()
