"""The alert rules, run by promtool on made-up series, and held against the catalog and the runbooks."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / "config"
CATALOG = yaml.safe_load((CONFIG / "services.yaml").read_text())
ROWS = {
    "HighErrorRate": "error_rate",
    "HighLatency": "latency_p99",
    "DatabaseConnectionsNearLimit": "db_connections",
    "HighCpu": "cpu",
    "HighMemory": "memory",
}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((CONFIG / "alert_rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    binary = shutil.which("promtool")
    if binary is None:
        pytest.skip("promtool is not on PATH; it comes with Prometheus, which `make test` installs")
    return subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)


def test_the_shipped_configuration_and_rules_are_valid() -> None:
    checked = promtool("check", "config", CONFIG / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("series", sorted(HERE.glob("*.yml")), ids=lambda path: path.stem)
def test_the_alerts_fire_and_stay_silent_as_written(series: Path) -> None:
    tested = promtool("test", "rules", series)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("severity", ["warning", "critical"])
@pytest.mark.parametrize("alert", ROWS)
def test_a_rule_has_the_threshold_of_the_catalog(alert: str, severity: str) -> None:
    (rule,) = [r for r in alerts() if r["alert"] == alert and r["labels"]["severity"] == severity]
    threshold = re.search(r"> ([\d.]+)", rule["expr"])
    assert threshold is not None
    assert float(threshold[1]) == CATALOG["signals"][ROWS[alert]][severity]


def test_every_alert_names_a_runbook_that_exists() -> None:
    runbooks = {path.stem for path in (CONFIG / "runbooks").glob("*.md")}
    assert {rule["annotations"]["runbook"] for rule in alerts()} <= runbooks


def test_alerts_escalate_to_the_channels_of_the_catalog() -> None:
    channels = {service["escalation"] for service in CATALOG["services"].values()}
    for rule in alerts():
        named = set(re.findall(r"#[\w-]+", rule["annotations"]["escalation"]))
        assert named <= channels
        assert rule["alert"] == "FleetUnreachable" or named == channels
