"""Streams as the stand-in keeps them: what it takes, what it refuses, and when it ends them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from .conftest import Slack

Json = dict[str, Any]
DM = "D0ADA00001"
WHO = {"recipient_user_id": "U0ADA00001", "recipient_team_id": "T0SANDBOX1"}


def said(text: str) -> Json:
    return {"type": "markdown_text", "text": text}


def task(status: str = "in_progress", **more: str) -> Json:
    return {"type": "task_update", "id": "t1", "title": "Reading logs", "status": status, **more}


async def begun(slack: Slack, *chunks: Json, channel: str = DM) -> Json:
    ts = await slack.say("look", channel=channel)
    answer = await slack.bot.chat_startStream(channel=channel, thread_ts=ts, chunks=list(chunks) or None, **WHO)
    return {"channel": channel, "ts": answer["ts"], "thread": ts}


async def seen(slack: Slack, stream: Json) -> Json:
    return (await slack.thread(stream["thread"], stream["channel"]))[-1]


def at(stream: Json) -> Json:
    return {"channel": stream["channel"], "ts": stream["ts"]}


async def refused(slack: Slack, method: str, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as raised:
        await slack.bot.api_call(method, json=arguments)
    return str(raised.value.response["error"])


async def test_a_stream_grows_and_ends_with_its_cards_its_blocks_and_its_metadata(slack: Slack) -> None:
    stream = await begun(slack, {"type": "plan_update", "title": "Working"}, task())
    await slack.bot.chat_appendStream(**at(stream), chunks=[said("The **pool** "), said("is full.")])
    await slack.bot.chat_appendStream(**at(stream), chunks=[task("complete", output="5 of 5")])
    assert (await seen(slack, stream))["stream"] == "open"
    block = {"type": "context", "elements": [{"type": "mrkdwn", "text": "4 s"}]}
    metadata = {"event_type": "x", "event_payload": {"key": "k"}}
    await slack.bot.chat_stopStream(**at(stream), blocks=[block], metadata=metadata, session_status="active")
    message = await seen(slack, stream)
    assert (message["stream"], message["markdown"], message["metadata"]) == (
        "ended", "The **pool** is full.", metadata,
    )  # fmt: skip
    assert message["text"] == "Working\ncomplete: Reading logs\n5 of 5\nThe *pool* is full.\n4 s"
    assert await slack.violations() == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"markdown_text": "x", "chunks": [said("x")]}, "cannot_provide_both_markdown_text_and_chunks"),
        ({"markdown_text": "x"}, "streaming_mode_mismatch"),
        ({"chunks": []}, "invalid_chunks"),
        ({"chunks": [{"type": "markdown_text", "text": ""}]}, "invalid_chunks"),
        ({"chunks": [{"type": "prose", "text": "x"}]}, "invalid_chunks"),
        ({"chunks": [task("done")]}, "invalid_chunks"),
        ({"chunks": [{**task(), "title": "x" * 257}]}, "invalid_chunks"),
        ({"chunks": [{**task(), "note": "x"}]}, "invalid_chunks"),
        ({"chunks": [said("x" * 12_001)]}, "msg_too_long"),
        ({"chunks": [said("é" * 5_301)]}, "msg_too_long"),
        ({"chunks": [task(output="x" * 5_300)]}, "msg_too_long"),
        ({"chunks": [{**task(), "id": f"t{number}"} for number in range(51)]}, "msg_blocks_too_many"),
    ],
)
async def test_what_a_stream_does_not_take_is_refused_and_noted(slack: Slack, arguments: Json, error: str) -> None:
    stream = await begun(slack, said("x"))
    assert await refused(slack, "chat.appendStream", **at(stream), **arguments) == error
    assert await slack.violations() == [error]
    assert (await seen(slack, stream))["markdown"] == "x"


@pytest.mark.parametrize("left_out", sorted(WHO))
@pytest.mark.parametrize("channel", [DM, "C0INCIDENTS"])
async def test_a_stream_needs_its_recipient_everywhere(slack: Slack, channel: str, left_out: str) -> None:
    ts = await slack.say("look", channel=channel)
    who = {name: value for name, value in WHO.items() if name != left_out}
    assert await refused(slack, "chat.startStream", channel=channel, thread_ts=ts, **who) == f"missing_{left_out}"


async def test_bytes_add_up_over_the_chunks_and_a_lower_cap_is_no_mistake_of_the_app(slack: Slack) -> None:
    await slack.order("streams", most_bytes=100)
    stream = await begun(slack, said("x" * 60))
    assert await refused(slack, "chat.appendStream", **at(stream), chunks=[said("x" * 41)]) == "msg_too_long"
    await slack.bot.chat_appendStream(**at(stream), chunks=[said("x" * 40)])
    assert await slack.violations() == []


async def test_a_stream_ends_five_minutes_after_its_start_whatever_is_appended(slack: Slack) -> None:
    stream = await begun(slack, said("a"))
    await slack.order("clock", rate=10_000)
    await asyncio.sleep(0.04)
    error = "message_not_in_streaming_state"
    assert await refused(slack, "chat.appendStream", **at(stream), chunks=[said("b")]) == error
    assert await refused(slack, "chat.stopStream", **at(stream)) == error
    message = await seen(slack, stream)
    assert (message["stream"], message["markdown"]) == ("ended", "a")
    await slack.bot.chat_update(**at(stream), text="rescued")


async def test_an_open_stream_can_neither_be_updated_nor_deleted(slack: Slack) -> None:
    stream = await begun(slack, said("a"))
    assert await refused(slack, "chat.update", **at(stream), text="b") == "streaming_state_conflict"
    assert await refused(slack, "chat.delete", **at(stream)) == "streaming_state_conflict"


async def test_a_person_can_stop_a_stream(slack: Slack) -> None:
    stream = await begun(slack, said("a"))
    await slack.order("streams/stop", **at(stream), user="Ada")
    for method in ("chat.appendStream", "chat.stopStream"):
        assert await refused(slack, method, **at(stream), chunks=[said("b")]) == "stopped_by_user"
    assert (await slack.try_order("streams/stop", **at(stream), user="Ada"))[0] == 400


async def test_refused_blocks_leave_the_stream_open_and_its_text_as_it_was(slack: Slack) -> None:
    stream = await begun(slack, said("a"))
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}]
    assert await refused(slack, "chat.stopStream", **at(stream), chunks=[said("b")], blocks=blocks) == "invalid_blocks"
    assert (await seen(slack, stream))["markdown"] == "a"
    await slack.bot.chat_stopStream(**at(stream), chunks=[said("b")])
    assert (await seen(slack, stream))["markdown"] == "ab"


@pytest.mark.parametrize(("read_back", "texts"), [("live", ["*ab*"]), ("first", ["**a"]), ("hidden", [])])
async def test_what_read_back_shows_of_an_open_stream_can_be_chosen(
    slack: Slack, read_back: str, texts: list[str]
) -> None:
    await slack.order("streams", read_back=read_back)
    stream = await begun(slack, said("**a"))
    await slack.bot.chat_appendStream(**at(stream), chunks=[said("b**")])

    async def read() -> list[str]:
        answer = await slack.bot.conversations_replies(channel=DM, ts=stream["thread"])
        return [message["text"] for message in answer["messages"][1:]]

    assert await read() == texts
    await slack.bot.chat_stopStream(**at(stream))
    assert await read() == ["*ab*"]


@pytest.mark.parametrize(
    ("method", "calls"), [("chat.startStream", 20), ("chat.appendStream", 100), ("chat.stopStream", 20)]
)
async def test_streams_have_the_limits_of_their_tier(slack: Slack, method: str, calls: int) -> None:
    ts = await slack.say("look", channel=DM)
    arguments = {"channel": DM, "thread_ts": "1.000001"} if method == "chat.startStream" else {"channel": DM, "ts": ts}
    errors = [await refused(slack, method, **arguments) for _ in range(calls + 1)]
    assert [error == "ratelimited" for error in errors] == [False] * calls + [True]
