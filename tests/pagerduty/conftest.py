"""The stand-in on loopback, the client, and the tools; each test ends with a look at what was sent and answered."""

from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from aiohttp import web

from sandbox.pagerduty.app import StandIn
from sre_bot.clients.pagerduty import PagerDuty
from sre_bot.settings import PagerDutySettings
from sre_bot.tools.pagerduty import PagerDutyIncidents
from sre_bot.tools.spec import Answer, Tool, specs_of
from tests.pagerduty.description import FILE, Description


class Sandbox:
    """The running stand-in, with its control API."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        self.url = url
        self._http = http

    async def look(self, path: str) -> Any:
        answer = await self._http.get(f"{self.url}/sandbox/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def order(self, path: str, /, **body: Any) -> Any:
        answer = await self._http.post(f"{self.url}/sandbox/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def report(self, title: str = "5xx above 5 %", **more: Any) -> tuple[str, int]:
        """A monitoring tool reports; the incident's id and number."""
        made = await self.order("incidents", title=title, **more)
        return made["id"], made["number"]

    async def fault(self, kind: str, **order: Any) -> None:
        await self.order("faults", kind=kind, **order)

    async def incidents(self) -> list[dict[str, Any]]:
        return list((await self.look("incidents"))["incidents"])

    async def calls(self) -> list[dict[str, Any]]:
        return list((await self.look("calls"))["calls"])

    async def violations(self) -> list[str]:
        return [each["detail"] for each in (await self.look("violations"))["violations"]]

    async def rest(self, method: str, path: str, **request: Any) -> httpx2.Response:
        """A raw REST call."""
        return await self._http.request(method, f"{self.url}{path}", **request)


@cache
def described() -> Description | None:
    return Description() if FILE.is_file() else None


@pytest.fixture
def description() -> Description:
    found = described()
    if found is None:
        pytest.skip("PagerDuty's OpenAPI description (pagerduty-openapi.json) is not beside the checkout")
    return found


@pytest_asyncio.fixture
async def lenient_sandbox() -> AsyncIterator[Sandbox]:
    """A stand-in for tests that are careless on purpose."""
    runner = web.AppRunner(StandIn().application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with httpx2.AsyncClient(trust_env=False) as http:
        yield Sandbox(f"http://{host}:{port}", http)
    await runner.cleanup()


@pytest_asyncio.fixture
async def sandbox(lenient_sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    """A stand-in that has seen nothing careless at the end, and only what PagerDuty's description allows."""
    yield lenient_sandbox
    assert await lenient_sandbox.violations() == []
    if judge := described():
        assert [finding for call in await lenient_sandbox.calls() for finding in judge.judge(call)] == []


def settings(url: str, **other: str) -> PagerDutySettings:
    values = {
        "PAGERDUTY_API_KEY": "pd-sandbox-key",
        "PAGERDUTY_SERVICE_ID": "PSRVAPI",
        "PAGERDUTY_FROM_EMAIL": "sre-bot@example.com",
        "PAGERDUTY_API_URL": url,
    }
    return PagerDutySettings.model_validate(values | other)


@pytest_asyncio.fixture
async def connect(sandbox: Sandbox) -> AsyncIterator[Callable[..., PagerDuty]]:
    """Makes clients of the stand-in, with other settings where a test wants them."""
    clients: list[PagerDuty] = []

    def make(**other: str) -> PagerDuty:
        clients.append(PagerDuty(settings(sandbox.url, **other)))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def pagerduty(connect: Callable[..., PagerDuty]) -> PagerDuty:
    return connect()


class Tools:
    """The group's tools by name."""

    def __init__(self, pagerduty: PagerDuty) -> None:
        self.by_name = {spec.name: Tool(spec, PagerDutyIncidents(pagerduty)) for spec in specs_of(PagerDutyIncidents)}

    async def call(self, name: str, **arguments: Any) -> str:
        """The text of a call that succeeds."""
        answer = await self.try_call(name, **arguments)
        assert not answer.is_error, answer.text
        return answer.text

    async def try_call(self, name: str, **arguments: Any) -> Answer:
        return await self.by_name[f"pagerduty_{name}"].call(arguments)


@pytest.fixture
def tools(pagerduty: PagerDuty) -> Tools:
    return Tools(pagerduty)
