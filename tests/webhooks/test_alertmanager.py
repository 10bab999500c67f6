"""What Alertmanager sends: who may, which alerts are which incidents, and when it is told to try again."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from sre_bot.incidents.paging import Snapshot
from sre_bot.settings import WebhookSettings
from sre_bot.webhooks.alertmanager import LAPSE, AlertmanagerSource
from tests.webhooks.conftest import BEARER, TOKEN, Door, OpenDoor, ago, alert, body_of, group

BASIC = {"ALERTMANAGER_WEBHOOK_USERNAME": "am", "ALERTMANAGER_WEBHOOK_PASSWORD": "p:ss wörd"}


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def started(change_key: str) -> int:
    return int(change_key.rpartition(":")[2])


async def test_each_alert_of_a_group_is_a_change_of_its_own_incident(door: Door) -> None:
    start = ago(seconds=20)
    other = alert(fingerprint="beef", status="resolved", startsAt=start, endsAt=ago(seconds=1))
    assert (await door.notify(group(alert(), other))).said == {"status": "recorded"}
    first, second = door.changes()
    assert first.incident.startswith("am:c0ffee00c0ffee00:")
    assert second.incident == f"am:beef:{int(datetime.fromisoformat(start).timestamp())}"
    assert [first.kind, second.kind] == ["triggered", "resolved"]
    assert [each.snapshot.status for each in (first, second) if each.snapshot] == ["triggered", "resolved"]
    (row,) = door.recorded()
    assert (row["source"], row["kind"]) == ("alertmanager", "firing")


async def test_an_alert_is_read_with_all_that_its_card_needs(door: Door) -> None:
    await door.notify(group(alert()))
    (change,) = door.changes()
    assert isinstance(change.snapshot, Snapshot)
    assert change.snapshot.title == "api-server: 5xx above 5 %"
    assert (change.snapshot.service, change.snapshot.urgency) == ("api-server", "high")
    assert change.snapshot.url == "http://prometheus.example:9090/graph?g0.expr=up"
    assert change.snapshot.group_key == '{}:{service="api-server"}'
    assert change.snapshot.details == (
        "summary: api-server: 5xx above 5 %\nrunbook: elevated-error-rates\n"
        "labels: alertname=HighErrorRate, service=api-server, severity=critical"
    )


@pytest.mark.parametrize(
    ("severity", "urgency"), [("critical", "high"), ("PAGE", "high"), ("warning", "low"), (None, "low"), (7, "low")]
)
async def test_urgency_comes_from_the_severity(severity: Any, urgency: str, door: Door) -> None:
    await door.notify(group(alert(labels={"alertname": "X", "severity": severity})))
    assert [each.snapshot.urgency for each in door.changes() if each.snapshot] == [urgency]


async def test_the_rules_name_stands_in_for_a_summary(door: Door) -> None:
    await door.notify(group(alert(annotations={})))
    assert [each.snapshot.title for each in door.changes() if each.snapshot] == ["HighErrorRate"]


async def test_alerts_that_were_left_out_are_mentioned(door: Door) -> None:
    await door.notify(group(alert(), truncatedAlerts=12))
    assert [each.snapshot.details.splitlines()[0] for each in door.changes() if each.snapshot] == [
        "Alertmanager left out 12 more alerts of this group (max_alerts)."
    ]


async def test_a_notification_that_is_repeated_is_recorded_once_in_whatever_order(door: Door) -> None:
    one, two = alert(), alert(fingerprint="beef")
    period = LAPSE.total_seconds()
    if (left := period - time.time() % period) < 10:
        await asyncio.sleep(left)  # after it the same words are news
    answers = [await door.notify(group(one, two)), await door.notify(group(two, one))]
    assert [answer.said["status"] for answer in answers] == ["recorded", "repeated"]


async def test_another_receiver_group_or_state_is_another_notification(door: Door) -> None:
    gone = alert(status="resolved", endsAt=ago(seconds=1))
    for payload in (
        group(alert()),
        group(alert(), receiver="other"),
        group(alert(), groupKey="other"),
        group(gone),
        group(gone | {"endsAt": ago(seconds=9)}),
        group(alert(), alert(fingerprint="beef")),
    ):
        assert (await door.notify(payload)).said == {"status": "recorded"}


def test_an_alert_that_lapsed_and_fires_again_with_the_start_it_had_is_news() -> None:
    source = AlertmanagerSource(WebhookSettings.model_validate({"ALERTMANAGER_WEBHOOK_TOKEN": TOKEN}))
    begun = datetime.fromisoformat(ago(minutes=30))
    fires = alert(startsAt=begun.isoformat())
    lapses = fires | {"status": "resolved", "endsAt": (begun + timedelta(minutes=5)).isoformat()}
    told = [
        source.read(body_of(group(each)), begun + timedelta(minutes=minutes, seconds=10))
        for each, minutes in ((fires, 0), (fires, 0), (lapses, 6), (fires, 9))
    ]
    assert [each.key for each in told].count(told[0].key) == 2
    moments = [each.changes[0].occurred_at for each in told]
    assert moments == sorted(moments)
    assert moments[0] == begun
    assert len({each.changes[0].incident for each in told}) == 1


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        alert(fingerprint=None),
        alert(fingerprint="../x"),
        alert(status="suppressed"),
        alert(status=["firing"]),
        alert(startsAt=None),
        alert(startsAt=17),
        alert(startsAt="now"),
        alert(startsAt=ago(days=8)),
        alert(startsAt=ago(days=-2)),
        alert(status="resolved", endsAt=None),
        alert(status="resolved", endsAt="0001-01-01T00:00:00Z"),
        alert(status="resolved", endsAt=ago(days=900)),
    ],
)
async def test_an_alert_that_is_not_understood_or_no_news_leaves_the_others_alone(broken: Any, door: Door) -> None:
    assert (await door.notify(group(broken, alert(fingerprint="beef")))).status == 202
    assert [each.incident.split(":")[1] for each in door.changes()] == ["beef"]


async def test_a_long_outage_that_ends_is_news(door: Door) -> None:
    await door.notify(group(alert(status="resolved", startsAt=ago(days=30), endsAt=ago(minutes=1))))
    assert [each.kind for each in door.changes()] == ["resolved"]


async def test_nanoseconds_are_read(door: Door) -> None:
    await door.notify(group(alert(startsAt=ago(seconds=5).replace("Z", "456789Z"))))
    assert len(door.changes()) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff",
        b"{}",
        b"[" * 200_000,
        json.dumps(group(version="3")).encode(),
        json.dumps(group(version=4)).encode(),
        json.dumps(group() | {"alerts": None}).encode(),
        json.dumps(group() | {"alerts": {"0": alert()}}).encode(),
    ],
)
async def test_what_alertmanager_cannot_have_sent_is_refused_and_not_kept(
    body: bytes, door: Door, warnings: Callable[[], list[str]]
) -> None:
    answer = await door.notify(body)
    assert answer.status == 400
    assert answer.said["error"]
    assert door.recorded() == []
    assert "(400)" in warnings()[0]


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({"ALERTMANAGER_WEBHOOK_TOKEN": TOKEN}, BEARER, 202),
        ({"ALERTMANAGER_WEBHOOK_TOKEN": TOKEN}, {"Authorization": f"bearer  {TOKEN} "}, 202),
        ({"ALERTMANAGER_WEBHOOK_TOKEN": TOKEN}, {"Authorization": TOKEN}, 401),
        ({"ALERTMANAGER_WEBHOOK_TOKEN": TOKEN}, {"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"ALERTMANAGER_WEBHOOK_TOKEN": TOKEN}, {"Authorization": f"Basic {TOKEN}"}, 401),
        ({"ALERTMANAGER_WEBHOOK_TOKEN": TOKEN}, {}, 401),
        (BASIC, basic("am:p:ss wörd"), 202),
        (BASIC, basic("am:wrong"), 401),
        (BASIC, basic("other:p:ss wörd"), 401),
        (BASIC, basic(""), 401),
        (BASIC, {"Authorization": "Basic %%%"}, 401),
        (BASIC, {"Authorization": "Basic \N{SNOWMAN}"}, 401),
        (BASIC, {"Authorization": "Bearer am:p:ss"}, 401),
        (BASIC, {}, 401),
        (BASIC | {"ALERTMANAGER_WEBHOOK_TOKEN": TOKEN}, BEARER, 202),
        (BASIC | {"ALERTMANAGER_WEBHOOK_TOKEN": TOKEN}, basic("am:p:ss wörd"), 202),
        ({"PAGERDUTY_WEBHOOK_SECRET": "x"}, BEARER, 503),
        ({"PAGERDUTY_WEBHOOK_SECRET": "x"}, {}, 503),
    ],
)
async def test_only_who_knows_the_credentials_is_let_in(
    settings: dict[str, str], headers: dict[str, str], status: int, open_door: OpenDoor
) -> None:
    door = await open_door(**settings)
    answer = await door.notify(group(alert()), headers)
    assert answer.status == status
    assert len(door.recorded()) == (status == 202)
    if status == 503:
        assert "ALERTMANAGER_WEBHOOK_TOKEN" in answer.said["error"]


async def test_a_refusal_is_warned_of_with_what_to_compare(door: Door, warnings: Callable[[], list[str]]) -> None:
    await door.notify(group(alert()), {})
    assert "compare ALERTMANAGER_WEBHOOK_TOKEN" in warnings()[0]
    assert TOKEN not in warnings()[0]
