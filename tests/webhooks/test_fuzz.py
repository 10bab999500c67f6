"""Any JSON and any bytes by whoever knows the secret: a clear status, and never a change that is not there."""

import copy
import json
from typing import Any

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre_bot.webhooks import Limits
from sre_bot.webhooks.pagerduty import INCIDENT_EVENTS
from tests.webhooks.conftest import Door, OpenDoor, alert, event, group, incident

WORDS = ["incident", "triggered", "resolved", "firing", "4", "2026-01-01", "0001-01-01T00:00:00Z", "\ud800\x00"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(
        ["incident", "triggered", "resolved", "firing", "2026-01-01", "0001-01-01T00:00:00Z", "\ud800\x00"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NOTE = {"type": "incident_note", "id": "PN1", "incident": {"id": "PGR0VU2", "summary": "down"}, "content": "looking"}
EVENTS = [event(kind) for kind in sorted(INCIDENT_EVENTS)] + [event("incident.annotated", NOTE), event("pagey.ping")]
GROUPS = [group(alert()), group(alert(), alert(fingerprint="beef", status="resolved", endsAt=incident()["created_at"]))]

fuzz = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def places(node: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a JSON document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [here, *(place for key, value in inner for place in places(value, (*here, key)))]


@st.composite
def broken(draw: st.DrawFn, ordinary: list[dict[str, Any]]) -> Any:
    """An ordinary payload with up to three values replaced by anything, or taken away."""
    payload: Any = copy.deepcopy(draw(st.sampled_from(ordinary)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(payload)))
        if not place:
            return draw(JSON)
        outer = payload
        for key in place[:-1]:
            outer = outer[key]
        if draw(st.booleans()):
            outer[place[-1]] = draw(JSON)
        else:
            del outer[place[-1]]
    return payload


def dig(node: Any, *path: str) -> Any:
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def latest_changes(door: Door) -> list[dict[str, Any]]:
    return list(json.loads(door.recorded()[-1]["changes"]))


@pytest_asyncio.fixture
async def door(open_door: OpenDoor) -> Door:
    return await open_door(limits=Limits(burst=100_000, per_second=100_000))


@fuzz
@given(payload=broken(EVENTS))
async def test_any_event_of_pagerduty_is_accepted_and_changes_only_what_it_names(door: Door, payload: Any) -> None:
    before = len(door.recorded())
    answer = await door.page(payload)
    assert answer.status == 202, answer.text
    if answer.said["status"] == "repeated":
        assert len(door.recorded()) == before
        return
    changes = latest_changes(door)
    data = dig(payload, "event", "data")
    named = dig(data, "id") if dig(data, "type") == "incident" else dig(data, "incident", "id")
    for change in changes:
        assert dig(payload, "event", "event_type") in INCIDENT_EVENTS
        assert change["incident"] == f"pd:{named}"
        assert change["snapshot"] is None or change["snapshot"]["status"] == dig(data, "status")
    assert len(changes) <= 1


@fuzz
@given(payload=broken(GROUPS))
async def test_any_notification_of_alertmanager_changes_only_what_it_names(door: Door, payload: Any) -> None:
    before = len(door.recorded())
    answer = await door.notify(payload)
    assert answer.status in (202, 400), answer.text
    if answer.status == 400 or answer.said["status"] == "repeated":
        assert len(door.recorded()) == before
        return
    alerts = [each for each in dig(payload, "alerts") if isinstance(each, dict)]
    named = [(each.get("fingerprint"), each.get("status")) for each in alerts]
    words = {"triggered": "firing", "resolved": "resolved"}
    for change in latest_changes(door):
        assert (change["incident"].split(":")[1], words[change["kind"]]) in named


@fuzz
@given(body=st.binary(max_size=200) | st.text(max_size=50).map(lambda text: json.dumps(text).encode()))
async def test_any_bytes_are_answered_clearly_and_change_nothing(door: Door, body: bytes) -> None:
    assert (await door.page(body)).status == 202
    assert (await door.page(body, {})).status == 401
    assert (await door.notify(body)).status == 400
    assert (await door.notify(body, {})).status == 401
    assert door.changes() == []
