"""The shipped Prometheus configuration, pointed at a fleet on another port, in a real Prometheus."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from sandbox.prometheus import ConfigError, command, write_config
from tests.fleet.running_fleet import ROOT, RunningFleet, wait_until, without_proxies

SHIPPED = ROOT / "config" / "prometheus.yml"


@pytest.fixture(scope="module")
def prometheus(healthy_fleet: RunningFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not on PATH; `make test` installs it")
    directory = tmp_path_factory.mktemp("prometheus")
    config = write_config(SHIPPED, healthy_fleet.url.removeprefix("http://"), directory)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(command(binary, config, directory / "data", port), env=without_proxies())
    client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
    try:
        wait_until(lambda: is_ready(client))
        yield client
    finally:
        process.terminate()
        process.wait(timeout=60)


def is_ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx2.TransportError:
        return False


def result(client: httpx2.Client, query: str) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success"
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


@pytest.mark.parametrize(
    "query",
    [
        'sum(rate(http_requests_total{status="500"}[1m])) by (service)',
        (
            'sum(rate(http_requests_total{status="500"}[1m])) by (service) '
            "/ sum(rate(http_requests_total[1m])) by (service)"
        ),
        'http_request_duration_milliseconds{quantile="0.99"}',
    ],
)
def test_a_query_of_the_reference_has_data_for_every_service_with_requests(
    prometheus: httpx2.Client, query: str
) -> None:
    wait_until(lambda: len(result(prometheus, query)) == 3)
    services = {sample["metric"]["service"] for sample in result(prometheus, query)}
    assert services == {"api-server", "payment-svc", "auth-svc"}


def test_connection_utilization_has_data_for_the_database_too(prometheus: httpx2.Client) -> None:
    wait_until(lambda: len(result(prometheus, "db_connections_active / db_connections_max")) == 4)


@pytest.mark.parametrize("name", ["container_cpu_usage_ratio", "container_memory_usage_ratio"])
def test_high_usage_has_data_only_when_something_is_high(prometheus: httpx2.Client, name: str) -> None:
    wait_until(lambda: len(result(prometheus, name)) == 4)
    assert result(prometheus, f"{name} > 0.8") == []
    assert len(result(prometheus, f"{name} > 0.0001")) == 4


def test_the_shipped_rules_are_loaded_and_none_fires_on_a_healthy_fleet(prometheus: httpx2.Client) -> None:
    wait_until(lambda: result(prometheus, "service:http_errors:ratio_rate1m"))
    groups = prometheus.get("/api/v1/rules", params={"type": "alert"}).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == 12
    assert {rule["health"] for rule in rules} == {"ok"}
    assert result(prometheus, 'ALERTS{alertstate="firing"}') == []


def test_the_copy_differs_in_target_and_absolute_rule_files_only(tmp_path: Path) -> None:
    shipped = yaml.safe_load(SHIPPED.read_text())
    copy = yaml.safe_load(write_config(SHIPPED, "127.0.0.1:1234", tmp_path).read_text())
    assert copy["rule_files"] == [str(ROOT / "config" / "alert_rules.yml")]
    assert copy["scrape_configs"][0]["static_configs"] == [{"targets": ["127.0.0.1:1234"]}]
    copy["rule_files"] = shipped["rule_files"]
    copy["scrape_configs"][0]["static_configs"] = shipped["scrape_configs"][0]["static_configs"]
    assert copy == shipped


def test_a_configuration_without_a_fleet_is_refused(tmp_path: Path) -> None:
    shipped = tmp_path / "other.yml"
    shipped.write_text("scrape_configs: [{job_name: node}]")
    with pytest.raises(ConfigError, match="no scrape job called 'fleet'"):
        write_config(shipped, "127.0.0.1:1234", tmp_path)
