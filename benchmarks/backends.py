"""The systems behind the tools on loopback, each a process of its own, as the settings that find them."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sandbox import prometheus
from sandbox.processes import Child
from sandbox.stack import ROOT
from sandbox.surroundings import account_settings

LENIENT_PAGERDUTY = "LENIENT_PAGERDUTY"
"""A door to the PagerDuty stand-in that is no stricter about headers of reads than PagerDuty, for a peer's sake."""

NOWHERE = "http://127.0.0.1:9"
LISTENS = r"listening on (http://\S+)"
PROMETHEUS_LISTENS = r"msg=\"Listening on\" address=(\S+)"


class Backends:
    """Processes that run until the exit stack that was given is closed."""

    def __init__(self, folder: Path, parts: AsyncExitStack) -> None:
        self._folder = folder
        self._parts = parts

    async def start(self, name: str, command: list[str], ready: str = LISTENS) -> Child:
        """Start one and wait until it listens."""
        child = await Child.start(name, command, ready=ready, log_dir=self._folder, env={"PYTHONPATH": str(ROOT)})
        self._parts.push_async_callback(child.stop)
        return child

    async def start_prometheus(self, config: Path) -> str:
        """Start Prometheus with a configuration and wait until it has read its storage; gives its address."""
        command = prometheus.command("prometheus", config, self._folder / "prometheus", 0)
        url = f"http://{(await self.start('prometheus', command, PROMETHEUS_LISTENS)).found}"
        await prometheus.await_ready(url)
        return url

    async def start_standin(self, module: str) -> str:
        """Start a stand-in of the sandbox; gives its address."""
        return (await self.start(module, [sys.executable, "-m", f"sandbox.{module}"])).found


@asynccontextmanager
async def accounts(folder: Path, http: aiohttp.ClientSession) -> AsyncIterator[dict[str, str]]:
    """PagerDuty with one open incident and Confluence with its pages: the settings of both."""
    async with AsyncExitStack() as parts:
        backends = Backends(folder, parts)
        pagerduty = await backends.start_standin("pagerduty")
        confluence = await backends.start_standin("confluence")
        details = {"error_rate": "33 %", "threshold": "5 %", "runbook": "elevated-error-rates"}
        await post(http, f"{pagerduty}/sandbox/incidents", {"title": "api-server: 5xx above 5 %", "details": details})
        account = await get(http, f"{pagerduty}/sandbox/world")
        site = await get(http, f"{confluence}/sandbox/world")
        yield {
            **account_settings(pagerduty, account, site),
            LENIENT_PAGERDUTY: await parts.enter_async_context(_lenient(http, pagerduty)),
        }


@asynccontextmanager
async def _lenient(http: aiohttp.ClientSession, pagerduty: str) -> AsyncIterator[str]:
    async def pass_on(request: web.Request) -> web.Response:
        headers = {"Content-Type": "application/json", "Authorization": request.headers.get("Authorization", "")}
        headers["Accept"] = "application/vnd.pagerduty+json;version=2"
        async with http.get(f"{pagerduty}{request.path_qs}", headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")

    application = web.Application()
    application.router.add_get("/{path:.*}", pass_on)
    async with serve(application) as address:
        yield address


@asynccontextmanager
async def serve(application: web.Application) -> AsyncIterator[str]:
    """An application in this process, on a free port; gives its address."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def post(http: aiohttp.ClientSession, url: str, body: Mapping[str, Any]) -> None:
    """POST JSON; raises for a refusal."""
    async with http.post(url, json=body) as answer:
        answer.raise_for_status()


async def get(http: aiohttp.ClientSession, url: str, **query: str) -> Any:  # noqa: ANN401  (JSON)
    """GET JSON; raises for a refusal."""
    async with http.get(url, params=query) as answer:
        answer.raise_for_status()
        return await answer.json()
