"""What PagerDuty sends is recorded as it came, and read as what it says; what is not understood changes nothing."""

import asyncio
import json
from itertools import count
from typing import Any

import pytest

from sre_bot.incidents.paging import IncidentStatus, Snapshot, Urgency
from sre_bot.webhooks.pagerduty import INCIDENT_EVENTS
from tests.webhooks.conftest import Door, ago, event, incident, sign

NOTE = {
    "id": "PWL7QXS",
    "type": "incident_note",
    "html_url": None,
    "incident": {"id": "PGR0VU2", "type": "incident_reference", "summary": "api-server: 5xx above 5 %"},
    "user": {"id": "PTUXL6G", "type": "user_reference", "summary": "Ada Lovelace"},
    "content": "looking",
    "trimmed": False,
}
LONG = "x" * 10_000


async def test_an_event_is_on_disk_as_it_came_before_it_is_accepted(door: Door) -> None:
    body = json.dumps(event(), indent=1).encode()
    answer = await door.page(body)
    assert (answer.status, answer.said) == (202, {"status": "recorded"})
    (row,) = door.recorded()
    assert (row["key"], row["source"], row["kind"]) == (
        "pd:01BX0000000000000000000001",
        "pagerduty",
        "incident.triggered",
    )
    assert row["body"].encode() == body
    assert row["folded_at"] is None
    assert door.rung == [1]


async def test_an_incident_is_read_with_all_that_its_card_needs(door: Door) -> None:
    await door.page(event())
    (change,) = door.changes()
    assert (change.incident, change.kind) == ("pd:PGR0VU2", "triggered")
    assert change.snapshot == Snapshot(
        title="api-server: 5xx above 5 %",
        status=IncidentStatus.TRIGGERED,
        urgency=Urgency.HIGH,
        service="api-server",
        priority="P1",
        url="https://acme.pagerduty.com/incidents/PGR0VU2",
        group_key="d3640fbd41094207a1c11e58e46b1662",
        assignees=("Ada Lovelace",),
    )


@pytest.mark.parametrize("kind", sorted(INCIDENT_EVENTS))
async def test_every_event_of_an_incident_is_a_change_of_it(kind: str, door: Door) -> None:
    assert (await door.page(event(kind))).status == 202
    (change,) = door.changes()
    assert (change.incident, change.kind) == ("pd:PGR0VU2", kind.removeprefix("incident."))


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("incident.annotated", "incident_note"),
        ("incident.responder.added", "incident_responder"),
        ("incident.responder.replied", "incident_responder"),
        ("incident.status_update_published", "incident_status_update"),
    ],
)
async def test_what_only_refers_to_an_incident_names_it_and_not_itself(kind: str, type_: str, door: Door) -> None:
    await door.page(event(kind, NOTE | {"type": type_}))
    (change,) = door.changes()
    assert (change.incident, change.snapshot, change.title) == ("pd:PGR0VU2", None, "api-server: 5xx above 5 %")


@pytest.mark.parametrize("status", ["triggered", "acknowledged", "resolved"])
@pytest.mark.parametrize("urgency", ["high", "low"])
async def test_status_and_urgency_are_those_of_the_incident(status: str, urgency: str, door: Door) -> None:
    await door.page(event(data=incident(status=status, urgency=urgency)))
    assert [(each.snapshot.status, each.snapshot.urgency) for each in door.changes() if each.snapshot] == [
        (status, urgency)
    ]


async def test_a_repeated_event_is_accepted_and_recorded_once(door: Door) -> None:
    first, second = await door.page(event()), await door.page(event())
    assert [first.said, second.said] == [{"status": "recorded"}, {"status": "repeated"}]
    assert second.status == 202
    assert len(door.recorded()) == 1


async def test_repetitions_at_the_same_time_are_recorded_once(door: Door) -> None:
    answers = await asyncio.gather(*(door.page(event()) for _ in range(20)))
    assert {answer.status for answer in answers} == {202}
    assert [answer.said["status"] for answer in answers].count("recorded") == 1
    assert len(door.recorded()) == 1


