"""Replies under faults in every order: seeded, so that a failure can be run again."""

import asyncio

import pytest

from benchmarks.stories import LIFETIME, PACE, Room, tell

SEEDS = 30  # of each way to show a reply; `make bench ARGS=writer` tells 500
TOGETHER = 10


@pytest.mark.parametrize("mode", ["edit", "native"])
async def test_whatever_fails_in_whatever_order_the_thread_ends_with_every_word_once(slack, mode):
    await slack.order("clock", rate=10 * PACE)  # its limits are not met: only what a seed orders goes wrong
    await slack.order("streams", lifetime=LIFETIME)
    room = Room.open(slack, slack.url, slack.world, mode, PACE)
    for first in range(0, SEEDS, TOGETHER):
        seeds = range(first, min(first + TOGETHER, SEEDS))
        wrong = await asyncio.gather(*(tell(room, mode, seed) for seed in seeds))
        await slack.order("faults", clear=True)
        assert dict(zip(seeds, wrong, strict=True)) == dict.fromkeys(seeds, "")
