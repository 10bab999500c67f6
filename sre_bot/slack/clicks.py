"""Who clicked, and where: what the door reads of an interaction, the same for every button."""

from collections.abc import Mapping
from typing import Any


def clicked(body: Mapping[str, Any], channel: str = "", thread_ts: str = "") -> dict[str, Any]:
    """An interaction as an event that a `Door` knows.

    Args:
        body: what Slack sent.
        channel: id of the channel, where the interaction itself names none, as a modal's does.
        thread_ts: the thread in which an answer is shown; empty for the channel.
    """
    person = body["user"]
    event = {"channel": channel or body["channel"]["id"], "user": person["id"]}
    if thread_ts:
        event["thread_ts"] = thread_ts
    if "team_id" in person:  # whose partner's, in a channel that organisations share
        event["user_team"] = person["team_id"]
    return event


def thread_of(body: Mapping[str, Any]) -> str:
    """The thread that the clicked message stands in, or begins."""
    message = body["message"]
    return str(message.get("thread_ts", message["ts"]))
