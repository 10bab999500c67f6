"""Pings, clicks without Bolt, ordered faults and the feed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.world import APP_TOKEN, World

from .conftest import Slack
from .test_sockets import connected

Json = dict[str, Any]


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def rich_text(element: Json) -> Json:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [element]}]}


PINGS = [
    ({"text": "<!channel> look"}, [("channel", "")]),
    ({"text": "<!here|here>"}, [("here", "")]),
    ({"text": "x", "blocks": [section("<!everyone>")]}, [("everyone", "")]),
    ({"text": "<!subteam^S0APPROVERS>"}, [("subteam", "S0APPROVERS")]),
    ({"markdown_text": "hello <@U0ADA00001>"}, [("user", "U0ADA00001")]),
    ({"markdown_text": "in `code <!channel>` too"}, [("channel", "")]),
    (
        {"blocks": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "<@U0ADA00001>"}]}]},
        [("user", "U0ADA00001")],
    ),
    (
        {"blocks": [rich_text({"type": "broadcast", "range": "here"})]},
        [("here", "")],
    ),
    ({"attachments": [{"text": "<!channel>"}]}, [("channel", "")]),
    ({"text": "@channel", "parse": "full"}, [("channel", "")]),
    ({"text": "@channel and &lt;!channel&gt; and @Ada"}, []),
    ({"blocks": [{"type": "section", "text": {"type": "plain_text", "text": "<!channel>"}}]}, []),
]


@pytest.mark.parametrize(("arguments", "expected"), PINGS)
async def test_pings_are_resolved(slack: Slack, arguments: Json, expected: list[tuple[str, str]]) -> None:
    await slack.bot.api_call("chat.postMessage", json={"channel": "C0INCIDENTS", **arguments})
    pings = (await slack.read("pings"))["pings"]
    assert [(ping["kind"], ping["target"]) for ping in pings] == expected


async def test_a_ping_says_whom_it_reached_and_people_ping_nobody_here(slack: Slack) -> None:
    await slack.say("<!channel> <@U0GRACE001> help")
    assert (await slack.read("pings"))["pings"] == []
    posted = await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
    await slack.bot.chat_update(channel="C0INCIDENTS", ts=posted["ts"], text="<!channel>")
    (ping,) = (await slack.read("pings"))["pings"]
    assert (ping["how"], ping["ts"]) == ("changed", posted["ts"])
    assert ping["notified"] == ["U0ADA00001", "U0GRACE001", "U0LINUS001", "U0GUEST001"]


def button(action_id: str, value: str) -> Json:
    return {"type": "button", "action_id": action_id, "value": value, "text": {"type": "plain_text", "text": value}}


async def test_a_click_with_nobody_listening_is_lost(slack: Slack) -> None:
    blocks = [{"type": "actions", "elements": [button("ok", "1")]}]
    posted = await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=blocks)
    order = {"channel": "C0INCIDENTS", "ts": posted["ts"], "user": "Grace", "action_id": "ok"}
    assert await slack.order("actions", **order) == {"delivered": False}


async def test_two_like_buttons_are_told_apart_by_value(slack: Slack) -> None:
    blocks = [{"type": "actions", "elements": [button("ok", value)]} for value in ("1", "2")]
    posted = await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=blocks)
    order = {"channel": "C0INCIDENTS", "ts": posted["ts"], "user": "Grace", "action_id": "ok"}
    async with await connected(slack) as ws:
        await ws.receive_json(timeout=30)  # the echo of the card, which waited for a socket
        assert (await slack.try_order("actions", **order))[0] == 409
        assert (await slack.try_order("actions", **order, value="3"))[0] == 409
        await slack.order("actions", **order, value="2")
        frame = await ws.receive_json(timeout=30)
        while frame["type"] != "interactive":
            frame = await ws.receive_json(timeout=30)
    assert frame["payload"]["actions"][0]["value"] == "2"


async def test_only_members_click(slack: Slack) -> None:
    blocks = [{"type": "actions", "elements": [button("ok", "1")]}]
    posted = await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=blocks)
    order = {"channel": "C0INCIDENTS", "ts": posted["ts"], "user": "Partner", "action_id": "ok"}
    assert (await slack.try_order("actions", **order))[0] == 400


async def click_for_payload(slack: Slack) -> Json:
    blocks = [{"type": "actions", "elements": [button("ok", "1")]}]
    posted = await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=blocks)
    async with await connected(slack) as ws:
        await slack.order("actions", channel="C0INCIDENTS", ts=posted["ts"], user="Grace", action_id="ok")
        frame = await ws.receive_json(timeout=30)
        while frame["type"] != "interactive":
            frame = await ws.receive_json(timeout=30)
    payload: Json = frame["payload"]
    return payload


async def click_for_url(slack: Slack) -> tuple[str, str]:
    payload = await click_for_payload(slack)
    return payload["message"]["ts"], payload["response_url"]


async def test_a_trigger_opens_one_modal(slack: Slack) -> None:
    await slack.order("clock", trigger_lives=60)
    trigger = (await click_for_payload(slack))["trigger_id"]
    view = {"type": "modal", "title": {"type": "plain_text", "text": "Why?"}, "blocks": [section("x")]}
    await slack.bot.views_open(trigger_id=trigger, view=view)
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        await slack.bot.views_open(trigger_id=trigger, view=view)


async def test_a_response_url_works_five_times(slack: Slack) -> None:
    ts, url = await click_for_url(slack)
    statuses = []
    for number in range(6):
        async with slack.http.post(url, json={"text": f"n{number}", "replace_original": True}) as response:
            statuses.append(response.status)
    assert statuses == [200] * 5 + [404]
    assert (await slack.thread(ts))[0]["text"] == "n4"
    assert await slack.violations() == ["used_url"]


async def test_a_response_url_ends_after_half_an_hour_and_takes_no_markdown(slack: Slack) -> None:
    _, url = await click_for_url(slack)
    async with slack.http.post(url, json={"markdown_text": "**x**"}) as response:
        assert response.status == 400
    await slack.order("clock", rate=1_000_000)
    await asyncio.sleep(0.01)
    async with slack.http.post(url, json={"text": "x"}) as response:
        assert (response.status, await response.json()) == (404, {"ok": False, "error": "expired_url"})


@pytest.mark.parametrize(("kind", "stored"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_connection_hides_whether_the_message_was_stored(slack: Slack, kind: str, stored: int) -> None:
    await slack.order("faults", method="chat.postMessage", kind=kind)
    with pytest.raises(aiohttp.ClientError):
        await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
    assert len((await slack.read("channel", channel="#incidents"))["messages"]) == stored
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
    calls = (await slack.read("calls", method="chat.postMessage"))["calls"]
    assert [call.get("fault") for call in calls] == [kind, None]


async def test_an_error_after_the_fact_hides_that_the_message_was_stored(slack: Slack) -> None:
    await slack.order("faults", method="chat.postMessage", kind="error_after", error="fatal_error")
    with pytest.raises(SlackApiError, match="fatal_error"):
        await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
    assert len((await slack.read("channel", channel="#incidents"))["messages"]) == 1
    (call,) = (await slack.read("calls", method="chat.postMessage"))["calls"]
    assert (call["ok"], call["error"], call["fault"]) == (False, "fatal_error", "error_after")


@pytest.mark.parametrize(
    "content", [{"text": "x" * 101}, {"blocks": [section("x" * 101)]}, {"markdown_text": "x" * 101}]
)
async def test_an_ordered_limit_refuses_what_is_longer_and_nothing_else(slack: Slack, content: Json) -> None:
    await slack.order("faults", method="chat.postMessage", kind="too_long", limit=100, count=9)
    with pytest.raises(SlackApiError, match="msg_too_long"):
        await slack.bot.api_call("chat.postMessage", json={"channel": "C0INCIDENTS", **content})
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x" * 100)
    assert await slack.violations() == []


async def test_an_ordered_429_has_its_retry_after_and_ends_with_its_count(slack: Slack) -> None:
    await slack.order("faults", method="chat.postMessage", kind="ratelimited", count=2, retry_after=60)
    for _ in range(2):
        with pytest.raises(SlackApiError) as raised:
            await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
        assert (raised.value.response.status_code, raised.value.response.headers["Retry-After"]) == (429, "60")
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
    calls = (await slack.read("calls", method="chat.postMessage"))["calls"]
    assert [call.get("before_retry_after", False) for call in calls] == [False, True, True]


async def test_errors_and_500s_can_be_ordered_and_forgotten(slack: Slack) -> None:
    await slack.order("faults", method="auth.test", kind="error", error="fatal_error")
    with pytest.raises(SlackApiError, match="fatal_error"):
        await slack.bot.auth_test()
    await slack.order("faults", method="*", kind="http_500", count=9)
    with pytest.raises(SlackApiError) as raised:
        await slack.bot.auth_test()
    assert raised.value.response.status_code == 500
    await slack.order("faults", clear=True)
    assert (await slack.bot.auth_test())["ok"]
    assert (await slack.try_order("faults", method="*", kind="gremlins"))[0] == 400


async def test_a_slow_call_still_takes_effect(slack: Slack) -> None:
    await slack.order("faults", method="chat.postMessage", kind="slow", delay=0.05)
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
    (call,) = (await slack.read("calls", method="chat.postMessage"))["calls"]
    assert call["duration_ms"] >= 50


async def test_an_answer_that_is_held_comes_after_the_message_is_there(slack: Slack) -> None:
    await slack.order("faults", method="chat.postMessage", kind="hold_after", delay=5)
    posting = asyncio.create_task(slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x"))
    async with asyncio.timeout(30):
        while not (await slack.read("faults"))["held"]:
            await asyncio.sleep(0.01)
    assert not posting.done()
    assert len((await slack.read("channel", channel="#incidents"))["messages"]) == 1
    await posting
    assert (await slack.read("faults"))["held"] == []


async def follow(slack: Slack, count: int, after: int | None = None) -> list[tuple[int, str, Json]]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    events, lines = [], []
    async with slack.http.get(f"{slack.url}/sandbox/feed", headers=headers) as response, asyncio.timeout(30):
        async for raw in response.content:
            lines.append(raw.decode().rstrip("\n"))
            if not lines[-1]:
                number, kind, data = (line.partition(": ")[2] for line in lines[:3])
                events.append((int(number), kind, json.loads(data)))
                lines = []
            if len(events) == count:
                break
    return events


async def test_the_feed_shows_every_change_and_resumes(slack: Slack) -> None:
    ts = await slack.say("@SRE Bot hello")
    await slack.bot.assistant_threads_setStatus(channel_id="C0INCIDENTS", thread_ts=ts, status="is thinking...")
    await slack.bot.reactions_add(channel="C0INCIDENTS", timestamp=ts, name="eyes")
    reply = await slack.bot.chat_postMessage(channel="C0INCIDENTS", thread_ts=ts, text="x")
    await slack.bot.chat_update(channel="C0INCIDENTS", ts=reply["ts"], text="y")
    await slack.bot.chat_delete(channel="C0INCIDENTS", ts=reply["ts"])

    events = await follow(slack, 7)
    assert [kind for _, kind, _ in events] == [
        "message.posted", "status", "reaction.added", "status", "message.posted", "message.changed", "message.deleted",
    ]  # fmt: skip
    assert events[0][2]["message"]["text"] == "@SRE Bot hello"
    assert events[5][2]["thread_ts"] == ts
    assert await follow(slack, 2, after=events[4][0]) == events[5:]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("messages", {"channel": "#nowhere", "user": "Ada", "text": "x"}),
        ("messages", {"channel": "#incidents", "user": "Nobody", "text": "x"}),
        ("messages", {"channel": "#incidents", "user": "Partner", "text": "x"}),
        ("messages", {"channel": "#incidents", "user": "Ada", "text": "x", "thread_ts": "1.000001"}),
        ("messages", {"channel": "#old-incidents", "user": "Ada", "text": "x"}),
        ("messages/edit", {"channel": "#incidents", "ts": "1.000001", "text": "x"}),
        ("sockets/disconnect", {"reason": "boredom"}),
    ],
)
async def test_an_impossible_order_is_refused_with_a_reason(slack: Slack, path: str, body: Json) -> None:
    status, answer = await slack.try_order(path, **body)
    assert status == 400
    assert answer["error"]


async def test_a_scope_that_was_taken_away_is_missing_in_the_header_and_its_methods_are_refused(slack: Slack) -> None:
    assert "reactions:write" in str((await slack.bot.auth_test()).headers["x-oauth-scopes"]).split(",")
    assert (await slack.app.apps_connections_open(app_token=APP_TOKEN)).headers["x-oauth-scopes"] == "connections:write"
    await slack.order("scopes", without=["reactions:write"])
    ts = await slack.say("hello")
    with pytest.raises(SlackApiError) as refused:
        await slack.bot.reactions_add(channel="C0INCIDENTS", timestamp=ts, name="eyes")
    assert (refused.value.response["error"], refused.value.response["needed"]) == ("missing_scope", "reactions:write")
    assert "reactions:write" not in str((await slack.bot.auth_test()).headers["x-oauth-scopes"])
    await slack.order("scopes")
    await slack.bot.reactions_add(channel="C0INCIDENTS", timestamp=ts, name="eyes")


def test_what_happens_in_one_workspace_changes_no_other() -> None:
    one = World()
    one.users["U0LINUS001"].is_guest = True
    one.usergroups["S0APPROVERS"].clear()
    one.channels["C0INCIDENTS"].members.clear()
    other = World()
    assert not other.users["U0LINUS001"].is_guest
    assert other.usergroups["S0APPROVERS"]
    assert other.channels["C0INCIDENTS"].members
