"""Any JSON from PagerDuty: a result or a clear error, bounded, never a defect."""

import asyncio
import copy
import json
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from sandbox.pagerduty.account import BOT, SERVICES, Account
from sandbox.pagerduty.wire import write_alert, write_entry, write_incident, write_note
from sre_bot.clients.pagerduty import PagerDuty
from sre_bot.tools.pagerduty import PagerDutyIncidents
from sre_bot.tools.spec import HARD_LIMIT, Answer, Tool, specs_of
from tests.pagerduty.conftest import settings

SPECS = {spec.name: spec for spec in specs_of(PagerDutyIncidents)}
ORDINARY: dict[str, dict[str, Any]] = {
    "pagerduty_create_incident": {"title": "down"},
    "pagerduty_update_incident": {"incident": "1", "action": "resolve", "note": "x"},
    "pagerduty_get_incident": {"incident": "1"},
    "pagerduty_list_incidents": {},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def answers() -> dict[str, Any]:
    """One answer that has the items of every route."""
    account = Account()
    incident = account.report("down", next(iter(SERVICES.values())), "high", "k", "critical", {"a": 1}, ["x"], 5)
    account.add_note(incident, "looking", BOT)
    whole = write_incident(incident, with_trigger=True)
    return {
        "incident": whole,
        "incidents": [whole],
        "alerts": [write_alert(incident.alerts[0], incident)],
        "log_entries": [write_entry(entry, incident) for entry in incident.log],
        "notes": [write_note(note) for note in incident.notes],
        "note": write_note(incident.notes[0]),
        "more": False,
        "total": 1,
    }


ANSWERS = answers()


def places(node: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a JSON document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [here, *(place for key, value in inner for place in places(value, (*here, key)))]


def replaced(node: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    made = copy.copy(node)
    made[place[0]] = replaced(node[place[0]], place[1:], value)
    return made


async def call(name: str, arguments: dict[str, Any], answer: Any) -> Answer:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=json.dumps(answer)))
    pagerduty = PagerDuty(settings("http://pagerduty.test"), transport)
    try:
        return await Tool(SPECS[name], PagerDutyIncidents(pagerduty)).call(arguments)
    finally:
        await pagerduty.aclose()


def check(answer: Answer) -> None:
    assert answer.text.strip()
    assert len(answer.text) <= HARD_LIMIT
    assert "defect of the tool" not in answer.text
    answer.text.encode()


@pytest.mark.parametrize("name", list(SPECS))
def test_an_ordinary_call_succeeds_with_these_answers(name: str) -> None:
    assert not asyncio.run(call(name, ORDINARY[name], ANSWERS)).is_error


@pytest.mark.parametrize("name", list(SPECS))
@examples(max_examples=60)
@given(place=st.sampled_from(places(ANSWERS)), value=JSON)
def test_any_value_in_an_answer_gives_a_bounded_result_or_a_clear_error(
    name: str, place: tuple[Any, ...], value: Any
) -> None:
    check(asyncio.run(call(name, ORDINARY[name], replaced(ANSWERS, place, value))))
