"""A Confluence on loopback, a client of it, and the tools on that client."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx2
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer

from sandbox.confluence.app import StandIn
from sre_bot.clients.confluence import Confluence
from sre_bot.settings import ConfluenceSettings
from sre_bot.tools.confluence import Postmortems
from sre_bot.tools.spec import Answer, Tool, specs_of

TEXT = {
    "title": "api-server: connections exhausted",
    "summary": "Requests failed for **12 minutes**.",
    "impact": "33 % of requests answered 500.",
    "timeline": "- 14:00 deploy\n- 14:05 alert",
    "root_cause": "`DB_POOL_SIZE=1`",
    "resolution": "Pool size back to 20.",
    "what_went_well": "The alert was early.",
    "action_items": "- [ ] ada: bound the pool size in the schema, Friday",
}


class Site:
    """The stand-in as its control API shows it."""

    def __init__(self, url: str, http: aiohttp.ClientSession, world: dict[str, Any]) -> None:
        self.url = url
        self.world = world
        self.http = http

    def settings(self, **changed: str) -> ConfluenceSettings:
        world = self.world
        environ = {
            "CONFLUENCE_BASE_URL": world["site"],
            "CONFLUENCE_API_TOKEN": world["token"],
            "CONFLUENCE_USER_EMAIL": world["email"],
            "CONFLUENCE_SPACE_KEY": world["space"]["key"],
            "CONFLUENCE_PARENT_PAGE_ID": world["parent"],
            **changed,
        }
        return ConfluenceSettings.model_validate({name: value for name, value in environ.items() if value})

    async def look(self, path: str, /, **query: str) -> dict[str, Any]:
        async with self.http.get(f"{self.url}/sandbox/{path}", params=query) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def order(self, path: str, /, **body: Any) -> dict[str, Any]:
        async with self.http.post(f"{self.url}/sandbox/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def postmortems(self) -> list[dict[str, Any]]:
        """What was published, newest first."""
        pages = (await self.look("pages"))["pages"]
        return [page for page in pages if page["parent"] == self.world["parent"]]

    async def violations(self) -> list[Any]:
        return list((await self.look("violations"))["violations"])


@pytest_asyncio.fixture
async def lenient_site() -> AsyncIterator[Site]:
    """For tests that send what no careful app sends."""
    async with TestServer(StandIn(index_lag=0.05).application()) as server, aiohttp.ClientSession() as http:
        url = str(server.make_url("")).rstrip("/")
        async with http.get(f"{url}/sandbox/world") as answer:
            world = await answer.json()
        yield Site(url, http, world)


@pytest_asyncio.fixture
async def site(lenient_site: Site) -> AsyncIterator[Site]:
    yield lenient_site
    assert await lenient_site.violations() == []


class Network(httpx2.AsyncHTTPTransport):
    """The network; a test that lets a request hang says how long that is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.patience = 60.0  # seconds

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), self.patience)
        return await super().handle_async_request(request)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest_asyncio.fixture
async def client(site: Site, network: Network) -> AsyncIterator[Confluence]:
    confluence = Confluence(site.settings(), network)
    yield confluence
    await confluence.aclose()


class Tools:
    """The tools by name."""

    def __init__(self, client: Confluence) -> None:
        group = Postmortems(client)
        self._tools = {spec.name: Tool(spec, group) for spec in specs_of(Postmortems)}

    async def call(self, name: str, **arguments: Any) -> Answer:
        return await self._tools[f"confluence_{name}"].call(arguments)

    async def ok(self, name: str, **arguments: Any) -> str:
        answer = await self.call(name, **arguments)
        assert not answer.is_error, answer.text
        return answer.text

    async def fails(self, name: str, **arguments: Any) -> str:
        answer = await self.call(name, **arguments)
        assert answer.is_error, answer.text
        assert "defect of the tool" not in answer.text
        return answer.text


@pytest_asyncio.fixture
async def tools(client: Confluence) -> Tools:
    return Tools(client)
