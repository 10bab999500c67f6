"""The app's tabs and the buttons below an answer, as strict as Slack: views and their hashes, prompts, which button."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from .conftest import Slack
from .test_sockets import connected

Json = dict[str, Any]
ADA = "U0ADA00001"
SECTION: Json = {"type": "section", "text": {"type": "mrkdwn", "text": "*Open incidents*"}}
PLAIN: Json = {"type": "plain_text", "text": "x"}


def home(*blocks: Json, **more: Any) -> Json:
    return {"type": "home", "blocks": list(blocks) or [SECTION], **more}


async def refused(slack: Slack, method: str, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as raised:
        await slack.bot.api_call(method, json=arguments)
    return str(raised.value.response["error"])


async def test_a_view_is_replaced_by_its_hash_only_while_it_is_the_one_that_is_shown(slack: Slack) -> None:
    first = (await slack.bot.views_publish(user_id=ADA, view=home()))["view"]["hash"]
    second = (await slack.bot.views_publish(user_id=ADA, view=home(SECTION, SECTION), hash=first))["view"]["hash"]
    assert second != first
    assert await refused(slack, "views.publish", user_id=ADA, view=home(), hash=first) == "hash_conflict"
    assert len((await slack.read("home", user=ADA))["view"]["blocks"]) == 2
    await slack.bot.views_publish(user_id=ADA, view=home())
    assert await slack.violations() == [], "a conflict is an answer, no carelessness"


@pytest.mark.parametrize(
    "view",
    [
        home(*[SECTION] * 101),
        home(title=PLAIN),
        home(submit=PLAIN),
        home({"type": "context_actions", "elements": []}),
        home({"type": "markdown", "text": "x"}),
        {"type": "modal", "title": PLAIN, "blocks": [SECTION]},
        {"type": "home"},
    ],
    ids=["101 blocks", "a title", "a button", "feedback", "Markdown", "a modal", "nothing"],
)
async def test_a_home_has_blocks_of_its_own_kind_and_nothing_of_a_modal(slack: Slack, view: Json) -> None:
    assert await refused(slack, "views.publish", user_id=ADA, view=view) == "invalid_arguments"


async def test_a_home_of_nobody_is_refused(slack: Slack) -> None:
    assert await refused(slack, "views.publish", user_id="U0NOBODY01", view=home()) == "user_not_found"


PROMPT = {"title": "Status", "message": "status?"}


@pytest.mark.parametrize(
    ("channel", "prompts", "error"),
    [
        ("C0INCIDENTS", [PROMPT], "channel_not_found"),
        ("D0ADA00001", [PROMPT] * 5, "invalid_arguments"),
        ("D0ADA00001", [], "invalid_arguments"),
        ("D0ADA00001", [{**PROMPT, "title": " "}], "invalid_arguments"),
        ("D0ADA00001", [{**PROMPT, "icon": "x"}], "invalid_arguments"),
    ],
    ids=["a channel", "five", "none", "without words", "more than words"],
)
async def test_prompts_are_one_to_four_in_a_direct_message(
    slack: Slack, channel: str, prompts: list[Json], error: str
) -> None:
    method = "assistant.threads.setSuggestedPrompts"
    assert await refused(slack, method, channel_id=channel, prompts=prompts) == error


@pytest.mark.parametrize(
    ("without", "method", "arguments"),
    [
        ("assistant:write", "assistant.threads.setSuggestedPrompts", {"prompts": [PROMPT]}),
        ("chat:write", "assistant.threads.setStatus", {"status": "x", "thread_ts": "TS"}),
    ],
)
async def test_each_method_of_the_assistant_needs_its_scope(
    slack: Slack, without: str, method: str, arguments: Json
) -> None:
    ts = await slack.say("hello", channel="D0ADA00001")
    await slack.order("scopes", without=[without])
    given = {name: ts if value == "TS" else value for name, value in arguments.items()}
    assert await refused(slack, method, channel_id="D0ADA00001", **given) == "missing_scope"


def feedback(**more: Any) -> Json:
    buttons = {
        "type": "feedback_buttons",
        "action_id": "helped",
        "positive_button": {"text": PLAIN, "value": "good"},
        "negative_button": {"text": PLAIN, "value": "bad"},
        **more,
    }
    return {"type": "context_actions", "elements": [buttons]}


@pytest.mark.parametrize("how", ["posted", "streamed"])
async def test_a_click_on_feedback_says_which_button_it_was(slack: Slack, how: str) -> None:
    thread = await slack.say("look", channel="D0ADA00001")
    place: Json = {"channel": "D0ADA00001", "thread_ts": thread}
    if how == "posted":
        ts = (await slack.bot.chat_postMessage(**place, text="x", blocks=[feedback()]))["ts"]
    else:
        who: Json = {"recipient_user_id": ADA, "recipient_team_id": "T0SANDBOX1"}
        ts = (await slack.bot.chat_startStream(**place, **who))["ts"]
        await slack.bot.chat_stopStream(channel="D0ADA00001", ts=ts, blocks=[feedback()])
    click = {"channel": "D0ADA00001", "ts": ts, "user": "Ada", "action_id": "helped"}
    assert (await slack.try_order("actions", **click))[0] == 409, "it is two buttons"
    assert (await slack.try_order("actions", **click, value="maybe"))[0] == 409
    async with await connected(slack) as ws:
        await slack.order("actions", **click, value="bad")
        frame = await ws.receive_json(timeout=30)
        while frame["type"] != "interactive":
            frame = await ws.receive_json(timeout=30)
    (action,) = frame["payload"]["actions"]
    assert (action["type"], action["action_id"], action["value"]) == ("feedback_buttons", "helped", "bad")


@pytest.mark.parametrize(
    "block",
    [
        feedback(negative_button={"text": PLAIN}),
        feedback(negative_button={"text": {"type": "plain_text", "text": "x" * 76}, "value": "bad"}),
        feedback(style="primary"),
        {"type": "actions", "elements": feedback()["elements"]},
    ],
    ids=["no value", "long text", "a style", "among actions"],
)
async def test_feedback_that_slack_would_not_show_is_refused(slack: Slack, block: Json) -> None:
    assert await refused(slack, "chat.postMessage", channel="C0INCIDENTS", text="x", blocks=[block]) == "invalid_blocks"
