"""Ratings by a click: kept, counted for Prometheus, refused where they belong to no answer."""

from typing import cast
from uuid import uuid4

import pytest
from prometheus_client import generate_latest

from sre_bot.errors import BadRequest
from sre_bot.incidents.ledger import Ledger
from sre_bot.slack.sockets import Sockets
from sre_bot.vitals import vital_signs
from sre_bot.workflows.intake import Intake
from sre_bot.workflows.ratings import Ratings
from sre_bot.workflows.turns import Turns

PLACE = {"channel": "C1", "thread_ts": "1.0"}


class Quiet:
    """Turns, intake and sockets of a process in which nothing happens."""

    running = behind = alive = 0


async def ask(ledger: Ledger) -> str:
    thread = await ledger.thread("C1", "1.0", team="T1", started_by="U1")
    turn = await ledger.queue_turn(thread.id, turn_id=uuid4(), prompt_ts="1.0", author="U1", prompt="?")
    return str(turn.id)


async def test_a_rating_is_thanked_for_and_counted_once_for_each_opinion(ledger: Ledger) -> None:
    ratings, turn = Ratings(ledger.feedback), await ask(ledger)
    assert "helped" in await ratings.rate(turn, "U1", good=True, **PLACE)
    await ratings.rate(turn, "U1", good=True, **PLACE)
    assert "what was wrong" in await ratings.rate(turn, "U1", good=False, **PLACE)
    await ratings.rate(turn, "U2", good=True, **PLACE)
    quiet = Quiet()
    registry = vital_signs(cast(Turns, quiet), cast(Intake, quiet), cast(Sockets, quiet), ratings)
    shown = generate_latest(registry).decode()
    assert 'sre_bot_answer_ratings_total{rating="good"} 2.0' in shown
    assert 'sre_bot_answer_ratings_total{rating="bad"} 1.0' in shown


@pytest.mark.parametrize("turn", ["", "1", "not a number", str(uuid4())], ids=["empty", "short", "words", "unknown"])
async def test_a_button_that_belongs_to_no_answer_counts_for_nothing(ledger: Ledger, turn: str) -> None:
    ratings = Ratings(ledger.feedback)
    with pytest.raises(BadRequest):
        await ratings.rate(turn, "U1", good=True, **PLACE)
    assert sum(ratings.given.values()) == 0
