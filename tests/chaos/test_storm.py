"""Two hundred pages of one fault are one card, one thread and a handful of questions."""

import pytest

from sandbox.screen import questions
from sandbox.storm import PAGES, run_storm

pytestmark = pytest.mark.timeout(300)

HANDFUL = 5
SECONDS = 20.0  # over which the pages come
BEHIND = 60.0  # seconds after the last page within which the card is right, on a busy machine


async def test_two_hundred_pages_of_one_fault_are_one_card(bots_database, open_paged):
    paged = await open_paged(bots_database)
    bot = paged.make_bot()
    await paged.subscribe(bot, shuffle=20, seed=3)
    await bot.start()
    course = await run_storm(paged, patience=240, seconds=SECONDS)
    assert course.complete < SECONDS + BEHIND
    (card,) = await paged.cards()
    assert f"×{PAGES}" in card["notification"]  # noqa: RUF001
    assert f"*{PAGES} of {PAGES} pages still open*" in card["text"]
    asked = questions(await paged.replies(card["ts"]))
    assert 1 <= len(asked) <= HANDFUL
    assert not any("⏳" in message["text"] for message in await paged.replies(card["ts"]))
