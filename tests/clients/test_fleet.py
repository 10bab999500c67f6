"""Logs and deployments: the wire shapes, and the real simulated fleet."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from sre_bot.clients.deployments import Deployment, FleetDeployments
from sre_bot.clients.logs import FleetLogs, LogLine
from sre_bot.errors import Refused
from sre_bot.settings import ROOT, FleetSettings

TIME, MOMENT = "2026-01-31T09:30:00.250Z", 1769851800.25


def settings(url: str = "http://fleet.test") -> FleetSettings:
    return FleetSettings.model_validate({"FLEET_URL": url})


def answering(body: Any) -> httpx2.MockTransport:
    return httpx2.MockTransport(lambda _: httpx2.Response(200, json=body))


async def test_log_lines_are_sorted_by_time_and_counted() -> None:
    late = {"time": "2026-01-31T09:31:00Z", "service": "a", "level": "INFO", "message": "late"}
    early = {"time": TIME, "service": "a", "level": "ERROR", "message": "early"}
    page = await FleetLogs(settings(), answering({"logs": [late, early], "matched": 9, "dropped": 4})).read(
        None, None, 0, 2
    )
    assert page.lines[0] == LogLine(MOMENT, "a", "ERROR", "early")
    assert [line.message for line in page.lines] == ["early", "late"]
    assert (page.matched, page.dropped) == (9, 4)


async def test_a_deployment_carries_each_change_before_and_after() -> None:
    entry = {
        "id": "a-2",
        "time": TIME,
        "service": "a",
        "version": "1",
        "author": "ada",
        "reason": "",
        "changes": {"SIZE": {"from": "20", "to": None}},
    }
    (found,) = await FleetDeployments(settings(), answering({"deployments": [entry]})).recent("a", 0, 5)
    assert found == Deployment("a-2", MOMENT, "a", "1", "ada", "", {"SIZE": ("20", None)})


@pytest.mark.parametrize("body", [[], {}, {"logs": [{}], "deployments": [{}]}, {"logs": 3, "deployments": 3}])
async def test_another_system_behind_the_address_is_refused(body: Any) -> None:
    with pytest.raises(Refused, match="FLEET_URL"):
        await FleetLogs(settings(), answering(body)).read(None, None, 0, 1)
    with pytest.raises(Refused, match="FLEET_URL"):
        await FleetDeployments(settings(), answering(body)).recent(None, 0, 1)


@pytest_asyncio.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[FleetSettings]:
    command = [ROOT / "scripts/metric_logging.py", "--port", "0", "--state-dir", tmp_path, "--seed", "1"]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *map(str, command), stdout=asyncio.subprocess.PIPE, env=environment | {"PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout
    async with asyncio.timeout(30):
        while b"listening on" not in (line := await process.stdout.readline()):
            assert line, "the fleet ended before it listened"
    yield settings(line.split()[-1].decode())
    process.terminate()
    await process.wait()


async def test_the_real_fleet_speaks_the_shapes_that_the_clients_read(fleet: FleetSettings) -> None:
    logs, deployments = FleetLogs(fleet), FleetDeployments(fleet)
    page = await logs.read("api-server", "INFO", 0, 1000)
    assert any("started" in line.message for line in page.lines)
    assert {line.service for line in page.lines} == {"api-server"}
    started = await deployments.recent(None, 0, 50)
    assert {deployment.service for deployment in started} == {"api-server", "payment-svc", "auth-svc", "postgres"}
    assert await deployments.recent("api-server", started[0].time + 60, 50) == []
    with pytest.raises(Refused, match="is not one of"):
        await logs.read("nobody", None, 0, 10)
    await logs.aclose()
    await deployments.aclose()
