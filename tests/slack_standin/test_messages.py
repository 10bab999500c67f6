"""Posting, changing and reading messages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from .conftest import Slack

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*cause*"}}
QUIET: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}


async def error_of(call) -> str:
    with pytest.raises(SlackApiError) as raised:
        await call
    return str(raised.value.response["error"])


async def test_a_reply_is_in_the_thread_and_counted_on_its_parent(slack: Slack) -> None:
    ts = await slack.say("@SRE Bot 500 errors spiking")
    answer = await slack.bot.chat_postMessage(channel="C0INCIDENTS", thread_ts=ts, text="looking")

    read = await slack.bot.conversations_replies(channel="C0INCIDENTS", ts=ts)

    parent, reply = read["messages"]
    assert parent["text"] == "<@U0SREBOT01> 500 errors spiking"
    assert (parent["reply_count"], parent["reply_users"], parent["latest_reply"]) == (1, ["U0SREBOT01"], answer["ts"])
    assert (reply["text"], reply["thread_ts"], reply["parent_user_id"]) == ("looking", ts, "U0ADA00001")
    assert reply["bot_id"] == "B0SREBOT01"
    assert re.fullmatch(r"\d+\.\d{6}", reply["ts"])
    assert await slack.violations() == []


async def test_people_see_names_and_no_markup(slack: Slack) -> None:
    ts = await slack.say("@sre bot is a < b & c?")
    (message,) = await slack.thread(ts)
    assert message["text"] == "@SRE Bot is a < b & c?"
    assert message["name"] == "Ada"


async def test_markdown_text_is_read_back_converted_and_never_as_markdown(slack: Slack) -> None:
    markdown = (
        "# Cause\n\n**pool** exhausted, see [graph](https://example.com/a)\n\n- one\n- two\n\n```py\nx = 1\n```\n"
    )
    posted = await slack.bot.chat_postMessage(channel="C0INCIDENTS", markdown_text=markdown, **QUIET)

    (read,) = (await slack.bot.conversations_history(channel="C0INCIDENTS"))["messages"]

    assert read["text"] == "Cause\n*pool* exhausted, see <https://example.com/a|graph>\n• one\n• two\n```\nx = 1\n```"
    assert [block["type"] for block in read["blocks"]] == ["header", "rich_text"]
    (seen,) = await slack.thread(posted["ts"])
    assert seen["markdown"] == markdown
    assert await slack.violations() == []


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a | b\n1 | 2"),
        ("> quoted *text*", "> quoted _text_"),
        ("1. one\n2. two", "1. one\n2. two"),
        ("- a\n  - b\n- c", "• a\n  • b\n• c"),
        ("~~gone~~ `code` a < b", "~gone~ `code` a &lt; b"),
        ("one\n\n---\n\ntwo", "one\n---\ntwo"),
    ],
)
async def test_markdown_becomes(slack: Slack, markdown: str, expected: str) -> None:
    answer = await slack.bot.chat_postMessage(channel="C0INCIDENTS", markdown_text=markdown)
    assert answer["message"]["text"] == expected


async def test_text_is_read_back_escaped_and_with_links(slack: Slack) -> None:
    answer = await slack.bot.chat_postMessage(
        channel="C0INCIDENTS", text="a < b & c &amp; d, https://example.com/x?a=1&b=2.", **QUIET
    )
    assert answer["message"]["text"] == "a &lt; b &amp; c &amp; d, <https://example.com/x?a=1&amp;b=2>."


async def test_update_with_text_alone_removes_the_blocks_and_shows_edited(slack: Slack) -> None:
    posted = await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=[SECTION])
    await slack.bot.chat_update(channel="C0INCIDENTS", ts=posted["ts"], text="done")
    (seen,) = await slack.thread(posted["ts"])
    assert (seen["text"], seen["blocks"], seen["edited"]) == ("done", [], True)


async def test_update_with_blocks_is_not_marked_edited_and_keeps_metadata(slack: Slack) -> None:
    metadata = {"event_type": "reply", "event_payload": {"turn": "1"}}
    posted = await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", metadata=metadata)
    await slack.bot.chat_update(channel="C0INCIDENTS", ts=posted["ts"], text="y", blocks=[SECTION])
    (seen,) = await slack.thread(posted["ts"])
    assert (seen["text"], seen["notification"], seen["edited"]) == ("*cause*", "y", False)
    assert seen["metadata"] == metadata


async def test_metadata_is_read_back_only_when_asked_for(slack: Slack) -> None:
    metadata = {"event_type": "reply", "event_payload": {"turn": "1"}}
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", metadata=metadata)
    plain = await slack.bot.conversations_history(channel="C0INCIDENTS")
    full = await slack.bot.conversations_history(channel="C0INCIDENTS", include_all_metadata=True)
    assert "metadata" not in plain["messages"][0]
    assert full["messages"][0]["metadata"] == metadata


async def test_a_broadcast_reply_is_in_the_channel_too(slack: Slack) -> None:
    ts = await slack.say("down")
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", thread_ts=ts, text="up", reply_broadcast=True)
    history = await slack.bot.conversations_history(channel="C0INCIDENTS")
    assert [m.get("subtype") for m in history["messages"]] == ["thread_broadcast", None]


async def test_a_reply_ts_as_thread_ts_is_noted_and_lands_in_the_parents_thread(slack: Slack) -> None:
    ts = await slack.say("down")
    reply = await slack.say("still", thread_ts=ts, user="Grace")
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", thread_ts=reply, text="looking")
    assert [message["text"] for message in await slack.thread(ts)] == ["down", "still", "looking"]
    assert await slack.violations() == ["thread_ts_is_a_reply"]


async def test_state_errors_are_slacks_and_no_violations(slack: Slack) -> None:
    bot, ts = slack.bot, await slack.say("hello")
    await bot.reactions_add(channel="C0INCIDENTS", timestamp=ts, name="eyes")
    errors = [
        await error_of(bot.chat_postMessage(channel="C0NOWHERE", text="x")),
        await error_of(bot.chat_postMessage(channel="C0RANDOM001", text="x")),
        await error_of(bot.chat_postMessage(channel="C0ARCHIVED1", text="x")),
        await error_of(bot.chat_postMessage(channel="C0INCIDENTS", text="x", thread_ts="1.000001")),
        await error_of(bot.chat_update(channel="C0INCIDENTS", ts="1.000001", text="x")),
        await error_of(bot.chat_update(channel="C0INCIDENTS", ts=ts, text="x")),
        await error_of(bot.chat_delete(channel="C0INCIDENTS", ts=ts)),
        await error_of(bot.chat_postEphemeral(channel="C0INCIDENTS", user="U0PARTNER1", text="x")),
        await error_of(bot.conversations_history(channel="C0RANDOM001")),
        await error_of(bot.conversations_replies(channel="C0INCIDENTS", ts="1.000001")),
        await error_of(bot.reactions_add(channel="C0INCIDENTS", timestamp=ts, name="eyes")),
        await error_of(bot.reactions_remove(channel="C0INCIDENTS", timestamp=ts, name="fire")),
        await error_of(bot.users_info(user="U0NOBODY")),
        await error_of(bot.usergroups_users_list(usergroup="S0NOBODY")),
    ]
    assert errors == [
        "channel_not_found", "not_in_channel", "is_archived", "thread_not_found", "message_not_found",
        "cant_update_message", "cant_delete_message", "user_not_in_channel", "not_in_channel", "thread_not_found",
        "already_reacted", "no_reaction", "user_not_found", "no_such_subteam",
    ]  # fmt: skip
    assert await slack.violations() == []


async def test_a_deleted_parent_leaves_a_tombstone_above_its_replies(slack: Slack) -> None:
    ts = await slack.say("down")
    await slack.say("me too", thread_ts=ts, user="Grace")
    await slack.order("messages/delete", channel="#incidents", ts=ts)
    assert [message["subtype"] for message in await slack.thread(ts)] == ["tombstone", None]


async def test_an_ephemeral_is_in_no_history(slack: Slack) -> None:
    await slack.bot.chat_postEphemeral(channel="C0INCIDENTS", user="U0ADA00001", text="only you")
    history = await slack.bot.conversations_history(channel="C0INCIDENTS")
    assert history["messages"] == []


async def test_history_is_paged_newest_first_and_bounded_by_time(slack: Slack) -> None:
    stamps = [await slack.say(f"m{number}") for number in range(5)]
    texts, cursor = [], ""
    while True:
        page = await slack.bot.conversations_history(channel="C0INCIDENTS", limit=2, cursor=cursor)
        texts += [message["text"] for message in page["messages"]]
        cursor = page["response_metadata"]["next_cursor"]
        if not page["has_more"]:
            break
    assert texts == ["m4", "m3", "m2", "m1", "m0"]

    async def between(**bounds) -> list[str]:
        read = await slack.bot.conversations_history(channel="C0INCIDENTS", **bounds)
        return [message["text"] for message in read["messages"]]

    assert await between(oldest=stamps[1], latest=stamps[3]) == ["m2"]
    assert await between(oldest=stamps[1], latest=stamps[3], inclusive=True) == ["m3", "m2", "m1"]


async def test_a_file_goes_through_three_steps_and_its_size_is_checked(slack: Slack) -> None:
    ts = await slack.say("logs?")
    await slack.bot.files_upload_v2(
        channel="C0INCIDENTS", thread_ts=ts, filename="a.md", content="# hello", initial_comment="here"
    )
    message = (await slack.thread(ts))[1]
    assert (message["subtype"], message["text"], message["files"][0]["size"]) == ("file_share", "here", 7)
    address = message["files"][0]["url_private"]
    async with slack.http.get(address, headers={"Authorization": f"Bearer {slack.bot.token}"}) as response:
        assert await response.text() == "# hello"

    announced = await slack.bot.files_getUploadURLExternal(filename="b.md", length=3)
    async with slack.http.post(announced["upload_url"], data=b"four") as response:
        assert response.status == 400
    assert await error_of(slack.bot.files_completeUploadExternal(files=[{"id": announced["file_id"]}])) == (
        "file_not_found"
    )


async def test_people_upload_files_that_the_bot_can_read(slack: Slack) -> None:
    ts = await slack.say("see", files=[{"name": "trace.log", "content": "boom"}])
    (message,) = await slack.thread(ts)
    async with slack.http.get(message["files"][0]["url_private"], allow_redirects=False) as response:
        assert response.status == 302
    assert message["subtype"] == "file_share"


async def test_the_rest_of_the_methods_answer(slack: Slack) -> None:
    bot, ts = slack.bot, await slack.say("hello")
    assert (await bot.auth_test())["user_id"] == "U0SREBOT01"
    assert (await bot.users_info(user="U0GUEST001"))["user"]["is_restricted"]
    assert (await bot.conversations_info(channel="C0PARTNER01"))["channel"]["is_ext_shared"]
    assert "U0GRACE001" in (await bot.conversations_members(channel="C0INCIDENTS"))["members"]
    assert (await bot.conversations_open(users="U0ADA00001"))["channel"]["id"] == "D0ADA00001"
    channels = (await bot.users_conversations(types="public_channel,im"))["channels"]
    assert "C0RANDOM001" not in [channel["id"] for channel in channels]
    assert (await bot.usergroups_users_list(usergroup="S0APPROVERS"))["users"] == ["U0GRACE001"]
    link = (await bot.chat_getPermalink(channel="C0INCIDENTS", message_ts=ts))["permalink"]
    assert link.endswith(f"/archives/C0INCIDENTS/p{ts.replace('.', '')}")
    await bot.reactions_add(channel="C0INCIDENTS", timestamp=ts, name="eyes")
    reactions = (await bot.reactions_get(channel="C0INCIDENTS", timestamp=ts))["message"]["reactions"]
    assert reactions == [{"name": "eyes", "users": ["U0SREBOT01"], "count": 1}]
    await bot.views_publish(user_id="U0ADA00001", view={"type": "home", "blocks": [SECTION]})
    assert (await slack.read("home", user="U0ADA00001"))["view"]["blocks"] == [SECTION]
    await bot.assistant_threads_setSuggestedPrompts(
        channel_id="D0ADA00001", prompts=[{"title": "Status", "message": "status?"}]
    )
    assert await slack.violations() == []


async def test_a_status_shows_until_the_bot_posts(slack: Slack) -> None:
    ts = await slack.say("hello")
    await slack.bot.assistant_threads_setStatus(
        channel_id="C0INCIDENTS", thread_ts=ts, status="is thinking...", loading_messages=["Reading metrics"]
    )
    shown = await slack.read("thread", channel="C0INCIDENTS", ts=ts)
    assert shown["status"]["status"] == "is thinking..."
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", thread_ts=ts, text="done")
    assert (await slack.read("thread", channel="C0INCIDENTS", ts=ts))["status"] is None


async def test_an_ephemeral_message_in_a_thread_without_replies_is_noted_since_nobody_would_see_it(
    slack: Slack,
) -> None:
    ts = await slack.say("hello")
    private: dict[str, Any] = {"channel": "C0INCIDENTS", "user": "U0ADA00001", "text": "only you", "thread_ts": ts}
    await slack.bot.chat_postEphemeral(**private)
    assert await slack.violations() == ["ephemeral_unseen"]
    await slack.say("and this?", thread_ts=ts)
    await slack.bot.chat_postEphemeral(**private)
    assert await slack.violations() == ["ephemeral_unseen"]


@pytest.mark.parametrize(
    ("date", "fine"),
    [
        ("<!date^1772614860^{date_short_pretty} at {time}|2026-03-04 09:01 UTC>", True),
        ("<!date^1772614860^{ago}^https://example.com/|then>", True),
        ("<!date^1772614860^{time}>", False),
        ("<!date^1772614860.5^{time}|then>", False),
        ("<!date^1772614860^{hour}|then>", False),
        ("<!date^1772614860^at noon|then>", False),
        ("<!date^1772614860^{time}|then", False),
    ],
)
async def test_a_date_that_slack_cannot_read_is_noted(slack: Slack, date: str, fine: bool) -> None:
    block = {"type": "section", "text": {"type": "mrkdwn", "text": f"Since {date}"}}
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=[block], unfurl_media=False)
    assert await slack.violations() == ([] if fine else ["date_token"])
    plain = {"type": "section", "text": {"type": "plain_text", "text": date}}
    await slack.bot.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=[plain], unfurl_media=False)
    assert len(await slack.violations()) == (0 if fine else 1)
