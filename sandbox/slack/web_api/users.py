"""users.* and usergroups.*: people, and who is in which group."""

from __future__ import annotations

from sandbox.slack.limits import TIERS
from sandbox.slack.web_api.call import Call, Json, Refused, method
from sandbox.slack.web_api.conversations import page
from sandbox.slack.world import BOT_USER

KINDS = {"channel": "public_channel", "group": "private_channel", "im": "im"}


@method("users.info", per_minute=TIERS[4], required=("user",), optional=("include_locale",))
async def info(call: Call) -> Json:
    """One person."""
    user = call.workspace.world.users.get(call.text("user"))
    if user is None:
        raise Refused("user_not_found")
    return {"user": user.wire()}


@method(
    "users.conversations",
    per_minute=TIERS[3],
    optional=("cursor", "limit", "types", "user", "exclude_archived"),
)
async def conversations(call: Call) -> Json:
    """The conversations that the bot, or `user`, is in; public channels unless `types` says otherwise."""
    types = set((call.text("types") or "public_channel").split(","))
    if types - {*KINDS.values(), "mpim"}:
        raise Refused("invalid_types")
    member = call.text("user") or BOT_USER
    found = [
        channel.wire()
        for channel in call.workspace.world.channels.values()
        if member in channel.members
        and KINDS[channel.kind] in types
        and not (channel.is_archived and call.flag("exclude_archived"))
    ]
    chosen, following = page(call, found, 100)
    return {"channels": chosen, "response_metadata": following["response_metadata"]}


@method(
    "usergroups.users.list",
    per_minute=TIERS[2],
    required=("usergroup",),
    optional=("include_disabled",),
)
async def usergroup_members(call: Call) -> Json:
    """The people of a group."""
    members = call.workspace.world.usergroups.get(call.text("usergroup"))
    if members is None:
        raise Refused("no_such_subteam")
    return {"users": members}
