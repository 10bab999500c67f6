"""Which systems are reached through a company's proxy: those in the cloud, and nothing else."""

from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.tools.test_stdio import connected, text

INSIDE = {"PROMETHEUS_URL": "http://prometheus.invalid"}
OUTSIDE = {
    "PAGERDUTY_API_URL": "http://pagerduty.invalid",
    "PAGERDUTY_API_KEY": "k",
    "PAGERDUTY_SERVICE_ID": "P1",
    "PAGERDUTY_FROM_EMAIL": "bot@example.com",
    "CONFLUENCE_BASE_URL": "http://site.invalid/wiki",
    "CONFLUENCE_API_TOKEN": "t",
    "CONFLUENCE_USER_EMAIL": "bot@example.com",
    "CONFLUENCE_SPACE_KEY": "SRE",
}


class Proxy:
    """A forward proxy (RFC 9112, absolute-form) that answers by itself and notes who was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.application = web.Application()
        self.application.router.add_route("*", "/{path:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers["Host"])
        return web.json_response({"message": "seen by the proxy"}, status=404)


async def test_systems_in_the_cloud_are_reached_through_the_proxy_and_those_inside_are_not(tmp_path: Path) -> None:
    proxy = Proxy()
    async with TestServer(proxy.application) as server:
        through = {"HTTP_PROXY": str(server.make_url(""))}
        async with connected(tmp_path, "auto", **INSIDE, **OUTSIDE, **through) as client:
            for name in ("pagerduty_list_incidents", "confluence_list_postmortems"):
                assert "seen by the proxy" in text(await client.call_tool(name, {}))
            assert "UNREACHABLE" in text(await client.call_tool("query_metrics", {"query": "up"}))
    assert set(proxy.asked) == {"pagerduty.invalid", "site.invalid"}


async def test_what_the_proxy_is_not_for_and_loopback_are_reached_without_it(tmp_path: Path) -> None:
    proxy = Proxy()
    async with TestServer(proxy.application) as server:
        through = {"HTTP_PROXY": str(server.make_url("")), "NO_PROXY": "pagerduty.invalid"}
        nearby = {**OUTSIDE, "CONFLUENCE_BASE_URL": "http://127.0.0.1:9/wiki"}
        async with connected(tmp_path, "auto", **nearby, **through) as client:
            for name in ("pagerduty_list_incidents", "confluence_list_postmortems"):
                assert "UNREACHABLE" in text(await client.call_tool(name, {}))
    assert proxy.asked == []
