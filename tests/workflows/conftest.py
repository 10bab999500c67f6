"""Turns on a real ledger and the real CLI; people are a room that remembers."""

from collections.abc import Callable
from typing import Any

import pytest

from sre_bot.agent.pool import SessionPool
from sre_bot.incidents.ledger import Ledger
from sre_bot.workflows.circumstances import Circumstances
from sre_bot.workflows.turns import Turns
from tests.light_tools import SERVER

from .room import Room


@pytest.fixture
def tool_server() -> dict[str, Any]:
    return SERVER


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def make_turns(ledger: Ledger, make_pool: Callable[..., SessionPool], room: Room) -> Callable[..., Turns]:
    """Makes turns on one ledger; those of a second call are another life of the process."""
    return lambda concurrent=5, **settings: Turns(
        ledger, make_pool(**settings), room, Circumstances(concurrent=concurrent)
    )
