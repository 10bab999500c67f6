"""The real Alertmanager notifies the listener, with either sort of credentials, of an alert that fires and ends."""

import asyncio
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from sandbox import alertmanager
from sandbox.processes import Child
from sre_bot.incidents.paging import Change
from sre_bot.settings import ROOT
from tests.webhooks.conftest import Door, OpenDoor

PATIENCE = 40.0
TOKEN = "a-token"
SENT = {
    "bearer": {"authorization": {"type": "Bearer", "credentials": TOKEN}},
    "basic": {"basic_auth": {"username": "am", "password": "pass:word"}},
}
TAKEN = {
    "bearer": {"ALERTMANAGER_WEBHOOK_TOKEN": TOKEN},
    "basic": {"ALERTMANAGER_WEBHOOK_USERNAME": "am", "ALERTMANAGER_WEBHOOK_PASSWORD": "pass:word"},
}


def write_config(folder: Path, url: str, http_config: dict[str, Any]) -> Path:
    receiver = {"url": f"{url}/webhooks/alertmanager", "send_resolved": True, "http_config": http_config}
    config = {
        "route": {
            "receiver": "bot",
            "group_by": ["service"],
            "group_wait": "100ms",
            "group_interval": "200ms",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "bot", "webhook_configs": [receiver]}],
    }
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


async def tell(url: str, alert: dict[str, Any]) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        (await http.post(f"{url}/api/v2/alerts", json=[alert])).raise_for_status()


async def changes(door: Door, count: int) -> list[Change]:
    """Everything that was recorded, once there is as much."""
    deadline = time.monotonic() + PATIENCE
    while len(door.changes()) < count:
        assert time.monotonic() < deadline, f"only {door.recorded()}"
        await asyncio.sleep(0.05)
    return door.changes()


@pytest.mark.parametrize("credentials", ["bearer", "basic"])
async def test_an_alert_that_fires_and_ends_is_one_incident(
    credentials: str, open_door: OpenDoor, tmp_path: Path
) -> None:
    binary = shutil.which("prometheus-alertmanager")
    if binary is None:
        pytest.skip("no prometheus-alertmanager on PATH: `make` installs it where it can")
    door = await open_door(**TAKEN[credentials])
    config = write_config(tmp_path, door.url, SENT[credentials])
    command = alertmanager.command(binary, config, tmp_path / "data", 0)
    child = await Child.start("alertmanager", command, ready=alertmanager.READY, log_dir=tmp_path)
    try:
        start = datetime.now(UTC).replace(microsecond=123_000)
        alert = {
            "labels": {"alertname": "HighErrorRate", "service": "api-server", "severity": "critical"},
            "annotations": {"summary": "api-server: 5xx above 5 %"},
            "startsAt": start.isoformat(),
            "endsAt": (start + timedelta(minutes=5)).isoformat(),
            "generatorURL": "http://prometheus.example/graph",
        }
        await tell(f"http://{child.found}", alert)
        (fires,) = await changes(door, 1)
        await tell(f"http://{child.found}", alert | {"endsAt": datetime.now(UTC).isoformat()})
        _, ends = await changes(door, 2)
    finally:
        await child.stop()
    assert (fires.kind, ends.kind) == ("triggered", "resolved")
    assert fires.incident == ends.incident
    assert fires.incident.endswith(f":{int(start.timestamp())}")
    assert fires.occurred_at < ends.occurred_at
    assert fires.snapshot
    assert (fires.snapshot.title, fires.snapshot.service) == ("api-server: 5xx above 5 %", "api-server")
    assert fires.snapshot.urgency == "high"
    assert {row["source"] for row in door.recorded()} == {"alertmanager"}


async def test_a_wrong_token_is_refused_and_stands_in_alertmanagers_log(open_door: OpenDoor, tmp_path: Path) -> None:
    binary = shutil.which("prometheus-alertmanager")
    if binary is None:
        pytest.skip("no prometheus-alertmanager on PATH: `make` installs it where it can")
    door = await open_door(ALERTMANAGER_WEBHOOK_TOKEN="another")
    command = alertmanager.command(binary, write_config(tmp_path, door.url, SENT["bearer"]), tmp_path / "data", 0)
    child = await Child.start("alertmanager", command, ready=alertmanager.READY, log_dir=tmp_path)
    try:
        await tell(f"http://{child.found}", {"labels": {"alertname": "X", "service": "api-server"}})
        async with asyncio.timeout(PATIENCE):
            while "unexpected status code 401" not in child.tail(50):
                await asyncio.sleep(0.05)
    finally:
        await child.stop()
    assert door.recorded() == []


def test_the_receiver_in_the_shipped_configuration_is_valid_when_it_is_uncommented(tmp_path: Path) -> None:
    amtool = shutil.which("amtool")
    if amtool is None:
        pytest.skip("no amtool on PATH: `make` installs it where it can")
    shipped = (ROOT / "config" / "alertmanager.yml").read_text(encoding="utf-8")
    head, _, receivers = shipped.partition("receivers:\n")
    path = tmp_path / "alertmanager.yml"
    path.write_text(f"{head}receivers:\n{re.sub('^    # ', '    ', receivers, flags=re.MULTILINE)}", encoding="utf-8")
    assert yaml.safe_load(path.read_text())["receivers"][0]["webhook_configs"][0]["max_alerts"] == 200
    checked = subprocess.run([amtool, "check-config", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
