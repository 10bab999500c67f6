"""The deployment feed: the documented shape, from a service that filters or a file that does not."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from aiohttp import web

from sre_bot.clients.deployments import Deployment, DeploymentFeed
from sre_bot.errors import BackendError, RateLimited, Refused, Unreachable
from sre_bot.settings import ROOT, DeploymentSettings, FleetSettings

TIME, MOMENT = "2026-01-31T09:30:00.250Z", 1769851800.25
FULL = {
    "id": "a-2",
    "time": TIME,
    "service": "a",
    "version": "1.2",
    "author": "ada",
    "reason": "why",
    "changes": {"SIZE": {"from": "20", "to": None}},
}


def feed(body: Any, status: int = 200, **settings: str) -> DeploymentFeed:
    content = body if isinstance(body, str) else json.dumps(body)
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, text=content))
    return DeploymentFeed(
        DeploymentSettings.model_validate({"DEPLOYMENTS_URL": "http://ci.test/x", **settings}), transport
    )


async def test_a_deployment_carries_each_change_before_and_after() -> None:
    (found,) = await feed({"deployments": [FULL]}).recent("a", 0, 5)
    assert found == Deployment("a-2", MOMENT, "a", "1.2", "ada", "why", {"SIZE": ("20", None)})


async def test_time_and_service_are_enough() -> None:
    (found,) = await feed([{"time": MOMENT, "service": "a"}]).recent(None, 0, 5)
    assert found == Deployment("", MOMENT, "a", "unknown", "unknown", "", {})


async def test_values_of_any_json_type_are_shown() -> None:
    changes = {"N": {"from": 20, "to": 1.5}, "B": {"from": False}, "L": {"to": ["a"]}}
    (found,) = await feed([FULL | {"changes": changes}]).recent(None, 0, 5)
    assert found.changes == {"N": ("20", "1.5"), "B": ("false", None), "L": (None, '["a"]')}


@pytest.mark.parametrize("time", ["2026-01-31T09:30:00.250", "2026-01-31T10:30:00.250+01:00", MOMENT])
async def test_a_time_is_rfc_3339_or_seconds(time: str | float) -> None:
    (found,) = await feed([FULL | {"time": time}]).recent(None, 0, 5)
    assert found.time == MOMENT


async def test_an_answer_that_was_not_filtered_is_filtered_sorted_and_cut() -> None:
    entries = [FULL | {"id": str(n), "time": MOMENT + n % 7, "service": "ab"[n % 2]} for n in range(20)]
    found = await feed(entries).recent("a", MOMENT + 3, 4)
    assert [entry.time for entry in found] == [MOMENT + 6, MOMENT + 5, MOMENT + 4, MOMENT + 4]
    assert {entry.service for entry in found} == {"a"}


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, {"error": "no such service"}, Refused, "no such service"),
        (401, "", Refused, "Check the credentials beside DEPLOYMENTS_URL"),
        (404, "", Refused, "Check that DEPLOYMENTS_URL points to"),
        (429, "slow down", RateLimited, "slow down"),
        (500, "<html>oops</html>", Refused, "oops"),
        (200, "<html>login</html>", Refused, "not JSON"),
        (200, {}, Refused, "shape that is not its API"),
        (200, [{}], Refused, "shape that is not its API"),
        (200, [3], Refused, "shape that is not its API"),
        (200, [FULL | {"time": "soon"}], Refused, "shape that is not its API"),
        (200, [FULL | {"changes": ["SIZE"]}], Refused, "shape that is not its API"),
    ],
)
async def test_what_goes_wrong_is_said_with_what_to_do(
    status: int, body: Any, error: type[BackendError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await feed(body, status).recent(None, 0, 5)


async def test_nobody_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="DEPLOYMENTS_URL"):
        await DeploymentFeed(DeploymentSettings.model_validate({"DEPLOYMENTS_URL": "http://127.0.0.1:9/"})).recent(
            None, 0, 1
        )


class Seen:
    """A loopback server that notes what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, Mapping[str, str], str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, dict(request.query), request.headers.get("Authorization", "")))
        return web.json_response([])


@pytest_asyncio.fixture
async def seen() -> AsyncIterator[Seen]:
    server, application = Seen(), web.Application()
    application.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield server
    await runner.cleanup()


@pytest.mark.parametrize(
    ("address", "path", "fixed"),
    [
        ("/deployments.json", "/deployments.json", {}),
        ("/api/v1/deploys?team=sre", "/api/v1/deploys", {"team": "sre"}),
        ("", "/", {}),
    ],
)
async def test_the_address_is_asked_as_it_is_with_hints_added(
    seen: Seen, address: str, path: str, fixed: dict[str, str]
) -> None:
    source = DeploymentFeed(
        DeploymentSettings.model_validate({"DEPLOYMENTS_URL": seen.url + address, "DEPLOYMENTS_BEARER_TOKEN": "t0ken"})
    )
    await source.recent("a", 5, 3)
    await source.recent(None, 5, 3)
    await source.aclose()
    hints = {"since": "5.000", "limit": "3"}
    assert seen.asked == [
        (path, {**fixed, **hints, "service": "a"}, "Bearer t0ken"),
        (path, {**fixed, **hints}, "Bearer t0ken"),
    ]


async def test_the_fleet_is_a_feed_at_its_own_address(seen: Seen) -> None:
    source = DeploymentFeed(FleetSettings.model_validate({"FLEET_URL": seen.url}))
    await source.recent("a", 5, 3)
    await source.aclose()
    assert seen.asked[0][0] == "/deployments"


def documented() -> Sequence[str]:
    return re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8"), re.DOTALL)


async def test_the_documented_examples_are_read() -> None:
    examples = [json.loads(text) for text in documented() if '"deployments"' in text]
    assert examples
    for example in examples:
        found = await feed(example).recent(None, 0, 50)
        assert len(found) == len(example["deployments"])
        assert any(entry.changes for entry in found)
