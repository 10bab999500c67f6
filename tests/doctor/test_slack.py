"""Each thing that can be wrong with the Slack app, once."""

from typing import Any

import pytest

from sre_bot.doctor.finding import State
from sre_bot.doctor.slack import judge_scopes
from tests.doctor.conftest import Installation


@pytest.mark.parametrize(
    ("check", "changes", "words"),
    [
        ("Slack bot token", {"SLACK_BOT_TOKEN": "xoxb-wrong"}, "SLACK_BOT_TOKEN (invalid_auth)"),
        ("Slack bot token", {"SLACK_BOT_TOKEN": "xapp-sandbox-0001"}, "starts with xapp-"),
        ("Slack bot token", {"SLACK_BOT_TOKEN": "something"}, "does not start with xoxb-. Take"),
        ("Slack bot token", {"SLACK_API_URL": "http://127.0.0.1:9/api"}, "Slack did not answer"),
        ("Slack app token", {"SLACK_APP_TOKEN": "xapp-wrong"}, "SLACK_APP_TOKEN (invalid_auth)"),
        ("Slack app token", {"SLACK_APP_TOKEN": "xoxb-sandbox-0001"}, "connections:write"),
        ("Incident channel", {"SLACK_INCIDENT_CHANNEL": "C0RANDOM001"}, "The bot is not in #random. Invite it"),
        ("Incident channel", {"SLACK_INCIDENT_CHANNEL": "C0ARCHIVED1"}, "#old-incidents is archived"),
        ("Incident channel", {"SLACK_INCIDENT_CHANNEL": "C0PARTNER01"}, "shared with another organisation"),
        ("Incident channel", {"SLACK_INCIDENT_CHANNEL": "C0NOWHERE01"}, "channel_not_found"),
        ("Incident channel", {"SLACK_INCIDENT_CHANNEL": ""}, "no card can be posted"),
    ],
)
async def test_what_is_wrong_is_said_with_what_to_do(
    check: str, changes: dict[str, str], words: str, with_slack: Installation
) -> None:
    assert words in await with_slack.problem(check, **changes)


async def test_scopes_that_the_app_lacks_are_named(with_slack: Installation, slack: Any) -> None:
    await slack.order("scopes", without=["files:write", "users:read"])
    words = await with_slack.problem("Slack bot token", "Slack scopes")
    assert "Missing: files:write, users:read." in words
    assert "config/slack-manifest.json" in words
    assert "reinstall" in words


async def test_a_slack_that_fails_is_a_row_and_a_channel_waits_for_the_token(
    with_slack: Installation, slack: Any
) -> None:
    await slack.order("faults", method="auth.test", kind="http_500")
    assert "http_500" in await with_slack.problem("Slack bot token")
    found = await with_slack.look("Incident channel", SLACK_BOT_TOKEN="xoxb-wrong")
    assert found["Incident channel"].state is State.SKIPPED


async def test_without_webhooks_a_channel_is_a_matter_of_choice(with_slack: Installation) -> None:
    none = {"SLACK_INCIDENT_CHANNEL": "", "PAGERDUTY_WEBHOOK_SECRET": "", "ALERTMANAGER_WEBHOOK_TOKEN": ""}
    assert (await with_slack.look("Incident channel", **none))["Incident channel"].state is State.NOT_CONFIGURED


def test_an_answer_without_the_header_is_no_verdict() -> None:
    assert judge_scopes({}).state is State.SKIPPED
    assert judge_scopes({"X-OAuth-Scopes": "chat:write, users:read"}).state is State.PROBLEM
