"""Each fault, from the deploy that causes it to the figures that it leaves."""

from functools import partial

from tests.fleet.running_fleet import RunningFleet, wait_until


def failures(fleet: RunningFleet) -> float:
    return sum(number for status, number in fleet.answers().items() if status >= "500")


def p99(fleet: RunningFleet, service: str) -> float:
    return fleet.value("http_request_duration_milliseconds", "0.99", service)


def is_quick(fleet: RunningFleet, service: str) -> bool:
    return 0 < p99(fleet, service) < 500


def serves_again(fleet: RunningFleet) -> bool:
    """Whether 200 requests in a row succeed."""
    failed, served = failures(fleet), fleet.answers()["200"]
    wait_until(lambda: fleet.answers()["200"] > served + 200)
    return failures(fleet) == failed and fleet.value("db_connections_waiting", "api-server") == 0


def test_the_shipped_environment_is_healthy(fleet: RunningFleet) -> None:
    wait_until(lambda: fleet.answers()["200"] > 400)
    wait_until(lambda: serves_again(fleet))
    for service in ("api-server", "payment-svc", "auth-svc"):
        wait_until(partial(is_quick, fleet, service))
        assert fleet.value("db_connections_waiting", service) == 0
        assert fleet.value("container_restarts_total", service) == 0
    for (service,), limit in fleet.samples("db_connections_max").items():
        assert fleet.value("db_connections_active", service) / limit < 0.7
    assert all(0 < ratio < 0.7 for ratio in fleet.samples("container_cpu_usage_ratio").values())
    assert all(0 < ratio < 0.8 for ratio in fleet.samples("container_memory_usage_ratio").values())
    assert set(fleet.samples("service_up").values()) == {1}


def test_a_pool_of_one_connection_starves_the_api_until_it_is_given_twenty(fleet: RunningFleet) -> None:
    answer = fleet.deploy(DB_POOL_SIZE="1")
    assert answer.json()["changes"] == {"DB_POOL_SIZE": {"from": "20", "to": "1"}}
    before = fleet.answers()
    wait_until(lambda: fleet.value("db_connections_waiting", "api-server") > 50)
    assert fleet.value("db_connections_max", "api-server") == 5
    wait_until(lambda: p99(fleet, "api-server") > 2000)
    wait_until(lambda: fleet.answers()["500"] > before["500"] + 200)
    asked = {status: number - before.get(status, 0) for status, number in fleet.answers().items()}
    assert asked["500"] / sum(asked.values()) > 0.05
    assert fleet.value("http_client_request_failures_total", "clients", "api-server") > 200
    assert any("could not obtain a database connection" in text for text in fleet.messages(level="ERROR"))
    wait_until(lambda: fleet.value("container_restarts_total", "api-server") >= 2)
    assert any("CrashLoopBackOff" in text for text in fleet.messages(service="api-server", limit="1000"))
    # The fault is the caller's: the database and the services beside it stay well.
    assert p99(fleet, "auth-svc") < 500
    assert fleet.value("container_cpu_usage_ratio", "postgres") < 0.7

    answer = fleet.deploy(DB_POOL_SIZE="20")
    assert answer.json()["changes"] == {"DB_POOL_SIZE": {"from": "1", "to": "20"}}
    assert fleet.value("db_connections_max", "api-server") == 100
    wait_until(lambda: serves_again(fleet))


def test_slow_queries_make_database_time_rise_and_fill_the_pools(fleet: RunningFleet) -> None:
    def database_time() -> tuple[float, float]:
        name = "db_query_duration_milliseconds"
        return fleet.value(f"{name}_sum", "api-server"), fleet.value(f"{name}_count", "api-server")

    wait_until(lambda: database_time()[1] > 100)
    total, count = database_time()
    fleet.deploy(DB_QUERY_MS="1200")

    def mean_since_ms() -> float:
        now, number = database_time()
        return (now - total) / max(1.0, number - count)

    wait_until(lambda: mean_since_ms() > 10 * total / count)
    wait_until(lambda: fleet.value("db_connections_active", "postgres") >= 95)
    wait_until(lambda: fleet.value("container_cpu_usage_ratio", "postgres") > 0.6)
    wait_until(lambda: fleet.answers("auth-svc")["500"] > 0)
    assert any("too many clients" in text for text in fleet.messages(service="postgres", level="ERROR"))
    assert any("duration: " in text for text in fleet.messages(service="postgres", level="WARN", limit="1000"))


def test_a_defective_release_fails_requests_while_every_pool_stays_calm(fleet: RunningFleet) -> None:
    before = fleet.answers()["500"]
    fleet.deploy(APP_VERSION="2.15.0")
    wait_until(lambda: fleet.answers()["500"] > before + 50)
    assert fleet.value("service_build_info", "api-server", "2.15.0") == 1
    assert any("apply_discount" in text for text in fleet.messages(service="api-server", level="ERROR"))
    assert fleet.value("db_connections_active", "api-server") / 100 < 0.7
    assert fleet.value("db_connections_waiting", "api-server") == 0
