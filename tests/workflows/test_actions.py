"""What a click on a card's button does, and what it answers; PagerDuty and Alertmanager are in their own rooms."""

import asyncio

import pytest

from sre_bot.errors import BadRequest, Unreachable
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import TurnEnd, TurnState
from sre_bot.incidents.paging import Case, Incident, Urgency
from sre_bot.workflows.actions import MOST, QUIET_FOR, Actions
from tests.incidents.pages import deliver, fold, only_case, page, resolution

from .wall import AskedOnly


class Phone:
    """A silencer that remembers who it silenced, and fails for some."""

    def __init__(self, *broken: str) -> None:
        self.silenced: list[tuple[str, float, str]] = []
        self._broken = broken

    async def silence(self, incident: Incident, seconds: float, person: str) -> None:
        if incident.key in self._broken:
            raise Unreachable("PagerDuty did not answer.")
        self.silenced.append((incident.key, seconds, person))


async def case_of(ledger: Ledger, *keys: str, posted: bool = True) -> Case:
    await deliver(ledger, *(page(key, number) for number, key in enumerate(keys)))
    await fold(ledger)
    case = await only_case(ledger, keys[0])
    if posted:
        await ledger.cases.posted(case.id, "C1", "1.0")
    return case


def actions(ledger: Ledger, desk: AskedOnly, phone: Phone | None = None) -> Actions:
    return Actions(ledger, desk, None, {"pd": phone} if phone else {}, "T1")


async def test_two_clicks_at_once_are_one_question_and_a_later_one_says_so(ledger: Ledger) -> None:
    case, desk = await case_of(ledger, "P1"), AskedOnly(ledger)
    clicked = actions(ledger, desk)
    await asyncio.gather(clicked.investigate(case.id, "Ada"), clicked.investigate(case.id, "Bob"))
    assert [urgency for _, urgency in desk.prompts] == [Urgency.HIGH]
    assert "looked into already" in await clicked.investigate(case.id, "Ada")
    assert len(desk.prompts) == 1


async def test_once_it_was_answered_a_click_asks_again(ledger: Ledger) -> None:
    case, desk = await case_of(ledger, "P1"), AskedOnly(ledger)
    clicked = actions(ledger, desk)
    await clicked.investigate(case.id, "Ada")
    (turn,) = await ledger.unfinished_turns()
    await ledger.end_turn(turn.id, TurnEnd(TurnState.FAILED))
    await clicked.investigate(case.id, "Bob")
    assert [text.split()[0] for text in desk.texts] == ["Ada", "Bob"]


async def test_a_card_that_nobody_sees_yet_has_no_thread_to_answer_in(ledger: Ledger) -> None:
    case, desk = await case_of(ledger, "P1", posted=False), AskedOnly(ledger)
    with pytest.raises(BadRequest, match="not posted yet"):
        await actions(ledger, desk).investigate(case.id, "Ada")
    assert desk.prompts == []


async def test_what_is_open_is_silenced_for_an_hour_and_what_is_over_is_left(ledger: Ledger) -> None:
    case, phone = await case_of(ledger, "P1", "P2"), Phone()
    clicked = actions(ledger, AskedOnly(ledger), phone)
    await deliver(ledger, resolution("P1", 60))
    await fold(ledger)
    assert await clicked.silence(case.id, "Ada") == "1 of 1 incidents silenced for an hour."
    assert phone.silenced == [("pd:P2", QUIET_FOR, "Ada")]
    await deliver(ledger, resolution("P2", 61))
    await fold(ledger)
    assert "Nothing is left" in await clicked.silence(case.id, "Ada")


async def test_of_several_the_answer_counts_those_that_failed_and_says_why(ledger: Ledger) -> None:
    case, phone = await case_of(ledger, "P1", "P2", "P3"), Phone("pd:P2")
    answer = await actions(ledger, AskedOnly(ledger), phone).silence(case.id, "Ada")
    assert answer == "2 of 3 incidents silenced for an hour. PagerDuty did not answer."


async def test_a_storm_is_not_called_out_one_by_one(ledger: Ledger) -> None:
    keys = [f"P{number}" for number in range(MOST + 5)]
    case, phone = await case_of(ledger, *keys), Phone()
    answer = await actions(ledger, AskedOnly(ledger), phone).silence(case.id, "Ada")
    assert answer.startswith(f"{MOST} of {MOST + 5} incidents")
    assert len(phone.silenced) == MOST


async def test_what_cannot_be_done_is_said(ledger: Ledger) -> None:
    case = await case_of(ledger, "P1")
    clicked = actions(ledger, AskedOnly(ledger))
    with pytest.raises(BadRequest, match="PAGERDUTY_API_KEY"):
        await clicked.acknowledge(case.id, "Ada")
    with pytest.raises(BadRequest, match="do not know this incident"):
        await clicked.silence(case.id + 1, "Ada")
