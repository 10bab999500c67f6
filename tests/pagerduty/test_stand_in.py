"""The stand-in refuses what the service refuses, notes what is careless, and tells watchers of every change."""

import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sandbox.pagerduty.account import ADA, SERVICES, Account
from sandbox.processes import Child
from sre_bot.settings import ROOT
from tests.pagerduty.conftest import Sandbox

HEADERS = {
    "Authorization": "Token token=pd-sandbox-key",
    "Accept": "application/vnd.pagerduty+json;version=2",
    "Content-Type": "application/json",
    "From": "sre-bot@example.com",
}
INCIDENT: dict[str, Any] = {
    "type": "incident",
    "title": "down",
    "service": {"id": "PSRVAPI", "type": "service_reference"},
}
WITH_BODY = {"json": {"incident": INCIDENT}}


def without(*names: str) -> dict[str, Any]:
    return {"headers": {name: value for name, value in HEADERS.items() if name not in names}}


def header(name: str, value: str) -> dict[str, Any]:
    return {"headers": HEADERS | {name: value}}


def incident(**fields: Any) -> dict[str, Any]:
    return {"json": {"incident": INCIDENT | fields}}


REFUSED = [
    ("GET", "/incidents", without("Authorization"), 401, True),
    ("GET", "/incidents", header("Authorization", "Bearer pd-sandbox-key"), 401, True),
    ("GET", "/incidents", header("Authorization", "Token token=other"), 401, False),
    ("GET", "/incidents", header("Accept", "application/json"), 406, True),
    ("GET", "/incidents", without("Content-Type"), 400, True),
    ("GET", "/incidents?limit=101", {}, 400, True),
    ("GET", "/incidents?limit=many", {}, 400, True),
    ("GET", "/incidents?limit=100&offset=9901", {}, 400, True),
    ("GET", "/incidents?status=open", {}, 400, True),
    ("GET", "/incidents?statuses[]=open", {}, 400, True),
    ("GET", "/incidents?statuses[]=resolved&statuses[]=resolved", {}, 400, True),
    ("GET", "/incidents?urgencies[]=medium", {}, 400, True),
    ("GET", "/incidents?sort_by=title", {}, 400, True),
    ("GET", "/incidents?since=yesterday", {}, 400, True),
    ("GET", "/incidents?since=2020-01-01T00:00:00Z&until=2021-01-01T00:00:00Z", {}, 400, True),
    ("GET", "/incidents?date_range=all&since=2020-01-01T00:00:00Z", {}, 400, True),
    ("GET", "/incidents?total=yes", {}, 400, True),
    ("GET", "/incidents/PNONE", {}, 404, False),
    ("GET", "/incidents/1", {}, 404, True),
    ("GET", "/incidents/{id}?include[]=everything", {}, 400, True),
    ("GET", "/incidents/{id}/alerts?sort_by=title", {}, 400, True),
    ("GET", "/incidents/{id}/notes?limit=5", {}, 400, True),
    ("GET", "/incidents/{id}/secrets", {}, 404, True),
    ("DELETE", "/incidents/{id}", {}, 404, True),
    ("GET", "/services", {}, 404, True),
    ("POST", "/incidents", WITH_BODY | without("From"), 400, True),
    ("POST", "/incidents", WITH_BODY | header("From", "nobody@example.com"), 400, False),
    ("POST", "/incidents", WITH_BODY | header("Authorization", "Token token=pd-sandbox-read-only-key"), 403, False),
    ("POST", "/incidents", {}, 400, True),
    ("POST", "/incidents", {"content": "{half"}, 400, True),
    ("POST", "/incidents", {"json": INCIDENT}, 400, True),
    ("POST", "/incidents", incident(type="event"), 400, True),
    ("POST", "/incidents", incident(title=" "), 400, True),
    ("POST", "/incidents", incident(title="x" * 256), 400, True),
    ("POST", "/incidents", incident(urgency="medium"), 400, True),
    ("POST", "/incidents", incident(severity="critical"), 400, True),
    ("POST", "/incidents", incident(service={"id": "PSRVAPI"}), 400, True),
    ("POST", "/incidents", incident(service={"id": "PNONE", "type": "service_reference"}), 404, False),
    ("POST", "/incidents", incident(body={"details": "x"}), 400, True),
    ("POST", "/incidents", incident(incident_key="taken"), 400, False),
    ("PUT", "/incidents/{id}", {"json": {"incident": {"status": "resolved"}}}, 400, True),
    ("PUT", "/incidents/{id}", {"json": {"incident": {"type": "incident", "status": "closed"}}}, 400, True),
    ("POST", "/incidents/{id}/notes", {"json": {"note": {"content": ""}}}, 400, True),
    ("POST", "/incidents/{id}/notes", {"json": {"content": "x"}}, 400, True),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "request_", "status", "careless"), REFUSED)
