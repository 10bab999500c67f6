"""The stand-in in its own process, against the real Bolt and the real SDK."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

from .conftest import Slack, until

Json = dict[str, Any]
CARD: list[Json] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "Raise *DB_POOL_SIZE*?"}},
    {
        "type": "actions",
        "block_id": "ap:1",
        "elements": [
            {
                "type": "button",
                "action_id": "ap_ok",
                "text": {"type": "plain_text", "text": "Approve"},
                "value": "id-1",
            },
            {"type": "button", "action_id": "ap_no", "text": {"type": "plain_text", "text": "Reject"}, "value": "id-1"},
        ],
    },
]


@asynccontextmanager
async def running(app: AsyncApp, slack: Slack) -> AsyncIterator[AsyncSocketModeHandler]:
    handler = AsyncSocketModeHandler(app, slack.app.token)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    try:
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


def new_app(slack: Slack) -> AsyncApp:
    return AsyncApp(client=slack.bot)


async def test_a_mention_is_answered_in_its_thread(slack_process: Slack) -> None:
    app, seen = new_app(slack_process), []

    @app.event("app_mention")
    async def mention(event: Json, client: Any) -> None:
        seen.append("app_mention")
        await client.chat_postMessage(channel=event["channel"], markdown_text="**looking**", thread_ts=event["ts"])

    @app.event("message")
    async def message(event: Json) -> None:
        seen.append(event.get("subtype") or "message")

    async with running(app, slack_process):
        ts = await slack_process.say("@SRE Bot 500 errors spiking on api-server")

        async def answered() -> bool:
            return len(await slack_process.thread(ts)) == 2

        await until(answered)
        assert [message["text"] for message in await slack_process.thread(ts)] == [
            "@SRE Bot 500 errors spiking on api-server",
            "*looking*",
        ]

        async def all_acked() -> bool:
            return (acks := await slack_process.read("acks"))["unacked"] == [] and len(acks["acks"]) == 3

        await until(all_acked)  # the echo of the answer is acknowledged too, and kept from the listeners
    assert sorted(seen) == ["app_mention", "message"]
    assert await slack_process.violations() == []


async def test_the_echo_of_an_own_update_reaches_the_listeners(slack_process: Slack) -> None:
    app, seen = new_app(slack_process), []

    @app.event("message")
    async def message(event: Json) -> None:
        seen.append(event)

    async with running(app, slack_process):
        posted = await slack_process.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
        await slack_process.bot.chat_update(channel="C0INCIDENTS", ts=posted["ts"], text="y")

        async def echoed() -> bool:
            return bool(seen)

        await until(echoed)
    assert [(event["subtype"], event["message"]["bot_id"]) for event in seen] == [("message_changed", "B0SREBOT01")]


async def test_an_app_that_blocks_its_loop_gets_the_event_again(slack_process: Slack) -> None:
    await slack_process.order("clock", ack_within=1)
    app = new_app(slack_process)
    seen: list[str] = []

    @app.middleware
    async def block(body: Json, next: Any) -> None:  # noqa: A002 - Bolt's name
        if not seen:
            seen.append(body["event_id"])
            time.sleep(1.5)  # noqa: ASYNC251 - the defect under test
        else:
            seen.append(body["event_id"])
        await next()

    @app.event("message")
    async def message(event: Json) -> None: ...

    async with running(app, slack_process):
        await slack_process.say("hello")

        async def twice() -> bool:
            return len(seen) >= 2

        await until(twice)
    assert len(set(seen)) == 1
    acks = await slack_process.read("acks")
    assert acks["redelivered"]
    assert acks["acks"][0]["latency_ms"] > 1000


async def test_a_click_is_acknowledged_answered_and_possible_once(slack_process: Slack) -> None:
    app, clicks = new_app(slack_process), []

    @app.action("ap_ok")
    async def approve(ack: Any, body: Json, respond: Any, client: Any) -> None:
        await ack()
        clicks.append(body)
        await client.chat_update(
            channel=body["channel"]["id"], ts=body["message"]["ts"], text="approved", blocks=CARD[:1]
        )
        await respond(text="thank you", response_type="ephemeral", replace_original=False)

    @app.event("message")
    async def message(event: Json) -> None: ...

    async with running(app, slack_process):
        posted = await slack_process.bot.chat_postMessage(channel="C0INCIDENTS", text="approve?", blocks=CARD)
        where = {"channel": "C0INCIDENTS", "ts": posted["ts"], "user": "Grace"}
        assert await slack_process.order("actions", **where, action_id="ap_ok", value="id-1") == {"delivered": True}

        async def answered() -> bool:
            calls = await slack_process.read("calls", method="chat.update")
            return bool(calls["calls"]) and await _feed_has(slack_process, "message.ephemeral")

        await until(answered)
        status, refusal = await slack_process.try_order("actions", **where, action_id="ap_ok")
    assert (status, refusal["error"]) == (
        409,
        f"0 controls on message {posted['ts']} match action_id 'ap_ok'; there are: none",
    )
    (body,) = clicks
    assert (body["user"]["id"], body["container"]["message_ts"]) == ("U0GRACE001", posted["ts"])
    assert (body["actions"][0]["block_id"], body["actions"][0]["value"]) == ("ap:1", "id-1")
    assert body["response_url"].startswith(slack_process.url)
    assert await slack_process.violations() == []


async def test_a_refresh_loses_nothing(slack_process: Slack) -> None:
    app, seen = new_app(slack_process), []

    @app.event("message")
    async def message(event: Json) -> None:
        seen.append(event["text"])

    async with running(app, slack_process):
        for number in range(30):
            await slack_process.say(f"m{number}")
            if number == 10:
                await slack_process.order("sockets/disconnect", reason="refresh_requested")

        async def all_there() -> bool:
            return len(set(seen)) == 30

        await until(all_there)
    assert sorted(set(seen)) == sorted(f"m{number}" for number in range(30))


async def _feed_has(slack: Slack, kind: str) -> bool:
    async with slack.http.get(f"{slack.url}/sandbox/feed") as response:
        try:
            async with asyncio.timeout(0.3):
                async for line in response.content:
                    if line.decode().strip() == f"event: {kind}":
                        return True
        except TimeoutError:
            pass
    return False
