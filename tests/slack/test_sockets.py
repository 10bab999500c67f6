"""The sockets: two, so that one hears while the other reconnects; opened at a pace that Slack allows."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import SettingsError
from sre_bot.slack.sockets import COUNT, OPENS, Sockets


@pytest_asyncio.fixture
async def heard(slack) -> AsyncIterator[list[str]]:
    """The texts of all message events, with the sockets open."""
    texts: list[str] = []
    app = _app(slack)

    @app.event("message")
    async def on_message(event: dict[str, str]) -> None:
        texts.append(event["text"])

    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    yield texts
    await sockets.close()


def _app(slack) -> AsyncApp:
    return AsyncApp(client=AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/"))


async def _until(texts: list[str], wanted: set[str]) -> None:
    async with asyncio.timeout(30):
        while not wanted <= set(texts):
            await asyncio.sleep(0.02)


async def _open_sockets(slack) -> int:
    return int((await slack.look("world"))["sockets"])


async def test_two_sockets_are_open(heard, slack):
    assert await _open_sockets(slack) == COUNT


@pytest.mark.parametrize("reason", ["refresh_requested", "warning", "close", "reset"])
async def test_what_is_said_while_a_socket_reconnects_is_heard(heard, slack, reason):
    await slack.order("sockets/disconnect", reason=reason, count=1)
    said = {f"message {number}" for number in range(5)}
    for text in sorted(said):
        await slack.say(text)
    await _until(heard, said)


async def test_both_come_back_after_an_outage(heard, slack):
    await slack.order("outage", seconds=1)
    async with asyncio.timeout(60):
        while await _open_sockets(slack) < COUNT:
            await asyncio.sleep(0.1)
    await slack.say("anybody there?")
    await _until(heard, {"anybody there?"})


async def test_too_many_websockets_does_not_lead_to_a_storm_of_openings(heard, slack):
    openings, _ = OPENS
    for _ in range(openings * 2):
        await slack.order("sockets/disconnect", reason="too_many_websockets")
    calls: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while len(calls) < openings or await _open_sockets(slack) > COUNT:
            await asyncio.sleep(0.05)
            calls = (await slack.look("calls", method="apps.connections.open"))["calls"]
    assert len(calls) <= openings + 1, "the next one waits for its place in the minute"
    assert all(call["ok"] for call in calls)


async def test_a_socket_that_stays_deaf_is_replaced(slack):
    sockets = Sockets(_app(slack), slack.world["tokens"]["app"], patience=0.2, look_every=0.05)
    await sockets.open()
    deaf = sockets.clients[0]
    deaf.auto_reconnect_enabled = False
    await deaf.disconnect()  # type: ignore[no-untyped-call]
    async with asyncio.timeout(30):
        while deaf in sockets.clients or await _open_sockets(slack) < COUNT:
            await asyncio.sleep(0.05)
    await sockets.close()


async def test_a_refused_token_is_named(slack):
    with pytest.raises(SettingsError, match="SLACK_APP_TOKEN"):
        await Sockets(_app(slack), "xapp-wrong").open()
