"""A page on the web, or another program's page on this machine, neither reads nor drives the sandbox page."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from sandbox.page import Parts, serve
from sandbox.slack.app import StandIn

pytestmark = pytest.mark.asyncio(loop_scope="session")

ORDER = {"channel": "C0INCIDENTS", "user": "Ada", "text": "not by me"}


class Server:
    """The page's address, its token, and a client that is no browser."""

    def __init__(self, url: str, slack: str, http: aiohttp.ClientSession, token: str) -> None:
        self.url = url
        self.slack = slack
        self.http = http
        self.token = token

    async def post(self, path: str = "/api/slack/messages", **headers: str) -> tuple[int, str]:
        async with self.http.post(f"{self.url}{path}", json=ORDER, headers=headers) as answer:
            return answer.status, (await answer.json())["error" if answer.status >= 400 else "ts"]

    async def messages(self) -> list[object]:
        async with self.http.get(f"{self.slack}/sandbox/channel?channel=C0INCIDENTS") as answer:
            return list((await answer.json())["messages"])


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[Server]:
    runner = web.AppRunner(StandIn().application(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack = "http://{}:{}".format(*runner.addresses[0][:2])
    async with aiohttp.ClientSession() as http, serve(lambda: Parts(slack=slack)) as url:
        async with http.get(url) as answer:
            token = re.search(r'sandbox-token" content="([^"]+)"', await answer.text())
        assert token
        yield Server(url, slack, http, token[1])
    await runner.cleanup()


async def test_the_page_itself_may_write(server: Server):
    headers = {"Origin": server.url, "X-Sandbox-Token": server.token}
    assert (await server.post(**headers))[0] == 200
    assert len(await server.messages()) == 1


@pytest.mark.parametrize("case", ["no token", "wrong token", "no origin", "foreign origin", "other port", "null"])
async def test_nobody_else_may_write(server: Server, case: str):
    right = {"Origin": server.url, "X-Sandbox-Token": server.token}
    headers = {
        "no token": {"Origin": server.url},
        "wrong token": right | {"X-Sandbox-Token": "x" + server.token},
        "no origin": {"X-Sandbox-Token": server.token},
        "foreign origin": right | {"Origin": "https://example.com"},
        "other port": right | {"Origin": "http://127.0.0.1:1"},
        "null": right | {"Origin": "null"},
    }[case]
    status, sentence = await server.post(**headers)
    assert (status, sentence.startswith("Only the sandbox page itself")) == (403, True)
    assert await server.messages() == []


async def test_a_form_of_another_page_is_no_order(server: Server):
    headers = {"Origin": server.url, "X-Sandbox-Token": server.token}
    async with server.http.post(f"{server.url}/api/slack/messages", data=ORDER, headers=headers) as answer:
        assert answer.status == 415
    assert await server.messages() == []


@pytest.mark.parametrize("path", ["/", "/api/slack/world", "/api/events", "/assets/js/app.js"])
async def test_a_name_that_was_bound_to_loopback_reads_nothing(server: Server, path: str):
    async with server.http.get(f"{server.url}{path}", headers={"Host": "rebound.example:80"}) as answer:
        assert answer.status == 421
        assert "token" not in (await answer.text()).lower()


async def test_tokens_of_the_stand_in_stay_with_the_server(server: Server):
    async with server.http.get(f"{server.url}/api/slack/world") as answer:
        assert "xoxb" not in await answer.text()


@pytest.mark.parametrize(
    "path", ["/assets/../server.py", "/assets/%2e%2e/server.py", "/assets/js/../../server.py", "/assets/js/none.js"]
)
async def test_only_assets_are_served(server: Server, path: str):
    async with server.http.get(server.url + path, allow_redirects=False) as answer:
        assert answer.status == 404


async def test_every_answer_carries_the_policy(server: Server):
    for path in ("/", "/assets/js/app.js", "/api/slack/world", "/nothing"):
        async with server.http.get(server.url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_part_that_is_not_there_is_said_in_a_sentence(server: Server):
    async with server.http.get(f"{server.url}/api/pagerduty") as answer:
        assert answer.status == 503
        assert (await answer.json())["error"].startswith("The stand-in for PagerDuty is not up")


async def test_what_slack_refuses_is_said_in_its_words(server: Server):
    headers = {"Origin": server.url, "X-Sandbox-Token": server.token}
    body = {"channel": "C0ARCHIVED1", "user": "Ada", "text": "x"}
    async with server.http.post(f"{server.url}/api/slack/messages", json=body, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == "C0ARCHIVED1 is archived: nobody can write there"
