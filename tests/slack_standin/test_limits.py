"""Every limit that the stand-in enforces, in Slack's words, one row each."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from .conftest import Slack, until

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def button(number: int = 0, **more: Any) -> Json:
    return {"type": "button", "text": plain("ok"), "action_id": f"a{number}", **more}


def section(text: str = "x", **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def table(rows: int, columns: int, text: str = "x") -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": text}] * columns] * rows}


def task(**more: Any) -> Json:
    return {"type": "task_card", "task_id": "1", "title": "t", "status": "complete", **more}


CONFIRM = {"title": plain("Sure?"), "text": mrkdwn("x"), "confirm": plain("Yes"), "deny": plain("No")}

TOO_MUCH = [
    ([section()] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    ([section("x" * 3001)], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    ([section("")], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    ([{"type": "section"}], "must define either `text` or `fields` [json-pointer:/blocks/0]"),
    (
        [{"type": "section", "fields": [mrkdwn("x" * 2001)]}],
        "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
    ),
    (
        [{"type": "section", "fields": [mrkdwn("x")] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
    ),
    (
        [{"type": "header", "text": plain("x" * 151)}],
        "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    ([{"type": "header", "text": mrkdwn("x")}], "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"),
    (
        [actions(button(text=plain("x" * 76)))],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
    ),
    (
        [actions(button(value="x" * 2001))],
        "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
    ),
    (
        [actions(button(action_id="x" * 256))],
        "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
    ),
    ([section(block_id="x" * 256)], "must be less than 256 characters [json-pointer:/blocks/0/block_id]"),
    ([section(block_id="a"), section(block_id="a")], '`block_id` "a" already exists [json-pointer:/blocks/1/block_id]'),
    (
        [actions(button(1), button(1))],
        '`action_id` "a1" already exists [json-pointer:/blocks/0/elements/1/action_id]',
    ),
    (
        [actions(*(button(n) for n in range(26)))],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    ([actions()], "must contain at least 1 items [json-pointer:/blocks/0/elements]"),
    (
        [{"type": "context", "elements": [mrkdwn("x")] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    (
        [{"type": "context_actions", "elements": [{"type": "icon_button", "icon": "trash", "text": plain("x")}] * 6}],
        "no more than 5 items allowed [json-pointer:/blocks/0/elements]",
    ),
    (
        [actions(button(confirm={**CONFIRM, "title": plain("x" * 101)}))],
        "must be less than 101 characters [json-pointer:/blocks/0/elements/0/confirm/title/text]",
    ),
    (
        [actions(button(confirm={**CONFIRM, "text": mrkdwn("x" * 301)}))],
        "must be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]",
    ),
    (
        [actions(button(confirm={**CONFIRM, "confirm": plain("x" * 31)}))],
        "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/confirm/text]",
    ),
    (
        [actions(button(confirm={**CONFIRM, "deny": plain("x" * 31)}))],
        "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/deny/text]",
    ),
    ([actions(button(disabled=True))], "invalid additional property: disabled [json-pointer:/blocks/0/elements/0]"),
    (
        [actions(button(style="blue"))],
        "must be a valid enum value, one of primary, danger [json-pointer:/blocks/0/elements/0/style]",
    ),
    ([{"type": "sektion"}], "unsupported type: sektion [json-pointer:/blocks/0/type]"),
    ([actions({"type": "slider"})], "unsupported type: slider [json-pointer:/blocks/0/elements/0/type]"),
    ([{"text": mrkdwn("x")}], "missing required field: type [json-pointer:/blocks/0]"),
    (["section"], "must provide an object [json-pointer:/blocks/0]"),
    ([{"type": "header", "text": "x"}], "must provide an object [json-pointer:/blocks/0/text]"),
    ([{"type": "header"}], "missing required field: text [json-pointer:/blocks/0]"),
    ([section(expand="yes")], "must provide a boolean [json-pointer:/blocks/0/expand]"),
    (
        [{"type": "markdown", "text": "x" * 6001}] * 2,
        "markdown blocks must be less than 12001 characters together [json-pointer:/blocks]",
    ),
    ([table(101, 1)], "no more than 100 items allowed [json-pointer:/blocks/0/rows]"),
    ([table(1, 21)], "no more than 20 items allowed [json-pointer:/blocks/0/rows/0]"),
    ([table(10, 10, "x" * 101)], "must be less than 10001 characters [json-pointer:/blocks/0/rows]"),
    ([table(1, 1), table(1, 1)], "only_one_table_allowed [json-pointer:/blocks/1]"),
    ([task(title="x" * 257)], "must be less than 257 characters [json-pointer:/blocks/0/title]"),
    (
        [task(status="done")],
        "must be a valid enum value, one of pending, in_progress, complete, error [json-pointer:/blocks/0/status]",
    ),
    (
        [section(accessory={"type": "overflow", "options": [{"text": plain("x"), "value": "v"}] * 6})],
        "no more than 5 items allowed [json-pointer:/blocks/0/accessory/options]",
    ),
]

JUST_ENOUGH = [
    [section("x" * 3000)] * 50,
    [{"type": "section", "fields": [mrkdwn("x" * 2000)] * 10}],
    [{"type": "header", "text": plain("x" * 150)}],
    [actions(*(button(n, value="x" * 2000) for n in range(25))), actions(button(1, text=plain("x" * 75)))],
    [{"type": "context", "elements": [mrkdwn("x")] * 10}],
    [{"type": "markdown", "text": "x" * 6000}] * 2,
    [table(100, 20)],
    [task(), {"type": "plan", "title": "p", "tasks": [task()]}],
    [actions(button(confirm=CONFIRM, style="danger"))],
    [{"type": "divider"}, section(accessory=button(), block_id="b")],
]


@pytest.mark.parametrize(("blocks", "message"), TOO_MUCH, ids=[message for _, message in TOO_MUCH])
async def test_blocks_are_refused_with_a_pointer(slack: Slack, blocks: list[Json], message: str) -> None:
    with pytest.raises(SlackApiError) as raised:
        await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=blocks)
    assert raised.value.response["error"] == "invalid_blocks"
    assert raised.value.response["errors"] == [message]
    assert raised.value.response["response_metadata"]["messages"] == [f"[ERROR] {message}"]
    assert await slack.violations() == ["invalid_blocks"]


@pytest.mark.parametrize("blocks", JUST_ENOUGH)
async def test_blocks_at_the_limit_are_taken(slack: Slack, blocks: list[Json]) -> None:
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=blocks)
    assert await slack.violations() == []


FINE = {"event_type": "t", "event_payload": {"a": 1}}
REFUSED = [
    ({}, "no_text"),
    ({"text": "  "}, "no_text"),
    ({"markdown_text": "x", "text": "x"}, "markdown_text_conflict"),
    ({"markdown_text": "x", "blocks": [section()]}, "markdown_text_conflict"),
    ({"markdown_text": "x" * 12_001}, "msg_too_long"),
    ({"markdown_text": "&" * 12_000}, "msg_blocks_too_long"),
    ({"markdown_text": "# x\n" * 51}, "msg_blocks_too_many"),
    ({"text": "x", "blocks": "not json"}, "invalid_blocks_format"),
    ({"text": "x", "blocks": {"type": "section"}}, "invalid_blocks_format"),
    ({"text": "x", "metadata": {"event_type": "t"}}, "invalid_metadata_format"),
    ({"text": "x", "metadata": {**FINE, "more": 1}}, "invalid_metadata_format"),
    ({"text": "x", "metadata": {"event_type": "t", "event_payload": {"a": "x" * 8001}}}, "metadata_too_large"),
    ({"text": "x", "attachments": "nope"}, "invalid_attachments"),
    ({"text": "x", "attachments": [{"blocks": [{"type": "header"}]}]}, "invalid_attachments"),
    ({"text": "x", "thread_ts": "yesterday"}, "invalid_thread_ts"),
]


@pytest.mark.parametrize(("arguments", "error"), REFUSED)
async def test_a_message_is_refused(slack: Slack, arguments: Json, error: str) -> None:
    with pytest.raises(SlackApiError) as raised:
        await slack.bot.api_call("chat.postMessage", json={"channel": "C0INCIDENTS", **arguments})
    assert raised.value.response["error"] == error
    assert await slack.violations() == [error]


@pytest.mark.parametrize(
    "arguments",
    [
        {"markdown_text": "x" * 12_000},
        {"markdown_text": "漢" * 12_000},
        {"text": "x" * 40_000},
        {"blocks": [section()]},
        {"attachments": [{"text": "x"}]},
        {"text": "x", "metadata": FINE},
    ],
)
async def test_a_message_at_the_limit_is_taken(slack: Slack, arguments: Json) -> None:
    await slack.bot.api_call("chat.postMessage", json={"channel": "C0INCIDENTS", **arguments})
    assert await slack.violations() == []


@pytest.mark.parametrize(
    ("text", "taken"), [("x" * 4000, True), ("é" * 2000, True), ("x" * 4001, False), ("é" * 2001, False)]
)
async def test_update_measures_text_in_bytes(slack: Slack, text: str, taken: bool) -> None:
    posted = await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
    answer = await slack.http.post(
        f"{slack.url}/api/chat.update",
        json={"channel": "C0INCIDENTS", "ts": posted["ts"], "text": text},
        headers={"Authorization": f"Bearer {slack.bot.token}"},
    )
    body = await answer.json()
    assert body["ok"] is taken
    assert body.get("error") == (None if taken else "msg_too_long")


async def test_update_takes_12000_characters_of_markdown(slack: Slack) -> None:
    posted = await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
    await slack.bot.chat_update(channel="C0INCIDENTS", ts=posted["ts"], markdown_text="x" * 12_000)
    assert await slack.violations() == []


NOTED = [
    ({"text": "x" * 40_001}, ["text_truncated"]),
    ({"text": "x", "link_names": True}, ["link_names"]),
    ({"text": "x", "parse": "full"}, ["link_names"]),
    ({"text": "x", "unfurl_links": True}, ["unfurl_links"]),
    ({"text": "x", "unfurl_media": True}, ["unfurl_media"]),
    ({"text": "see https://example.com/"}, ["unfurl_media"]),
    ({"markdown_text": "see [x](https://example.com/)", "unfurl_media": False}, []),
    ({"text": "x", "thread": "1.000001"}, ["unknown_argument"]),
]


@pytest.mark.parametrize(("arguments", "noted"), NOTED)
async def test_what_slack_lets_pass_is_noted(slack: Slack, arguments: Json, noted: list[str]) -> None:
    await slack.bot.api_call("chat.postMessage", json={"channel": "C0INCIDENTS", **arguments})
    assert await slack.violations() == noted


OTHER_METHODS = [
    ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
    ("chat.explode", {}, "unknown_method"),
    ("conversations.history", {"channel": "C0INCIDENTS", "limit": 1000}, "invalid_limit"),
    ("conversations.history", {"channel": "C0INCIDENTS", "cursor": "??"}, "invalid_cursor"),
    ("conversations.history", {"channel": "C0INCIDENTS", "oldest": "then"}, "invalid_ts_oldest"),
    ("conversations.open", {}, "users_list_not_supplied"),
    ("users.conversations", {"types": "secret"}, "invalid_types"),
    ("reactions.add", {"channel": "C0INCIDENTS", "timestamp": "TS", "name": ":eyes:"}, "invalid_name"),
    ("reactions.add", {"name": "eyes"}, "no_item_specified"),
    (
        "assistant.threads.setStatus",
        {"channel_id": "C0INCIDENTS", "thread_ts": "TS", "status": "x", "loading_messages": ["x"] * 11},
        "invalid_arguments",
    ),
    (
        "assistant.threads.setSuggestedPrompts",
        {"channel_id": "D0ADA00001", "prompts": [{"title": "x"}]},
        "invalid_arguments",
    ),
    (
        "views.publish",
        {"user_id": "U0ADA00001", "view": {"type": "home", "blocks": [{"type": "header"}]}},
        "invalid_arguments",
    ),
    (
        "views.open",
        {"view": {"type": "modal", "title": plain("x"), "blocks": [section()]}, "trigger_id": "1.a"},
        "invalid_trigger_id",
    ),
    (
        "views.open",
        {"view": {"type": "modal", "title": plain("x" * 25), "blocks": []}, "trigger_id": "1.a"},
        "invalid_arguments",
    ),
    ("apps.connections.open", {}, "not_allowed_token_type"),
]


@pytest.mark.parametrize(("method", "arguments", "error"), OTHER_METHODS)
async def test_other_methods_refuse_too(slack: Slack, method: str, arguments: Json, error: str) -> None:
    ts = await slack.say("hello")
    body = {name: ts if value == "TS" else value for name, value in arguments.items()}
    with pytest.raises(SlackApiError) as raised:
        await slack.bot.api_call(method, json=body)
    assert raised.value.response["error"] == error
    assert await slack.violations() == [error]


@pytest.mark.parametrize(
    ("token", "error"),
    [("xoxb-other", "invalid_auth"), ("", "not_authed"), ("xapp-sandbox-0001", "not_allowed_token_type")],
)
async def test_tokens_are_checked(slack: Slack, token: str, error: str) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with slack.http.post(f"{slack.url}/api/auth.test", headers=headers) as response:
        assert (response.status, (await response.json())["error"]) == (200, error)


async def test_arguments_may_come_as_json_form_or_query(slack: Slack) -> None:
    address, headers = f"{slack.url}/api/chat.postMessage", {"Authorization": f"Bearer {slack.bot.token}"}
    blocks = '[{"type": "divider"}]'
    body = {"channel": "C0INCIDENTS", "text": "x", "blocks": blocks}
    hows: list[Json] = [{"json": body}, {"data": body}, {"params": body}]
    for how in hows:
        async with slack.http.post(address, headers=headers, **how) as response:
            assert (await response.json())["ok"]
    as_json = {**headers, "Content-Type": "application/json"}
    async with slack.http.post(address, headers=as_json, data="{") as response:
        assert (await response.json())["error"] == "invalid_json"
    async with slack.http.post(address, headers=as_json, data="[]") as response:
        assert (await response.json())["error"] == "json_not_object"


async def test_a_method_has_its_tier_and_says_how_long_to_wait(slack: Slack) -> None:
    await slack.order("clock", rate=0.001)
    ts = (await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x"))["ts"]
    for number in range(50):
        await slack.bot.chat_update(channel="C0INCIDENTS", ts=ts, text=f"{number}")
    with pytest.raises(SlackApiError) as raised:
        await slack.bot.chat_update(channel="C0INCIDENTS", ts=ts, text="one more")
    assert (raised.value.response.status_code, raised.value.response["error"]) == (429, "ratelimited")
    assert 50 <= int(raised.value.response.headers["Retry-After"]) <= 60

    await slack.order("clock", rate=10_000)

    async def updated() -> bool:
        try:
            return bool((await slack.bot.chat_update(channel="C0INCIDENTS", ts=ts, text="later"))["ok"])
        except SlackApiError:
            return False

    await until(updated)
    assert await slack.violations() == []


async def test_posts_are_limited_for_each_channel_by_itself(slack: Slack) -> None:
    await slack.order("clock", rate=0.001)
    for _ in range(3):
        await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
    with pytest.raises(SlackApiError) as raised:
        await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x")
    assert raised.value.response.headers["Retry-After"] == "1"
    await slack.bot.chat_postMessage(channel="C0PLATFORM1", text="x")
    calls = (await slack.read("calls", method="chat.postMessage"))["calls"]
    assert [call["status"] for call in calls] == [200, 200, 200, 429, 200]