async def test_what_the_service_refuses_is_refused_and_carelessness_is_noted(
    method: str, path: str, request_: dict[str, Any], status: int, careless: bool, lenient_sandbox: Sandbox
) -> None:
    identity, _ = await lenient_sandbox.report(key="taken")
    answer = await lenient_sandbox.rest(method, path.format(id=identity), **{"headers": HEADERS} | request_)
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) >= {"message", "code"}
    assert bool(await lenient_sandbox.violations()) == careless
    assert len(await lenient_sandbox.incidents()) == 1


async def test_a_second_open_incident_with_a_key_is_refused_in_pagerdutys_words(lenient_sandbox: Sandbox) -> None:
    request = {"headers": HEADERS} | incident(incident_key="k")
    assert (await lenient_sandbox.rest("POST", "/incidents", **request)).status_code == 201
    refused = await lenient_sandbox.rest("POST", "/incidents", **request)
    assert refused.json() == {
        "error": {
            "message": "Arguments Caused Error",
            "code": 2002,
            "errors": ["Open incident with matching dedup key already exists on this service"],
        }
    }


async def test_the_rate_limit_is_counted_told_and_a_call_before_its_time_is_noted(lenient_sandbox: Sandbox) -> None:
    await lenient_sandbox.order("limits", per_minute=2)
    answers = [await lenient_sandbox.rest("GET", "/incidents", headers=HEADERS) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["1", "0", "0", "0"]
    assert 0 < int(answers[2].headers["ratelimit-reset"]) <= 60
    assert await lenient_sandbox.violations() == ["called again before the time that the last 429 asked for"]


async def test_a_monitoring_tool_adds_an_alert_to_the_open_incident_with_its_key(lenient_sandbox: Sandbox) -> None:
    assert await lenient_sandbox.report(key="k") == await lenient_sandbox.report(key="k")
    (made,) = await lenient_sandbox.incidents()
    assert made["alert_counts"] == {"all": 2, "triggered": 2, "resolved": 0}


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("incidents", {}),
        ("incidents", {"title": "x", "colour": "red"}),
        ("incidents", {"title": "x", "service": "none"}),
        ("incidents/PNONE/resolve", {}),
        ("faults", {"kind": "fire"}),
        ("faults", {"kind": "status", "colour": "red"}),
    ],
)
async def test_an_order_that_cannot_be_carried_out_says_why(
    path: str, order: dict[str, Any], lenient_sandbox: Sandbox
) -> None:
    answer = await lenient_sandbox.rest("POST", f"/sandbox/{path}", json=order)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_watchers_are_told_of_every_change() -> None:
    account, seen = Account(), []
    account.watchers.append(lambda event, incident, by: seen.append((event, incident.number, by.name)))
    service = next(iter(SERVICES.values()))
    made = account.report("down", service, "high", "k", "critical", {}, [], 0)
    account.set_status(made, "acknowledged", ADA)
    account.add_note(made, "on it", ADA)
    account.set_status(made, "resolved", ADA)
    assert seen == [
        ("incident.triggered", 1, "api-server"),
        ("incident.acknowledged", 1, "Ada Lovelace"),
        ("incident.annotated", 1, "Ada Lovelace"),
        ("incident.resolved", 1, "Ada Lovelace"),
    ]


async def test_it_runs_as_a_process_that_says_where_it_listens(tmp_path: Path) -> None:
    child = await Child.start(
        "pagerduty",
        [sys.executable, "-m", "sandbox.pagerduty"],
        ready=r"pagerduty stand-in listening on (http://127\.0\.0\.1:\d+)",
        log_dir=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
    )
    try:
        async with httpx2.AsyncClient(trust_env=False) as http:
            world = (await http.get(f"{child.found}/sandbox/world")).json()
    finally:
        await child.stop()
    assert world["services"]["api-server"] == world["service_id"]


async def test_services_and_users_are_found_by_what_they_are_called(lenient_sandbox: Sandbox) -> None:
    found = await lenient_sandbox.rest("GET", "/services/PSRVAPI", headers=HEADERS)
    assert found.json()["service"]["name"] == "api-server"
    assert (await lenient_sandbox.rest("GET", "/services/PNONE", headers=HEADERS)).status_code == 404
    found = await lenient_sandbox.rest("GET", "/users", headers=HEADERS, params={"query": "ADA@"})
    assert [user["email"] for user in found.json()["users"]] == ["ada@example.com"]
    assert await lenient_sandbox.violations() == []
    assert (await lenient_sandbox.rest("GET", "/users", headers=HEADERS, params={"email": "x"})).status_code == 400
