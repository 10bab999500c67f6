"""A click as Slack would send it, with whatever a test says that it carries."""

from typing import Any

from tests.conftest import Slack


def forged_click(slack: Slack, action: str, value: Any, *, user: str = "Ada", **given: str) -> dict[str, Any]:
    """The payload of a button; of what is not given (channel, thread, card, team) Slack's own, or none at all.

    Args:
        slack: where it is sent, with `order("envelopes", payload=…)`.
        action: the button's action id.
        value: what the button carries.
        user: name or id of the person.
        given: where it was clicked, and from which workspace.
    """
    world, channel, card = slack.world, given.get("channel", slack.channel), given.get("card", "1.000001")
    thread = {"thread_ts": given["thread"]} if "thread" in given else {}
    return {
        "type": "block_actions",
        "user": {"id": world["users"].get(user, user), "name": user, "team_id": given.get("team", world["team"])},
        "api_app_id": world["app"],
        "team": {"id": world["team"], "domain": "sandbox"},
        "container": {"type": "message", "message_ts": card, "channel_id": channel, **thread},
        "trigger_id": "1.2.3",
        "channel": {"id": channel, "name": "x"},
        "message": {"type": "message", "ts": card, "user": world["bot"]["user"], "text": "x", **thread},
        "state": {"values": {}},
        "actions": [{"action_id": action, "block_id": "b", "type": "button", "value": value}],
    }
