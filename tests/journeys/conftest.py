"""The whole arrangement of the demo, once for all journeys: real bot, CLI, tool process, Prometheus and fleet."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.stack import Stack
from sandbox.surroundings import ADA


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    async with Stack(folder, approvers=(ADA,)) as running:
        yield running
        assert (await running.look(running.slack, "violations"))["violations"] == []
        assert (await running.look(running.slack, "pings"))["pings"] == []
        assert running.model
        assert (await running.look(running.model, "violations"))["violations"] == []
