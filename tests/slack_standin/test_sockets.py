"""Socket Mode on the wire, with a plain WebSocket: what an app that acknowledges by hand would see."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from sandbox.slack.world import APP_TOKEN

from .conftest import Slack, until

Json = dict[str, Any]


async def connect(slack: Slack) -> aiohttp.ClientWebSocketResponse:
    url = (await slack.app.apps_connections_open(app_token=APP_TOKEN))["url"]
    return await slack.http.ws_connect(url)


async def connected(slack: Slack) -> aiohttp.ClientWebSocketResponse:
    ws = await connect(slack)
    assert (await ws.receive_json(timeout=30))["type"] == "hello"
    return ws


async def receive(ws: aiohttp.ClientWebSocketResponse, count: int, *, ack: bool = True) -> list[Json]:
    frames = []
    for _ in range(count):
        frame = await ws.receive_json(timeout=30)
        frames.append(frame)
        if ack:
            await ws.send_json({"envelope_id": frame["envelope_id"]})
    return frames


def events(frames: list[Json]) -> list[Json]:
    return [frame["payload"]["event"] for frame in frames]


async def test_hello_comes_first_and_a_ticket_opens_one_socket(slack: Slack) -> None:
    url = (await slack.app.apps_connections_open(app_token=APP_TOKEN))["url"]
    async with slack.http.ws_connect(url) as ws:
        hello = await ws.receive_json(timeout=30)
        assert hello["num_connections"] == 1
        assert hello["connection_info"] == {"app_id": "A0SREBOT01"}
        assert hello["debug_info"]["approximate_connection_time"] == 18060
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await slack.http.ws_connect(url)


async def test_one_mention_is_two_events_with_one_ts(slack: Slack) -> None:
    async with await connected(slack) as ws:
        ts = await slack.say("@SRE Bot 500 errors")
        message, mention = sorted(await receive(ws, 2), key=lambda f: f["payload"]["event"]["type"], reverse=True)

    assert [event["type"] for event in events([message, mention])] == ["message", "app_mention"]
    assert {event["ts"] for event in events([message, mention])} == {ts}
    assert message["payload"]["event_id"] != mention["payload"]["event_id"]
    assert (message["retry_attempt"], message["retry_reason"], message["accepts_response_payload"]) == (0, "", False)
    event = message["payload"]["event"]
    assert (event["channel"], event["channel_type"], event["user"]) == ("C0INCIDENTS", "channel", "U0ADA00001")
    assert event["blocks"][0]["elements"][0]["elements"][0] == {"type": "user", "user_id": "U0SREBOT01"}
    assert "channel_type" not in mention["payload"]["event"]
    assert message["payload"]["authorizations"][0]["user_id"] == "U0SREBOT01"


async def test_a_mention_in_a_thread_is_two_events_and_a_dm_is_one(slack: Slack) -> None:
    async with await connected(slack) as ws:
        ts = await slack.say("down")
        await slack.say("@SRE Bot why?", thread_ts=ts, user="Grace")
        await slack.say("@SRE Bot hello", channel="U0ADA00001")
        seen = events(await receive(ws, 4))
    assert [event["type"] for event in seen] == ["message", "message", "app_mention", "message"]
    assert (seen[1]["thread_ts"], seen[1]["parent_user_id"]) == (ts, "U0ADA00001")
    assert seen[3]["channel_type"] == "im"


async def test_events_of_channels_without_the_bot_do_not_come(slack: Slack) -> None:
    async with await connected(slack) as ws:
        await slack.say("@SRE Bot here?", channel="#random")
        await slack.say("hello")
        (event,) = events(await receive(ws, 1))
    assert event["channel"] == "C0INCIDENTS"


async def test_a_shared_channel_says_so(slack: Slack) -> None:
    async with await connected(slack) as ws:
        await slack.say("hello", channel="#shared-partner", user="Partner")
        (frame,) = await receive(ws, 1)
    assert frame["payload"]["is_ext_shared_channel"] is True


async def test_other_bots_and_their_attachments_are_seen(slack: Slack) -> None:
    async with await connected(slack) as ws:
        await slack.order(
            "messages", channel="#incidents", bot="Alertmanager", text="", attachments=[{"text": "firing"}]
        )
        (event,) = events(await receive(ws, 1))
    assert (event["subtype"], event["username"]) == ("bot_message", "Alertmanager")
    assert event["attachments"] == [{"text": "firing"}]
    assert event["bot_id"] != "B0SREBOT01"
    assert "user" not in event


async def test_edits_and_deletions_are_seen_and_a_late_mention_is_told(slack: Slack) -> None:
    async with await connected(slack) as ws:
        ts = await slack.say("500 errors")
        await receive(ws, 1)
        await slack.order("messages/edit", channel="#incidents", ts=ts, text="@SRE Bot 500 errors")
        changed, mention = events(await receive(ws, 2))
        await slack.order("messages/delete", channel="#incidents", ts=ts)
        (deleted,) = events(await receive(ws, 1))
    assert (changed["subtype"], changed["message"]["ts"]) == ("message_changed", ts)
    assert changed["previous_message"]["text"] == "500 errors"
    assert (mention["type"], mention["ts"]) == ("app_mention", ts)
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", ts)


async def test_own_writes_come_back_with_a_bot_id(slack: Slack) -> None:
    async with await connected(slack) as ws:
        ts = (await slack.bot.chat_postMessage(channel="C0INCIDENTS", markdown_text="**x**"))["ts"]
        await slack.bot.chat_update(channel="C0INCIDENTS", ts=ts, markdown_text="**y**")
        posted, changed = events(await receive(ws, 2))
    assert (posted["bot_id"], posted["text"], posted["ts"]) == ("B0SREBOT01", "*x*", ts)
    assert changed["subtype"] == "message_changed"
    assert (changed["message"]["bot_id"], changed["message"]["text"]) == ("B0SREBOT01", "*y*")
    assert "user" not in changed["message"]


async def test_an_unacknowledged_event_comes_three_more_times_in_new_envelopes(slack: Slack) -> None:
    await slack.order("clock", ack_within=0.15)
    async with await connected(slack) as ws:
        await slack.say("hello")
        frames = await receive(ws, 4, ack=False)
    assert [frame["retry_attempt"] for frame in frames] == [0, 1, 2, 3]
    assert [frame["retry_reason"] for frame in frames] == ["", "timeout", "timeout", "timeout"]
    assert len({frame["envelope_id"] for frame in frames}) == 4
    assert len({frame["payload"]["event_id"] for frame in frames}) == 1

    async def given_up() -> bool:
        return any(ack.get("given_up") for ack in (await slack.read("acks"))["acks"])

    await until(given_up)
    acks = await slack.read("acks")
    assert (len(acks["unacked"]), len(acks["redelivered"])) == (4, 3)


async def test_an_acknowledged_event_comes_once(slack: Slack) -> None:
    async with await connected(slack) as ws:
        await slack.say("hello")
        await receive(ws, 1)
        with pytest.raises(TimeoutError):
            await ws.receive_json(timeout=3.5)
    acks = await slack.read("acks")
    assert (len(acks["acks"]), acks["unacked"]) == (1, [])
    assert acks["acks"][0]["latency_ms"] >= 0


async def test_wrong_acknowledgements_are_noted(slack: Slack) -> None:
    async with await connected(slack) as ws:
        await slack.say("hello")
        (frame,) = await receive(ws, 1)
        await ws.send_json({"envelope_id": frame["envelope_id"]})
        await ws.send_json({"envelope_id": "made-up"})
        await ws.send_str("hello?")

        async def all_noted() -> bool:
            return await slack.violations() == ["double_ack", "unknown_ack", "malformed_ack"]

        await until(all_noted)


async def test_events_wait_for_a_socket_and_come_as_redeliveries(slack: Slack) -> None:
    await slack.say("hello")
    async with await connected(slack) as ws:
        (frame,) = await receive(ws, 1)
    assert frame["retry_attempt"] == 1


async def test_each_payload_goes_to_one_of_the_sockets(slack: Slack) -> None:
    async with await connected(slack) as one, await connected(slack) as other:
        for number in range(4):
            await slack.say(f"m{number}")
        texts = [event["text"] for event in events(await receive(one, 2)) + events(await receive(other, 2))]
    assert sorted(texts) == ["m0", "m1", "m2", "m3"]


async def test_an_eleventh_socket_is_refused(slack: Slack) -> None:
    await slack.order("clock", rate=100_000)
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(await connected(slack))
        async with await connect(slack) as eleventh:
            frame = await eleventh.receive_json(timeout=30)
            assert (frame["type"], frame["reason"]) == ("disconnect", "too_many_websockets")
            assert (await eleventh.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
        assert (await slack.read("world"))["sockets"] == 10


async def test_after_refresh_requested_the_old_socket_stays_and_gets_nothing_new(slack: Slack) -> None:
    async with await connected(slack) as old:
        await slack.order("sockets/disconnect", reason="refresh_requested")
        assert (await old.receive_json(timeout=30))["reason"] == "refresh_requested"
        async with await connected(slack) as new:
            for number in range(3):
                await slack.say(f"m{number}")
            assert [frame["retry_attempt"] for frame in await receive(new, 3)] == [0, 0, 0]
            assert not old.closed


@pytest.mark.parametrize("reason", ["link_disabled", "close", "reset"])
async def test_sockets_end_in_every_way(slack: Slack, reason: str) -> None:
    async with await connected(slack) as ws:
        await slack.order("sockets/disconnect", reason=reason)
        frames = [await ws.receive(timeout=30)]
        while frames[-1].type is aiohttp.WSMsgType.TEXT:
            frames.append(await ws.receive(timeout=30))
        assert frames[-1].type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_a_half_open_socket_looks_alive_and_carries_nothing(slack: Slack) -> None:
    async with await connected(slack) as ws:
        await slack.order("sockets/disconnect", reason="half_open")
        await slack.say("hello")
        with pytest.raises(TimeoutError):
            await ws.receive_json(timeout=0.3)
        assert (await slack.read("world"))["sockets"] == 1


async def test_in_an_outage_nothing_answers_and_events_come_afterwards(slack: Slack) -> None:
    async with await connected(slack):
        await slack.order("outage", seconds=60)
        with pytest.raises(aiohttp.ClientError):
            await slack.bot.auth_test()
        await slack.say("@SRE Bot are you there?")
        await slack.order("outage", seconds=0)

        async def back() -> aiohttp.ClientWebSocketResponse | None:
            try:
                return await connected(slack)
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.05)
                return None

        async with await until(back) as ws:
            assert {event["type"] for event in events(await receive(ws, 2))} == {"message", "app_mention"}
