"""Two bots on one PostgreSQL: what one of them leaves when it dies, the other one does."""

import asyncio
import time

import pytest

from sandbox.chaos import Chaos
from sandbox.paged import APART

pytestmark = pytest.mark.timeout(300)

ANSWER = "Look at the pool of connections first: it is too small. Raise DB_POOL_SIZE and redeploy. This ends it."
SEED = 11
PICKED_UP_WITHIN = 60.0  # seconds
ANSWERED_WITHIN = 90.0  # seconds; eight investigations that begin anew at the same time


async def test_two_bots_start_at_once_on_an_empty_database_and_one_goes_on_when_the_other_dies(
    empty_postgres_url, open_paged
):
    paged = await open_paged(empty_postgres_url, **APART)
    first, second = paged.make_bot("first"), paged.make_bot("second")
    await asyncio.gather(first.start(), second.start())
    assert first.lives == second.lives == 1

    chaos = Chaos(paged, first, seed=SEED, incidents=8, kills=0, seconds=6)
    await paged.subscribe(first, duplicates=1, shuffle=10, seed=SEED)
    telling = asyncio.create_task(chaos.tell())
    async with asyncio.timeout(60):
        while len(await paged.cards()) < 4:
            await asyncio.sleep(0.1)
    await chaos.aim()
    await first.kill()
    killed = time.monotonic()
    await paged.deliver_to(second)
    await telling
    verdict = await chaos.await_settled(killed + PICKED_UP_WITHIN + ANSWERED_WITHIN)
    assert verdict.clean, f"seed {SEED}: {verdict}"


async def test_a_mention_in_flight_is_answered_by_the_other_bot(empty_postgres_url, open_paged):
    paged = await open_paged(empty_postgres_url, **APART)
    first, second = paged.make_bot("first"), paged.make_bot("second")
    await first.start()
    await paged.order(paged.model, "script", marker="probe", always={"text": ANSWER})
    await paged.hang_model("probe")
    ts = await paged.say("@SRE Bot probe: what is wrong?")
    await paged.await_words(ts, "Look at the pool")
    await second.start()
    await first.kill()
    await paged.mend_model()
    await paged.await_words(ts, "This ends it.", patience=PICKED_UP_WITHIN)
    async with asyncio.timeout(60):  # its last words are shown before its end
        while "⏳" in str(replies := await paged.replies(ts)):
            await asyncio.sleep(0.1)
    assert len(replies) == 2
    assert "I go on below" in replies[0]["text"]
