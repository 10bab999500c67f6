"""The two log sources on loopback, each holding the lines that a test gives it."""

import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from aiohttp import web

from sandbox.processes import Child
from sre_bot.clients.logs import FleetLogs, LogLine, LogPage, LogQuery
from sre_bot.clients.loki import Loki
from sre_bot.settings import ROOT, FleetSettings, LokiSettings
from sre_bot.tools.sources import LogSource

SERVICES = ("api-server", "auth-svc")
FLEET_LINES = 1_000


@dataclass
class RunningLoki:
    """A stand-in process and what a client needs to reach it."""

    url: str
    settings: dict[str, str]

    def client(self, **more: str) -> Loki:
        return Loki(LokiSettings.model_validate({"LOKI_URL": self.url, **self.settings, **more}))

    async def push(self, lines: Iterable[LogLine], *, level_label: bool = False, tenant: str = "") -> None:
        """Lines as an agent would send them: the level as structured metadata, or as a label of the stream."""
        streams: dict[tuple[str, str], list[Any]] = {}
        for line in lines:
            values = streams.setdefault((line.service, line.level if level_label else ""), [])
            extra = [] if level_label or not line.level else [{"detected_level": line.level}]
            values.append([str(round(line.time * 1e9)), line.message, *extra])
        body = [
            {"stream": {"service_name": service} | ({"level": level} if level else {}), "values": values}
            for (service, level), values in streams.items()
        ]
        headers = {"X-Scope-OrgID": tenant or self.settings.get("LOKI_TENANT", "none")}
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            answer = await client.post(f"{self.url}/loki/api/v1/push", json={"streams": body}, headers=headers)
            assert answer.status_code == httpx2.codes.NO_CONTENT, answer.text

    async def requests(self) -> list[dict[str, Any]]:
        async with httpx2.AsyncClient(trust_env=False) as client:
            return list((await client.get(f"{self.url}/sandbox/requests")).json()["requests"])


StartLoki = Callable[..., Awaitable[RunningLoki]]


async def _start(folder: Path, *arguments: str) -> Child:
    return await Child.start(
        "loki",
        [sys.executable, "-m", "sandbox.loki", *arguments],
        ready=r"loki stand-in listening on (http://\S+)",
        log_dir=folder,
        env={"PYTHONPATH": str(ROOT)},
    )


@pytest_asyncio.fixture
async def start_loki(tmp_path: Path) -> AsyncIterator[StartLoki]:
    """Starts a stand-in with the given arguments."""
    async with AsyncExitStack() as children:

        async def start(*arguments: str) -> RunningLoki:
            child = await _start(tmp_path, *arguments)
            children.push_async_callback(child.stop)
            return RunningLoki(child.found, {})

        yield start


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def loki_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    child = await _start(tmp_path_factory.mktemp("loki"), "--tenants")
    yield child.found
    await child.stop()


@pytest.fixture
def loki(loki_url: str) -> RunningLoki:
    """A tenant of its own on a stand-in that all tests share."""
    return RunningLoki(loki_url, {"LOKI_TENANT": uuid.uuid4().hex})


class FleetLogServer:
    """`GET /logs` as the fleet answers it: one exact level, at most 1000 lines, the newest."""

    def __init__(self, lines: Sequence[LogLine]) -> None:
        self._lines = lines

    async def logs(self, request: web.Request) -> web.Response:
        query = request.query
        assert set(query) <= {"service", "level", "since", "limit"}
        assert query["level"] in ("INFO", "WARN", "ERROR")
        assert 1 <= int(query["limit"]) <= FLEET_LINES
        found = [
            line
            for line in sorted(self._lines, key=lambda line: line.time)
            if query.get("service") in (None, line.service)
            and line.level == query["level"]
            and line.time >= float(query["since"])
        ]
        logs = [
            {
                "time": datetime.fromtimestamp(line.time, UTC).isoformat(timespec="milliseconds"),
                "service": line.service,
                "level": line.level,
                "message": line.message,
            }
            for line in found[-int(query["limit"]) :]
        ]
        return web.json_response({"logs": logs, "matched": len(found), "dropped": 0})


Hold = Callable[[Sequence[LogLine]], Awaitable[LogSource]]


@pytest_asyncio.fixture(params=["fleet", "loki"])
async def hold(request: pytest.FixtureRequest, loki: RunningLoki) -> AsyncIterator[Hold]:
    """Gives the source under test, holding the given lines."""
    async with AsyncExitStack() as opened:

        async def on_fleet(lines: Sequence[LogLine]) -> LogSource:
            application = web.Application()
            application.router.add_get("/logs", FleetLogServer(lines).logs)
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            opened.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = "http://{}:{}".format(*runner.addresses[0][:2])
            source = FleetLogs(FleetSettings.model_validate({"FLEET_URL": url}))
            opened.push_async_callback(source.aclose)
            return source

        async def on_loki(lines: Sequence[LogLine]) -> LogSource:
            if lines:
                await loki.push(lines)
            source = loki.client()
            opened.push_async_callback(source.aclose)
            return source

        yield on_loki if request.param == "loki" else on_fleet


async def pages_of(source: LogSource, wanted: LogQuery) -> list[LogPage]:
    async with aclosing(source.read(wanted)) as pages:
        return [page async for page in pages]


async def lines_of(source: LogSource, wanted: LogQuery) -> list[LogLine]:
    return [line for page in await pages_of(source, wanted) for line in page.lines]
