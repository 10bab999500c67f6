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

from sre_bot.clients.deployments import DeploymentFeed
from sre_bot.clients.logs import FleetLogs, LogLine, LogQuery
from sre_bot.errors import Refused
from sre_bot.settings import ROOT, FleetSettings
from tests.logs.conftest import lines_of

TIME, MOMENT = "2026-01-31T09:30:00.250Z", 1769851800.25


def settings(url: str = "http://fleet.test") -> FleetSettings:
    return FleetSettings.model_validate({"FLEET_URL": url})


def answering(body: Any) -> httpx2.MockTransport:
    return httpx2.MockTransport(lambda _: httpx2.Response(200, json=body))


async def test_each_level_is_asked_for_and_what_is_not_given_is_counted() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        level = request.url.params["level"]
        entry = {"time": TIME, "service": "a", "level": level, "message": f"one {level}"}
        return httpx2.Response(200, json={"logs": [entry], "matched": 9, "dropped": 4})

    pages = [page async for page in FleetLogs(settings(), httpx2.MockTransport(answer)).read(LogQuery(0, level="WARN"))]
    assert [page.lines for page in pages] == [
        [LogLine(MOMENT, "a", "ERROR", "one ERROR")],
        [LogLine(MOMENT, "a", "WARN", "one WARN")],
    ]
    assert sum(page.unread for page in pages) == 16
    assert sum(page.dropped for page in pages) == 4


@pytest.mark.parametrize("body", [[], {}, {"logs": [{}], "deployments": [{}]}, {"logs": 3, "deployments": 3}])
async def test_another_system_behind_the_address_is_refused(body: Any) -> None:
    with pytest.raises(Refused, match="FLEET_URL"):
        await lines_of(FleetLogs(settings(), answering(body)), LogQuery(0))
    if not isinstance(body, list):  # a list alone is a feed without deployments
        with pytest.raises(Refused, match="FLEET_URL"):
            await DeploymentFeed(settings(), answering(body)).recent(None, 0, 1)


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
    logs, deployments = FleetLogs(fleet), DeploymentFeed(fleet)
    lines = await lines_of(logs, LogQuery(0, "api-server", "INFO"))
    assert any("started" in line.message for line in lines)
    assert {line.service for line in lines} == {"api-server"}
    started = await deployments.recent(None, 0, 50)
    assert {deployment.service for deployment in started} == {"api-server", "payment-svc", "auth-svc", "postgres"}
    assert await deployments.recent("api-server", started[0].time + 60, 50) == []
    with pytest.raises(Refused, match="is not one of"):
        await lines_of(logs, LogQuery(0, "nobody"))
    await logs.aclose()
    await deployments.aclose()
