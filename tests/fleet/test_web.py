import re
import time

import pytest

from tests.fleet.running_fleet import SHIPPED, RunningFleet, wait_until, write_environment


def test_the_front_page_says_that_the_fleet_is_simulated(healthy_fleet: RunningFleet) -> None:
    about = healthy_fleet.http.get("/").json()
    assert about["simulated"] is True
    assert about["services"] == ["api-server", "payment-svc", "auth-svc", "postgres"]
    assert "POST /redeploy/{service}" in about["routes"]
    assert healthy_fleet.http.get("/healthz").json() == {"status": "ok"}


def test_failures_are_counted_from_zero_so_that_rates_exist(healthy_fleet: RunningFleet) -> None:
    answers = healthy_fleet.samples("http_requests_total")
    for service in ("api-server", "payment-svc", "auth-svc"):
        assert all((service, status) in answers for status in ("500", "502", "503", "504"))


def test_calls_are_measured_at_the_caller_along_every_edge(healthy_fleet: RunningFleet) -> None:
    edges = {
        ("clients", "api-server"),
        ("api-server", "auth-svc"),
        ("api-server", "payment-svc"),
        ("payment-svc", "auth-svc"),
    }
    wait_until(lambda: set(healthy_fleet.samples("http_client_request_duration_milliseconds_count")) == edges)
    assert set(healthy_fleet.samples("http_client_request_failures_total")) == edges


def test_logs_are_the_newest_last_in_utc_with_milliseconds(healthy_fleet: RunningFleet) -> None:
    wait_until(lambda: len(healthy_fleet.messages(service="auth-svc")) > 5)
    body = healthy_fleet.http.get("/logs", params={"limit": "5"}).json()
    assert len(body["logs"]) == 5 < body["matched"]
    assert body["dropped"] == 0
    times = [line["time"] for line in body["logs"]]
    assert times == sorted(times)
    for line in body["logs"]:
        assert set(line) == {"time", "service", "level", "message"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])


def test_logs_are_filtered_by_service_level_and_time(healthy_fleet: RunningFleet) -> None:
    wait_until(lambda: healthy_fleet.messages(service="auth-svc"))
    assert healthy_fleet.messages(service="auth-svc", level="info", since="5m")
    assert not healthy_fleet.messages(service="postgres", level="ERROR")
    assert not healthy_fleet.messages(since=str(time.time() + 60))
    assert not healthy_fleet.messages(since="2999-01-01T00:00:00Z")
    assert healthy_fleet.messages(since="2020-01-01T00:00:00+02:00")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("service=search-svc", "not one of api-server, payment-svc, auth-svc, postgres"),
        ("level=FATAL", "not one of INFO, WARN, ERROR"),
        ("limit=0", "from 1 to 1000"),
        ("limit=1001", "from 1 to 1000"),
        ("limit=many", "from 1 to 1000"),
        ("limit=" + "9" * 1000, "from 1 to 1000"),
        ("since=yesterday", "neither an RFC 3339 time"),
        ("since=2026-01-01T00:00:00", "neither an RFC 3339 time"),
        ("since=nan", "neither an RFC 3339 time"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_with_a_reason(
    healthy_fleet: RunningFleet, query: str, reason: str
) -> None:
    answer = healthy_fleet.http.get(f"/logs?{query}")
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    assert len(answer.text) < 300


def test_a_path_that_does_not_exist_is_answered_in_json_too(healthy_fleet: RunningFleet) -> None:
    answer = healthy_fleet.http.get("/nothing")
    assert (answer.status_code, set(answer.json())) == (404, {"error"})


def test_an_edit_does_nothing_until_a_redeploy(healthy_fleet: RunningFleet) -> None:
    write_environment(healthy_fleet.env_file, SHIPPED | {"DB_POOL_SIZE": "19"})
    served = healthy_fleet.answers()["200"]
    wait_until(lambda: healthy_fleet.answers()["200"] > served + 50)
    assert healthy_fleet.value("db_connections_max", "api-server") == 100
    answer = healthy_fleet.deploy(DB_POOL_SIZE="18").json()
    assert answer["changes"] == {"DB_POOL_SIZE": {"from": "20", "to": "18"}}
    assert (answer["author"], answer["reason"], answer["kind"]) == ("ada", "a test", "redeploy")
    assert healthy_fleet.value("db_connections_max", "api-server") == 90
    assert healthy_fleet.http.get("/deployments").json()["deployments"][0] == answer
    assert healthy_fleet.deploy().status_code == 200


def test_a_sound_redeploy_fails_no_request(healthy_fleet: RunningFleet) -> None:
    def loses_nothing() -> bool:
        before = healthy_fleet.answers()
        for _ in range(3):
            assert healthy_fleet.deploy().json()["changes"] == {}
        wait_until(lambda: healthy_fleet.answers()["200"] > before["200"] + 100)
        now = healthy_fleet.answers()
        return all(now[status] == before[status] for status in ("500", "502", "503", "504"))

    wait_until(loses_nothing)  # a machine that stands still for seconds fails requests too, but not every time


def test_a_malformed_environment_is_refused_and_the_old_version_goes_on(healthy_fleet: RunningFleet) -> None:
    answer = healthy_fleet.deploy(DB_POOL_SIZE="lots")
    assert answer.status_code == 422
    assert answer.json()["error"] == (
        "api-server was not redeployed, the old version goes on running. "
        "api-server.env: DB_POOL_SIZE must be a whole number from 1 to 1000, not 'lots'."
    )
    served = healthy_fleet.answers()["200"]
    wait_until(lambda: healthy_fleet.answers()["200"] > served + 50)
    assert healthy_fleet.value("db_connections_max", "api-server") == 100
    assert healthy_fleet.deploy().status_code == 200


@pytest.mark.parametrize("body", [b"not json", b"[]", b'"ada"', b"\xff"])
def test_a_redeploy_with_a_malformed_body_is_refused(healthy_fleet: RunningFleet, body: bytes) -> None:
    answer = healthy_fleet.http.post("/redeploy/auth-svc", content=body)
    assert answer.status_code == 400
    assert "JSON object" in answer.json()["error"]


def test_services_with_a_fixed_environment_can_be_restarted_too(healthy_fleet: RunningFleet) -> None:
    answer = healthy_fleet.http.post("/redeploy/auth-svc").json()
    assert (answer["service"], answer["changes"], answer["author"]) == ("auth-svc", {}, "unknown")
    assert healthy_fleet.http.post("/redeploy/search-svc").status_code == 404
    found = healthy_fleet.http.get("/deployments?service=auth-svc&limit=1").json()["deployments"]
    assert [deployment["id"] for deployment in found] == [answer["id"]]


def test_restarting_the_database_fails_what_needs_it_for_a_moment(healthy_fleet: RunningFleet) -> None:
    assert healthy_fleet.http.post("/redeploy/postgres").status_code == 200
    assert healthy_fleet.answers("auth-svc")["500"] > 0
    assert any("Connection refused" in text for text in healthy_fleet.messages(service="auth-svc", level="ERROR"))
    assert healthy_fleet.value("service_up", "postgres") == 1
