"""Every tool that there is, with the systems behind them on loopback: what concerns all tools is tested here.

Which tools there are is asked of the product. A new one is covered as soon as each of its parameters has a word in
`ORDINARY`.
"""

import shlex
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sandbox.confluence.app import StandIn as ConfluenceStandIn
from sandbox.loki.web import Access, LokiServer
from sandbox.pagerduty.app import StandIn as PagerDutyStandIn
from sandbox.surroundings import account_settings
from sre_bot.settings import ROOT
from sre_bot.tools.spec import ToolSpec

NOWHERE = "http://127.0.0.1:9"

ORDINARY: Mapping[str, str] = {
    "action_items": "- [ ] ada: bound it, Friday",
    "impact": "Requests failed.",
    "incident": "{incident}",
    "key": "DB_POOL_SIZE",
    "name": "elevated-error-rates",
    "note": "Looking at it.",
    "page": "{page}",
    "query": "sum(up)",
    "resolution": "Set back.",
    "root_cause": "Too small a pool.",
    "service": "api-server",
    "summary": "It was down.",
    "timeline": "- 14:00 deploy",
    "title": "api-server is down",
    "value": "19",
    "what_went_well": "The alert.",
}
"""What a parameter is given where nothing is meant to be wrong; the others are left to their defaults."""

_REDEPLOY = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + chr(10))"


@dataclass(frozen=True)
class Surroundings:
    """The running stand-ins.

    Attributes:
        environ: settings that configure every group.
        env_dir: a copy of the services' env files, which may be changed.
        redeployed: the redeploy command appends the service's name to this file.
        things: what `ORDINARY` refers to in braces: an incident and a page that exist.
    """

    environ: dict[str, str]
    env_dir: Path
    redeployed: Path
    things: dict[str, str]

    def ordinary(self, spec: ToolSpec) -> dict[str, Any]:
        """Arguments with which a tool succeeds."""
        given = [*spec.schema.get("required", ()), *(name for name in spec.schema["properties"] if name in ORDINARY)]
        return {name: ORDINARY[name].format(**self.things) for name in given}


@asynccontextmanager
async def surroundings(folder: Path, prometheus: str = NOWHERE) -> AsyncIterator[Surroundings]:
    """Everything that the tools talk to, in this process; Prometheus is the caller's."""
    env_dir = folder / "services"
    env_dir.mkdir()
    for file in (ROOT / "config").glob("*.env"):
        shutil.copy(file, env_dir)
    async with AsyncExitStack() as parts:

        async def serve(application: web.Application) -> str:
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            parts.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return "http://{}:{}".format(*runner.addresses[0][:2])

        pagerduty = await serve(PagerDutyStandIn().application())
        confluence = await serve(ConfluenceStandIn(index_lag=0.05).application())
        loki = await serve(LokiServer(Access()).application())
        others = await serve(_deployments_and_alertmanager())
        http = await parts.enter_async_context(aiohttp.ClientSession())
        incident = await _post(http, f"{pagerduty}/sandbox/incidents", {"title": "5xx above 5 %", "details": {"a": 1}})
        await _post(http, f"{loki}/loki/api/v1/push", _lines())
        redeploy = f"{sys.executable} -S -c {shlex.quote(_REDEPLOY)} {folder / 'redeployed'} {{service}}"
        account = await _get(http, f"{pagerduty}/sandbox/world")
        site = await _get(http, f"{confluence}/sandbox/world")
        yield Surroundings(
            {
                "PROMETHEUS_URL": prometheus,
                "ALERTMANAGER_URL": others,
                "LOKI_URL": loki,
                "DEPLOYMENTS_URL": f"{others}/deployments",
                **account_settings(pagerduty, account, site),
                "SRE_ENV_DIR": str(env_dir),
                "REDEPLOY_COMMAND": redeploy,
            },
            env_dir,
            folder / "redeployed",
            {"incident": str(incident["number"]), "page": site["parent"]},
        )


def _deployments_and_alertmanager() -> web.Application:
    entry = {"time": time.time() - 60, "service": "api-server", "changes": {"DB_POOL_SIZE": {"from": "20", "to": "1"}}}

    async def deployments(_: web.Request) -> web.Response:
        return web.json_response({"deployments": [entry]})

    async def nothing(_: web.Request) -> web.Response:
        return web.json_response([])

    application = web.Application()
    application.router.add_get("/deployments", deployments)
    application.router.add_get("/api/v2/{kind}", nothing)
    return application


def _lines() -> dict[str, Any]:
    now = time.time_ns()
    values = [[str(now - n * 10**9), f"request {n} failed: pool exhausted"] for n in range(50)]
    return {"streams": [{"stream": {"service_name": "api-server"}, "values": values}]}


async def _post(http: aiohttp.ClientSession, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    async with http.post(url, json=body) as answer:
        assert answer.status < 300, await answer.text()
        return dict(await answer.json()) if answer.status != 204 else {}


async def _get(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with http.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())
