"""A bot that is killed again and again loses nothing, and shows nothing twice."""

import pytest

from sandbox.chaos import Chaos
from sandbox.paged import APART, SETTINGS

pytestmark = pytest.mark.timeout(300)

KILLS = 3


@pytest.mark.parametrize("seed", [5])
async def test_pages_that_come_twice_and_in_any_order_to_a_bot_that_is_killed_all_end_on_their_card(
    bots_database, open_paged, seed
):
    paged = await open_paged(bots_database, **APART)
    chaos = Chaos(paged, paged.make_bot(), seed=seed, incidents=6, kills=KILLS, seconds=10)
    outcome = await chaos.run(patience=240)
    assert outcome.verdict.clean, f"seed {seed}: {outcome.verdict}"
    assert outcome.deliveries == 30
    assert outcome.lost == 0, f"seed {seed}"
    assert outcome.kills == KILLS
    assert outcome.aimed > 0, f"seed {seed}: no kill came between Slack's taking a message and its answer"
    # A run whose answer was not recorded when its process died is run again, and so many run at once.
    assert outcome.verdict.asked_again <= KILLS * int(SETTINGS["SRE_MAX_RUNS"]), f"seed {seed}"
