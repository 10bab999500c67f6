"""conversations.*: reading channels and threads, page by page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeVar

from sandbox.slack.limits import TIERS
from sandbox.slack.messages import on_the_wire
from sandbox.slack.streams import read_back, refresh
from sandbox.slack.web_api.call import TS, Call, Json, Refused, method
from sandbox.slack.world import BOT_USER, Channel, Message

Item = TypeVar("Item")
RANGE = ("cursor", "inclusive", "latest", "limit", "oldest", "include_all_metadata")
PAGE_MOST = 999  # Slack: conversations.history and .replies, "limit"


def readable(call: Call) -> Channel:
    """The conversation to read, which the bot must be in."""
    channel = call.channel()
    if BOT_USER not in channel.members:
        raise Refused("not_in_channel")
    return channel


def page(call: Call, items: Sequence[Item], default: int, most: int = PAGE_MOST) -> tuple[list[Item], Json]:
    """One page of `items` and the part of the answer that leads to the next."""
    limit = call.number("limit", default, 1, most)
    cursor, start = call.text("cursor"), 0
    if cursor:
        try:
            start = int(base64.b64decode(cursor, validate=True).decode().removeprefix("next:"))
        except ValueError:
            raise Refused("invalid_cursor") from None
    chosen = list(items[start : start + limit])
    more = start + limit < len(items)
    following = base64.b64encode(f"next:{start + limit}".encode()).decode() if more else ""
    return chosen, {"has_more": more, "response_metadata": {"next_cursor": following}}


def _in_range(call: Call, message: Message) -> bool:
    """Slack: oldest and latest are exclusive unless `inclusive`."""
    bounds = {name: call.text(name) for name in ("oldest", "latest")}
    for name, bound in bounds.items():
        if bound and not (TS.fullmatch(bound) or bound.replace(".", "", 1).isdigit()):
            raise Refused(f"invalid_ts_{name}")
    ts, inclusive = float(message.ts), call.flag("inclusive")
    after = not bounds["oldest"] or ts > float(bounds["oldest"])
    before = not bounds["latest"] or ts < float(bounds["latest"])
    return (after and before) or (inclusive and message.ts in bounds.values())


def _wires(call: Call, messages: list[Message], channel: Channel) -> list[Json]:
    metadata, rules = call.flag("include_all_metadata"), call.workspace.streams
    for message in messages:
        refresh(message, call.workspace.clock.now(), rules)
    wires = [read_back(on_the_wire(message, channel, with_metadata=metadata), message, rules) for message in messages]
    return [wire for wire in wires if wire is not None]


@method("conversations.history", per_minute=TIERS[3], required=("channel",), optional=RANGE)
async def history(call: Call) -> Json:
    """The channel's messages, newest first; replies only if broadcast."""
    channel = readable(call)
    shown = [m for m in channel.messages.values() if not m.is_reply or m.subtype == "thread_broadcast"]
    chosen, following = page(call, [m for m in reversed(shown) if _in_range(call, m)], 100)
    return {"messages": _wires(call, chosen, channel), "pin_count": 0, **following}


@method("conversations.replies", per_minute=TIERS[3], required=("channel", "ts"), optional=RANGE)
async def replies(call: Call) -> Json:
    """A thread, oldest first, its parent on top; of a reply's ts, that reply alone."""
    channel = readable(call)
    parent = call.message(channel, error="thread_not_found")
    below = [] if parent.is_reply else [m for m in channel.replies(parent.ts) if _in_range(call, m)]
    chosen, following = page(call, [parent, *below], PAGE_MOST)
    return {"messages": _wires(call, chosen, channel), **following}


@method(
    "conversations.info", per_minute=TIERS[3], required=("channel",), optional=("include_num_members", "include_locale")
)
async def info(call: Call) -> Json:
    """A conversation; public ones are visible from outside."""
    channel = call.channel()
    if channel.kind != "channel" and BOT_USER not in channel.members:
        raise Refused("channel_not_found")
    count = {"num_members": len(channel.members)} if call.flag("include_num_members") else {}
    return {"channel": {**channel.wire(), **count}}


@method("conversations.members", per_minute=TIERS[4], required=("channel",), optional=("cursor", "limit"))
async def members(call: Call) -> Json:
    """The ids of the members."""
    chosen, following = page(call, call.channel().members, 100, 1000)
    return {"members": chosen, "response_metadata": following["response_metadata"]}


@method(
    "conversations.open",
    per_minute=TIERS[3],
    optional=("users", "channel", "return_im", "prevent_creation"),
)
async def open_conversation(call: Call) -> Json:
    """The direct message with one person."""
    people = [user for user in call.text("users").split(",") if user]
    if not people and not call.text("channel"):
        raise Refused("users_list_not_supplied")
    if len(people) > 1:
        raise Refused("method_not_supported_for_channel_type", "the stand-in has no group direct messages")
    if people and people[0] not in call.workspace.world.users:
        raise Refused("user_not_found")
    if people and call.workspace.world.users[people[0]].is_bot:
        raise Refused("cannot_dm_bot")
    found = call.workspace.world.channel(people[0]) if people else call.channel()
    if found is None:
        raise Refused("channel_not_found")
    full = call.flag("return_im")
    return {"no_op": True, "already_open": True, "channel": found.wire() if full else {"id": found.id}}