UNKNOWN = [
    event("pagey.ping", {"type": "ping", "message": "Hello from your friend Pagey!"}),
    event("incident.conference_bridge.updated"),
    event("service.created", {"id": "PF9KMXH", "type": "service"}),
    event(kind=LONG),
    event(kind="incident.triggered", data=[]),
    event(kind="incident.triggered", data=incident(status="merged")),
    event(kind="incident.triggered", data=incident(status=None)),
    event(kind="incident.triggered", data=incident(status={"triggered": True})),
    event(kind="incident.triggered", data=incident(id=7)),
    event(kind="incident.triggered", data=incident(id="../../x")),
    event(kind="incident.triggered", data=incident(id=LONG)),
    event(kind="incident.triggered", data=incident(type="incident_reference")),
    event("incident.annotated", NOTE | {"incident": None}),
    event("incident.annotated", NOTE | {"incident": {"id": ["P1"]}}),
    event(event_type=None),
    event(event_type=["incident.triggered"]),
]


@pytest.mark.parametrize("payload", UNKNOWN)
async def test_what_is_not_understood_is_recorded_and_changes_nothing(payload: Any, door: Door) -> None:
    assert (await door.page(payload)).said == {"status": "recorded"}
    assert len(door.recorded()) == 1
    assert door.changes() == []


@pytest.mark.parametrize(
    ("occurred_at", "changes"),
    [
        (ago(days=6), 1),
        (ago(days=8), 0),
        (ago(days=3_650), 0),
        (ago(hours=-23), 1),
        (ago(hours=-48), 0),
        ("9999-12-31T23:59:59-14:00", 0),
        ("0001-01-01T00:00:00+14:00", 0),
        ("2026-13-45T99:99:99Z", 0),
        ("yesterday", 0),
        (1_700_000_000, 0),
        (10**300, 0),
        (None, 0),
        ("\ud800" * 20, 0),
    ],
    ids=count(),  # two processes must find the same names, and the time is not the same
)
async def test_what_is_years_old_or_of_the_future_is_recorded_and_no_news(
    occurred_at: Any, changes: int, door: Door
) -> None:
    assert (await door.page(event(occurred_at=occurred_at))).status == 202
    assert [row["kind"] for row in door.recorded()] == ["incident.triggered"]
    assert len(door.changes()) == changes


async def test_a_replay_after_years_is_a_repetition(door: Door) -> None:
    body = json.dumps(event(occurred_at=ago(days=900))).encode()
    headers = sign(body)
    assert [(await door.page(body, headers)).said["status"] for _ in range(2)] == ["recorded", "repeated"]
    assert door.changes() == []


async def test_texts_are_bounded_and_storable(door: Door) -> None:
    odd = "a\x00b\ud800c\nd\x1b[31m"
    data = incident(
        title=odd + LONG,
        service={"summary": odd},
        priority={"summary": LONG},
        html_url="javascript:alert(1)",
        assignees=[{"summary": odd}, None, {"summary": LONG}, *({"summary": str(n)} for n in range(100))],
    )
    await door.page(event(data=data))
    (change,) = door.changes()
    assert change.snapshot
    assert change.snapshot.title.startswith("a b?c d [31m")
    assert len(change.snapshot.title) == 300
    assert change.snapshot.service == "a b?c d [31m"
    assert len(change.snapshot.priority) == 200
    assert change.snapshot.url == ""
    assert len(change.snapshot.assignees) == 19
    assert "\x00" not in door.recorded()[0]["body"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"event": 1}',
        b'{"event": {"event_type": "incident.triggered"}}',
        b'{"event": {"id": ""}}',
        b'{"event": {"id": 17}}',
        b'{"event": {"id": "a b"}}',
        json.dumps({"event": {"id": LONG}}).encode(),
        b"\xff\xfe\x00\xd8",
        b"[" * 200_000,
        b'{"event":' * 100_000,
        b'{"event": {"id": "deep", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"n": ' + b"9" * 100_000 + b"}",
    ],
)
async def test_what_is_signed_and_no_event_is_kept_and_disables_nothing(body: bytes, door: Door) -> None:
    assert [(await door.page(body)).status for _ in range(2)] == [202, 202]
    (row,) = door.recorded()
    assert row["kind"] == "unreadable"
    assert row["key"].startswith("pd:sha256:")
    assert door.changes() == []
    assert await door.metric(
        'sre_bot_webhook_deliveries_total{kind="unreadable",outcome="recorded",source="pagerduty"}'
    )


async def test_absurd_numbers_are_read_over(door: Door) -> None:
    body = json.dumps(event()).replace('"number": 2', '"number": 1e999999, "x": NaN, "y": -Infinity').encode()
    assert (await door.page(body)).status == 202
    assert len(door.changes()) == 1
