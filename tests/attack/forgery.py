"""Clicks as Slack would never send them."""

import json
from typing import Any

from sre_bot.incidents.model import Approval
from sre_bot.slack.cards.proposal import APPROVE, REASON
from tests.forged import forged_click

from .court import Court


def block_actions(court: Court, approval: Approval, user: str = "Ada", **changes: Any) -> dict[str, Any]:
    """A click on Approve as Slack sends it, but for what is changed: value, action, channel, thread or card."""
    given = {"channel": approval.channel, "thread": approval.thread_ts, "card": approval.card_ts, **changes}
    action, value = given.pop("action", APPROVE), given.pop("value", str(approval.id))
    return forged_click(court.slack, action, value, user=user, **given)


def view_submission(court: Court, metadata: str, user: str = "Ada") -> dict[str, Any]:
    """The answer to the question for a reason, with whatever it is said to carry."""
    world = court.slack.world
    values = {"reason": {"text": {"type": "plain_text_input", "value": "because"}}}
    return {
        "type": "view_submission",
        "user": {"id": world["users"][user], "name": user, "team_id": world["team"]},
        "team": {"id": world["team"], "domain": "sandbox"},
        "api_app_id": world["app"],
        "view": {"callback_id": REASON, "type": "modal", "private_metadata": metadata, "state": {"values": values}},
    }


def place(approval: Approval, **changes: str) -> str:
    right = {"channel": approval.channel, "thread": approval.thread_ts, "card": approval.card_ts}
    return json.dumps({**right, "proposal": str(approval.id), **changes})


async def forge(court: Court, payload: dict[str, Any]) -> None:
    assert (await court.slack.order("envelopes", payload=payload))["delivered"]


async def refused(court: Court, payload: dict[str, Any], words: str, user: str = "Ada") -> None:
    """Send it, and wait until the person has read why it does not count."""
    person = court.slack.world["users"][user]
    calls = (await court.slack.look("calls", method="chat.postEphemeral"))["calls"]
    before = sum(words in str(call["args"].get("text")) and call["args"]["user"] == person for call in calls)
    await forge(court, payload)
    await court.told(words, user, before + 1)
