"""The parts of the demo that fail while it starts: one sentence, whatever else broke by it."""

from pathlib import Path

import aiohttp
import pytest

from sandbox.processes import NotReady
from sandbox.stack import Stack


class Failing(Stack):
    """Two of its parts fail at the same time."""

    slack_says: Exception = NotReady("slack ended: no space left")

    async def _start_metrics(self) -> None:
        raise aiohttp.ServerDisconnectedError

    async def _start_slack(self, *arguments: str) -> None:
        raise self.slack_says

    async def _start_model(self) -> None:
        raise ConnectionResetError("the peer is gone")


async def test_what_a_part_wrote_is_told_before_the_connections_that_broke_by_it(tmp_path: Path):
    with pytest.raises(NotReady, match=r"^slack ended: no space left$"):
        await Failing(tmp_path).__aenter__()


async def test_a_part_that_only_hung_up_is_told_in_words_too(tmp_path: Path):
    stack = Failing(tmp_path, real_model={})
    stack.slack_says = aiohttp.ServerDisconnectedError()
    with pytest.raises(NotReady, match="a part ended while it was asked something"):
        await stack.__aenter__()
