"""A ledger on a database of its own, SQLite and PostgreSQL in turn.

Another process is simulated by another ledger on the same database, or is a real one.
"""

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from sre_bot.incidents import Ledger, Thread, Turn

OpenLedger = Callable[..., Awaitable[Ledger]]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_connection_is_left_behind() -> Iterator[None]:
    """Each connection to SQLite is a thread: one that outlives its event loop ends in a traceback on the terminal."""
    yield
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(timeout=60)
            assert not thread.is_alive()


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest.fixture
async def open_ledger() -> AsyncIterator[OpenLedger]:
    """Open ledgers that are closed when the test ends."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str, *, busy_timeout: float = 5.0) -> Ledger:
            ledger = await Ledger.open(url, busy_timeout=busy_timeout)
            stack.push_async_callback(ledger.close)
            return ledger

        yield open_one


@pytest.fixture
async def ledger(url: str, open_ledger: OpenLedger) -> Ledger:
    return await open_ledger(url)


@pytest.fixture
async def thread(ledger: Ledger) -> Thread:
    return await ledger.thread("C1", "1700000000.000100", team="T1", started_by="U1")


@pytest.fixture
async def turn(ledger: Ledger, thread: Thread) -> Turn:
    return await ledger.queue_turn(
        thread.id, turn_id=uuid4(), prompt_ts="1700000000.000100", author="U1", prompt="500s on api-server"
    )


def start_python(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start another process of the product, which can wait for a line on its input."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
