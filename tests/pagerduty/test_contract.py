"""The client and the stand-in against PagerDuty's own description of its API, and the table of failures."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from sre_bot.clients.pagerduty import OPEN, PagerDuty
from sre_bot.errors import BackendError, RateLimited, Refused, TooLarge, Unreachable
from tests.pagerduty.conftest import Sandbox, settings
from tests.pagerduty.description import Description


async def test_every_request_and_every_answer_is_as_pagerduty_describes_it(
    description: Description, sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    await sandbox.report(details={"figure": "12 %"}, links=["https://grafana.example/d/1"], age=60)
    made = (await pagerduty.create_incident("key-1", "api-server is down", "high", "details")).incident
    await pagerduty.create_incident("key-1", "api-server is down", "low", "")
    await pagerduty.list_incidents(("resolved", *OPEN), urgency="high", since=made.created - 3600, limit=1, offset=1)
    await pagerduty.find_incident(f"#{made.number}")
    await pagerduty.set_status(made.id, "acknowledged")
    await pagerduty.add_note(made.id, "looking")
    for incident in (await pagerduty.list_incidents(OPEN)).items:
        await pagerduty.list_alerts(incident.id)
        await pagerduty.list_log(incident.id)
        await pagerduty.list_notes(incident.id)
    await pagerduty.set_status(made.id, "resolved")
    with pytest.raises(Refused):
        await pagerduty.find_incident("PNONE")
    calls = await sandbox.calls()
    assert {(call["method"], call["status"]) for call in calls} >= {
        ("GET", 200), ("POST", 201), ("POST", 400), ("PUT", 200), ("POST", 200), ("GET", 404),
    }  # fmt: skip
    assert [finding for call in calls for finding in description.judge(call)] == []


async def test_the_judge_finds_fault_with_a_wrong_request_and_a_wrong_answer(
    description: Description, sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    await pagerduty.create_incident("key-1", "api-server is down", "high", "")
    (call,) = await sandbox.calls()
    incident = call["body"]["incident"]
    wrong = [
        call | {"headers": {}},
        call | {"query": [["sort", "x"]]},
        call | {"path": "/services"},
        call | {"status": 204},
        call | {"body": {"incident": incident | {"urgency": "medium"}}},
        call | {"body": {"incident": {"type": "incident", "title": "x"}}},
        call | {"answer": {"incident": call["answer"]["incident"] | {"status": "open"}}},
        call | {"answer": {"incident": call["answer"]["incident"] | {"created_at": "yesterday"}}},
        call | {"answer": {}},
    ]
    assert [description.judge(each) != [] for each in wrong] == [True] * len(wrong)


def test_the_corrections_make_the_descriptions_own_examples_valid_which_they_are_not_without(
    description: Description,
) -> None:
    assert [findings for _, findings in description.examples() if findings] == []
    assert [findings for _, findings in Description(corrected=False).examples() if findings]


TABLE = [
    (400, {"message": "Invalid Input Provided", "errors": ["Urgency is odd"]}, Refused, "Urgency is odd. Nothing was"),
    (400, {"message": "Requester User Not Found"}, Refused, "PAGERDUTY_FROM_EMAIL"),
    (401, {}, Refused, "check PAGERDUTY_API_KEY"),
    (402, {}, Refused, "The account's plan does not include this"),
    (403, {}, Refused, "may be read-only"),
    (404, {"path": "/alerts"}, Refused, "no such incident"),
    (404, {"path": "/incidents"}, Refused, "PAGERDUTY_API_URL and PAGERDUTY_SERVICE_ID"),
    (409, {}, Refused, "Read it again, then decide"),
    (413, {}, Refused, "Send a shorter text"),
    (429, {"retry_after": 99}, RateLimited, "try again in 99 s"),
    (429, {"reset": 41}, RateLimited, "try again in 41 s"),
    (429, {}, RateLimited, "try again in a minute"),
    (500, {"message": "Internal Server Error"}, Refused, "Internal Server Error. The fault is PagerDuty's."),
    (503, {"kind": "html"}, Refused, "PagerDuty answered 503: Bad Gateway. The fault is PagerDuty's."),
    (200, {"kind": "html"}, Refused, "not JSON: Bad Gateway. Check that PAGERDUTY_API_URL"),
    (200, {"kind": "half_json"}, Refused, "not JSON"),
    (200, {"kind": "nothing"}, Refused, "not JSON: no explanation. Check that PAGERDUTY_API_URL"),
    (200, {"kind": "half"}, Unreachable, "UNREACHABLE: PagerDuty at http://127.0.0.1"),
    (200, {"kind": "drop_before"}, Unreachable, "Its state is unknown"),
]


@pytest.mark.parametrize(("status", "fault", "error", "words"), TABLE)
async def test_each_failure_of_a_read_is_told_with_what_to_do(
    status: int, fault: dict[str, Any], error: type[BackendError], words: str, lenient_sandbox: Sandbox
) -> None:
    identity, _ = await lenient_sandbox.report()
    order: dict[str, Any] = {"kind": "status", "status": status} | fault
    await lenient_sandbox.fault(**order)
    client = PagerDuty(settings(lenient_sandbox.url))
    read = client.list_alerts(identity) if fault.get("path") == "/alerts" else client.list_incidents(OPEN)
    with pytest.raises(error) as caught:
        await read
    await client.aclose()
    assert words in str(caught.value)
    assert "pd-sandbox-key" not in str(caught.value)
    if isinstance(caught.value, Refused):
        assert caught.value.status == status


@pytest.mark.parametrize(
    "body", ["[]", "{}", "null", '{"incidents": [{}]}', '{"incidents": {"a": 1}}', '{"incidents": 3}']
)
async def test_json_of_another_shape_is_told_and_no_crash(body: str) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=body))
    with pytest.raises(Refused, match="shape that is not its API"):
        await PagerDuty(settings("http://pagerduty.test"), transport).list_incidents(OPEN)


async def test_an_answer_beyond_all_measure_is_given_up() -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=b" " * (5 << 20)))
    with pytest.raises(TooLarge):
        await PagerDuty(settings("http://pagerduty.test"), transport).list_incidents(OPEN)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"PAGERDUTY_API_KEY": "wrong"}, "check PAGERDUTY_API_KEY"),
        ({"PAGERDUTY_API_KEY": "pd-sandbox-read-only-key"}, "PAGERDUTY_API_KEY may be read-only"),
        ({"PAGERDUTY_FROM_EMAIL": "nobody@example.com"}, "set PAGERDUTY_FROM_EMAIL"),
        ({"PAGERDUTY_SERVICE_ID": "PNONE"}, "PAGERDUTY_SERVICE_ID"),
    ],
)
async def test_a_wrong_setting_is_named_by_what_pagerduty_says_of_it(
    setting: dict[str, str], words: str, connect: Callable[..., PagerDuty], sandbox: Sandbox
) -> None:
    with pytest.raises(Refused, match=words):
        await connect(**setting).create_incident("key", "title", "high", "")
    assert await sandbox.incidents() == []
