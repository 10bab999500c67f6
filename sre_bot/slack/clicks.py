"""Who clicked, where, and on which number: what is read of an interaction, the same for every button."""

import re
from collections.abc import Mapping
from typing import Any

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


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


def number_on(value: object) -> int:
    """The number that a button of ours carries; 0, which is nobody's, where a value is none that we would have sent."""
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else 0


def number_clicked(body: Mapping[str, Any]) -> int:
    """The number on the button that was clicked, as `number_on` reads it."""
    return number_on(body["actions"][0].get("value"))


def thread_of(body: Mapping[str, Any]) -> str:
    """The thread that the clicked message stands in, or begins."""
    message = body["message"]
    return str(message.get("thread_ts", message["ts"]))
