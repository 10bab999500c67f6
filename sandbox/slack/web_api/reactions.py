"""reactions.*: emoji below a message."""

from __future__ import annotations

import re

from sandbox.slack.limits import TIERS
from sandbox.slack.messages import on_the_wire
from sandbox.slack.web_api.call import Call, Json, Refused, method
from sandbox.slack.web_api.conversations import readable
from sandbox.slack.world import BOT_USER, Channel, Message

NAME = re.compile(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?")
MOST_EACH = 23  # Slack: too_many_emoji, different emoji by one person on one message; too_many_reactions


def _target(call: Call) -> tuple[Channel, Message]:
    if not (call.text("channel") and call.text("timestamp")):
        raise Refused("no_item_specified")
    channel = readable(call)
    return channel, call.message(channel, "timestamp")


def _name(call: Call) -> str:
    if not NAME.fullmatch(call.text("name")):
        raise Refused("invalid_name", "an emoji's name without colons, such as eyes")
    return call.text("name")


@method("reactions.add", per_minute=TIERS[3], required=("name",), optional=("channel", "timestamp"))
async def add(call: Call) -> Json:
    """React to a message."""
    channel, message = _target(call)
    if channel.is_archived:
        raise Refused("is_archived")
    if sum(BOT_USER in users for users in message.reactions.values()) >= MOST_EACH:
        raise Refused("too_many_emoji")
    if not call.workspace.react(message, BOT_USER, _name(call), add=True):
        raise Refused("already_reacted")
    return {}


@method("reactions.remove", per_minute=TIERS[2], required=("name",), optional=("channel", "timestamp"))
async def remove(call: Call) -> Json:
    """Take a reaction back."""
    _, message = _target(call)
    if not call.workspace.react(message, BOT_USER, _name(call), add=False):
        raise Refused("no_reaction")
    return {}


@method("reactions.get", per_minute=TIERS[3], optional=("channel", "timestamp", "full"))
async def get(call: Call) -> Json:
    """The reactions to a message."""
    channel, message = _target(call)
    return {"type": "message", "channel": channel.id, "message": on_the_wire(message, channel)}
