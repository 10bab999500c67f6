"""Everything that the bot can be configured with, on loopback, and the doctor's looks at it."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from sandbox.confluence.app import StandIn as Confluence
from sandbox.loki.web import Access, LokiServer
from sandbox.pagerduty.app import StandIn as PagerDuty
from sre_bot.doctor.examination import CHECKS, examine
from sre_bot.doctor.finding import Finding, State
from sre_bot.doctor.known import read_known

SECRETS = {
    "ANTHROPIC_API_KEY": "sk-secret-of-the-model",
    "PROMETHEUS_BEARER_TOKEN": "secret-of-prometheus",
    "ALERTMANAGER_PASSWORD": "secret-of-alertmanager",
    "LOKI_BEARER_TOKEN": "secret-of-loki",
    "DEPLOYMENTS_BEARER_TOKEN": "secret-of-deployments",
    "PAGERDUTY_WEBHOOK_SECRET": "secret-of-webhooks,older-secret-of-webhooks",
    "ALERTMANAGER_WEBHOOK_TOKEN": "secret-of-the-receiver",
}


class Backends:
    """Prometheus, Alertmanager, the fleet and a deployment feed, as far as a look goes.

    Attributes:
        empty: a part of the queries that find nothing.
        rules: what Prometheus has loaded.
        refusal: an answer of Prometheus in place of any other.
    """

    def __init__(self) -> None:
        self.empty = "nothing"
        self.rules: list[dict[str, Any]] = [rule()]
        self.refusal = ""

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.post("/api/v1/query", self._query),
                web.get("/api/v1/rules", self._rules),
                web.get("/api/v2/alerts", _nothing([])),
                web.get("/api/v2/silences", _nothing([])),
                web.get("/logs", _nothing({"logs": [], "matched": 0, "dropped": 0})),
                web.get("/deployments", _nothing({"deployments": []})),
            ]
        )
        return app

    async def _query(self, request: web.Request) -> web.Response:
        found = self.empty not in str((await request.post())["query"])
        series = [{"metric": {"service": "api-server"}, "value": [1, "1"]}] if found else []
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": series}})

    async def _rules(self, _: web.Request) -> web.Response:
        if self.refusal:
            return web.json_response({"error": self.refusal}, status=401)
        return web.json_response({"status": "success", "data": {"groups": [{"rules": self.rules}]}})


def rule(health: str = "ok") -> dict[str, Any]:
    """An alerting rule as Prometheus shows it."""
    return {
        "name": "Down",
        "lastEvaluation": "2026-01-01T00:00:00Z",
        "health": health,
        "lastError": "bad",
        "alerts": [],
    }


def _nothing(body: Any) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    return answer


class Installation:
    """A bot with everything configured, and the doctor.

    Attributes:
        settings: the environment; a test changes what it is about.
        backends: what the double of Prometheus and others says.
    """

    def __init__(self, settings: dict[str, str], backends: Backends, http: aiohttp.ClientSession) -> None:
        self.settings = settings
        self.backends = backends
        self._http = http

    async def look(self, *names: str, **changes: str) -> dict[str, Finding]:
        """The rows of some checks by name; a setting that is changed to nothing is absent."""
        environ = {name: value for name, value in (self.settings | changes).items() if value}
        chosen = [check for check in CHECKS if check.name in names]
        assert len(chosen) == len(names)
        return {finding.name: finding for finding in await examine(read_known(environ), chosen)}

    async def problem(self, check: str, row: str = "", **changes: str) -> str:
        """The words of a row that is a problem, which say what to do."""
        finding = (await self.look(check, **changes))[row or check]
        assert finding.state is State.PROBLEM, finding
        assert finding.advice, "nothing says what to do"
        return f"{finding.seen} {finding.advice}"

    async def violations(self) -> list[Any]:
        found = []
        for name in ("PAGERDUTY_API_URL", "CONFLUENCE_BASE_URL"):
            origin = self.settings[name].removesuffix("/wiki")
            async with self._http.get(f"{origin}/sandbox/violations") as answer:
                found += (await answer.json())["violations"]
        return found

    async def pages(self) -> list[Any]:
        """What is in PagerDuty."""
        async with self._http.get(f"{self.settings['PAGERDUTY_API_URL']}/sandbox/incidents") as answer:
            return list((await answer.json())["incidents"])


@pytest_asyncio.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    """Without Slack and the model, which a test that is about them adds."""
    backends = Backends()
    async with AsyncExitStack() as stack:

        async def serve(app: web.Application) -> str:
            server = await stack.enter_async_context(TestServer(app))
            return str(server.make_url("")).rstrip("/")

        url = await serve(backends.application())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        site = await serve(Confluence(index_lag=0.05).application())
        async with http.get(f"{site}/sandbox/world") as answer:
            world = await answer.json()
        (tmp_path / "api-server.env").write_text("DB_POOL_SIZE=20\n")
        settings = SECRETS | {
            "SLACK_BOT_TOKEN": "xoxb-secret-of-slack",
            "SLACK_APP_TOKEN": "xapp-secret-of-slack",
            "SLACK_API_URL": "http://127.0.0.1:9/api",
            "SLACK_INCIDENT_CHANNEL": "C0INCIDENTS",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
            "PROMETHEUS_URL": url,
            "ALERTMANAGER_URL": url,
            "ALERTMANAGER_USERNAME": "bot",
            "FLEET_URL": url,
            "DEPLOYMENTS_URL": f"{url}/deployments",
            "LOKI_URL": await serve(LokiServer(Access(authorization="Bearer secret-of-loki"), 5000).application()),
            "PAGERDUTY_API_URL": await serve(PagerDuty().application()),
            "PAGERDUTY_API_KEY": "pd-sandbox-key",
            "PAGERDUTY_SERVICE_ID": "PSRVAPI",
            "PAGERDUTY_FROM_EMAIL": "sre-bot@example.com",
            "CONFLUENCE_BASE_URL": world["site"],
            "CONFLUENCE_API_TOKEN": world["token"],
            "CONFLUENCE_USER_EMAIL": world["email"],
            "CONFLUENCE_SPACE_KEY": world["space"]["key"],
            "CONFLUENCE_PARENT_PAGE_ID": world["parent"],
            "WEBHOOK_PORT": "0",
            "DATABASE_URL": f"sqlite:///{tmp_path / 'var' / 'ledger.db'}",
            "SRE_STATE_DIR": str(tmp_path / "state"),
            "SRE_ENV_DIR": str(tmp_path),
            "REDEPLOY_COMMAND": "true {service}",
            "SRE_ENV_FILE": "",
            "PATH": os.environ["PATH"],
        }
        made = Installation(settings, backends, http)
        yield made
        assert await made.violations() == []


@pytest_asyncio.fixture
async def with_slack(installation: Installation, slack: Any) -> Installation:
    """The installation with a Slack that knows it."""
    installation.settings |= {
        "SLACK_API_URL": f"{slack.url}/api",
        "SLACK_BOT_TOKEN": slack.world["tokens"]["bot"],
        "SLACK_APP_TOKEN": slack.world["tokens"]["app"],
    }
    return installation


@pytest_asyncio.fixture
async def complete(with_slack: Installation, model: Any) -> Installation:
    """The installation with everything."""
    with_slack.settings["ANTHROPIC_BASE_URL"] = model.url
    return with_slack
