"""What people thought of answers: one opinion each, the last one; kept as long as the answer, and exported with it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from sre_bot.errors import BadRequest
from sre_bot.incidents import Ledger, Thread, Turn, TurnEnd, TurnState
from sre_bot.incidents.export import export_incident
from sre_bot.incidents.model import Rating

from .conftest import OpenLedger

GOOD, BAD = Rating.GOOD, Rating.BAD


async def ratings(url: str, thread: Thread) -> list[tuple[str, str]]:
    record = await export_incident(url, f"{thread.channel}/{thread.thread_ts}")
    assert record
    return sorted((each["person"], each["rating"]) for each in record["feedback"])


async def test_who_changes_their_mind_has_one_opinion_and_others_have_theirs(
    ledger: Ledger, url: str, thread: Thread, turn: Turn
) -> None:
    place = {"channel": thread.channel, "thread_ts": thread.thread_ts}
    assert await ledger.feedback.rate(turn.id, "U1", GOOD, **place) is None
    assert await ledger.feedback.rate(turn.id, "U1", BAD, **place) is GOOD
    assert await ledger.feedback.rate(turn.id, "U1", BAD, **place) is BAD
    assert await ledger.feedback.rate(turn.id, "U2", GOOD, **place) is None
    assert await ratings(url, thread) == [("U1", "bad"), ("U2", "good")]


async def test_clicks_at_the_same_moment_on_two_replicas_leave_one_opinion(
    ledger: Ledger, url: str, thread: Thread, turn: Turn, open_ledger: OpenLedger
) -> None:
    place = {"channel": thread.channel, "thread_ts": thread.thread_ts}
    other = await open_ledger(url)
    clicks = [each.feedback.rate(turn.id, "U1", rating, **place) for each in (ledger, other) for rating in (GOOD, BAD)]
    await asyncio.gather(*clicks)
    assert len(await ratings(url, thread)) == 1


@pytest.mark.parametrize(("channel", "thread_ts"), [("C2", "1700000000.000100"), ("C1", "9.9")])
async def test_a_rating_from_another_thread_is_not_taken(
    ledger: Ledger, url: str, thread: Thread, turn: Turn, channel: str, thread_ts: str
) -> None:
    with pytest.raises(BadRequest, match="do not know this answer"):
        await ledger.feedback.rate(turn.id, "U1", GOOD, channel=channel, thread_ts=thread_ts)
    assert await ratings(url, thread) == []


async def test_a_rating_of_a_turn_that_nobody_knows_is_not_taken(ledger: Ledger, thread: Thread, turn: Turn) -> None:
    with pytest.raises(BadRequest, match="do not know this answer"):
        await ledger.feedback.rate(uuid4(), "U1", GOOD, channel=thread.channel, thread_ts=thread.thread_ts)


async def test_ratings_go_with_the_answers_that_they_are_about(ledger: Ledger, thread: Thread, turn: Turn) -> None:
    place = {"channel": thread.channel, "thread_ts": thread.thread_ts}
    await ledger.feedback.rate(turn.id, "U1", GOOD, **place)
    await ledger.start_turn(turn.id)
    await ledger.end_turn(turn.id, TurnEnd(TurnState.ANSWERED, answer="The pool."))
    assert (await ledger.prune(datetime.now(UTC) + timedelta(days=1))).turns == 1
    with pytest.raises(BadRequest):
        await ledger.feedback.rate(turn.id, "U1", BAD, **place)
