"""Faults are ordered over HTTP, show in the fleet's own figures, and end when the ordinary value is ordered."""

import asyncio

import pytest

from sandbox.fleet.faults import Faults, ServiceFault, set_fields
from sandbox.fleet.pool import ConnectionPool, PoolTimeout
from tests.fleet.running_fleet import RunningFleet, wait_until


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"smell": 1}, "there is no fault 'smell'; there are extra_ms, cpu_ms"),
        ({"dead": "yes"}, "dead is bool"),
        ({"held": 2.5}, "held is int"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(order: dict[str, object], words: str):
    with pytest.raises(ValueError, match=words):
        set_fields(ServiceFault(), order)


async def test_a_connection_that_is_held_is_nobodys_until_it_is_let_go():
    pool = ConnectionPool(2, 0.05)
    pool.hold(2)
    assert pool.active == 2
    with pytest.raises(PoolTimeout):
        async with pool.connection():
            pass
    pool.hold(0)
    assert pool.active == 0
    async with pool.connection():
        assert pool.active == 1
    assert pool.active == 0


async def test_letting_go_serves_who_waits():
    pool = ConnectionPool(1, 5.0)
    pool.hold(1)

    async def take() -> None:
        async with pool.connection():
            pass

    waiting = asyncio.create_task(take())
    while not pool.waiting:
        await asyncio.sleep(0)
    pool.hold(0)
    await waiting
    assert (pool.active, pool.waiting) == (0, 0)


def test_lists_become_tuples_and_numbers_floats():
    faults = Faults()
    set_fields(faults, {"surge": 2, "hidden": ["http_requests_total{auth-svc}"]})
    assert (faults.surge, faults.hidden) == (2.0, ("http_requests_total{auth-svc}",))


def order(fleet: RunningFleet, service: str | None, **faults: object) -> int:
    return fleet.http.post("/sandbox/faults", json={"service": service, "faults": faults}).status_code


def test_a_dead_service_is_down_and_fails_its_callers_until_it_is_back(fleet: RunningFleet) -> None:
    assert order(fleet, "auth-svc", dead=True) == 200
    wait_until(lambda: fleet.samples("service_up")[("auth-svc",)] == 0)
    wait_until(lambda: fleet.samples("http_requests_total")["auth-svc", "503"] > 5)
    wait_until(lambda: fleet.samples("http_requests_total")["api-server", "502"] > 5)
    assert order(fleet, "auth-svc", dead=False) == 200
    wait_until(lambda: fleet.samples("service_up")[("auth-svc",)] == 1)


def test_held_connections_fill_a_pool_and_requests_wait(fleet: RunningFleet) -> None:
    assert order(fleet, "payment-svc", held=10) == 200
    wait_until(lambda: fleet.samples("db_connections_waiting")[("payment-svc",)] > 5)
    assert fleet.samples("db_connections_active")[("payment-svc",)] == 50


def test_hidden_series_are_gone_and_come_back(fleet: RunningFleet) -> None:
    assert order(fleet, None, hidden=["{auth-svc}", "container_cpu_usage_ratio"]) == 200
    assert ("auth-svc",) not in fleet.samples("service_up")
    assert fleet.samples("container_cpu_usage_ratio") == {}
    assert ("api-server",) in fleet.samples("service_up")
    assert order(fleet, None, hidden=[]) == 200
    assert ("auth-svc",) in fleet.samples("service_up")


def test_a_planted_line_stands_in_the_log(fleet: RunningFleet) -> None:
    line = {"service": "postgres", "level": "ERROR", "message": "ticket KX-1"}
    assert fleet.http.post("/sandbox/logs", json=line).status_code == 200
    assert any("ticket KX-1" in message for message in fleet.messages(service="postgres", level="ERROR"))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"service": "postgres", "faults": {}}),
        ("faults", {"service": None, "faults": {"smell": 1}}),
        ("faults", {"service": None}),
        ("logs", {"service": "auth-svc", "level": "LOUD", "message": "x"}),
        ("logs", {"service": "auth-svc", "level": "ERROR", "message": "x" * 501}),
    ],
)
def test_orders_that_make_no_sense_get_a_sentence(
    healthy_fleet: RunningFleet, path: str, body: dict[str, object]
) -> None:
    answer = healthy_fleet.http.post(f"/sandbox/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
