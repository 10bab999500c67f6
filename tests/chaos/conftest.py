"""Real bots on real databases, paged by the PagerDuty stand-in; whatever a test did to them, Slack was used with care.

A test asks for its database before `open_paged`, so that the bots end before it is gone.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.paged import Paged

OpenPaged = Callable[..., Awaitable[Paged]]


@pytest_asyncio.fixture
async def open_paged(tmp_path: Path) -> AsyncIterator[OpenPaged]:
    async with AsyncExitStack() as stack:
        opened: list[Paged] = []

        async def open_it(database_url: str, *, clock_rate: float = 10.0, **settings: str) -> Paged:
            paged = await stack.enter_async_context(
                Paged(tmp_path, database_url, clock_rate=clock_rate, settings=settings)
            )
            opened.append(paged)
            return paged

        yield open_it
        for paged in opened:
            assert (await paged.look(paged.slack, "violations"))["violations"] == []
            assert (await paged.look(paged.slack, "pings"))["pings"] == [], "a bot notified somebody"
            assert (await paged.look(paged.model, "violations"))["violations"] == []
            assert (await paged.look(paged.pagerduty, "violations"))["violations"] == []


@pytest.fixture(params=["sqlite", "postgresql"])
def bots_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it, on each of the two."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("empty_postgres_url"))
    return f"sqlite:///{tmp_path / 'sre_bot.db'}"
