"""How a message looks: on the wire to apps, and on the screen to people."""

from __future__ import annotations

from typing import Any

from sandbox.slack.rendering import as_mrkdwn, as_seen
from sandbox.slack.world import APP_ID, BOT_ID, TEAM_ID, Channel, Message, World

Json = dict[str, Any]


def on_the_wire(message: Message, channel: Channel, *, with_metadata: bool = False) -> Json:
    """The message object of conversations.history, with thread figures when it has replies."""
    wire: Json = {"type": "message", "ts": message.ts, "text": message.text, "team": TEAM_ID}
    optional = {
        "subtype": message.subtype,
        "user": message.user,
        "client_msg_id": message.client_msg_id,
        "bot_id": message.bot_id,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "files": message.files,
        "edited": message.edited,
        "thread_ts": message.thread_ts,
        "username": message.bot_name if message.subtype == "bot_message" else None,
    }
    wire |= {name: value for name, value in optional.items() if value}
    if message.bot_id == BOT_ID:
        profile = {"id": BOT_ID, "app_id": APP_ID, "name": "SRE Bot", "team_id": TEAM_ID, "deleted": False}
        wire |= {"app_id": APP_ID, "bot_profile": profile}
    if message.is_reply and (parent := channel.messages.get(str(message.thread_ts))):
        wire["parent_user_id"] = parent.user or parent.bot_id
    if message.reactions:
        wire["reactions"] = reactions_of(message)
    if with_metadata and message.metadata:
        wire["metadata"] = message.metadata
    return wire | _thread_figures(message, channel)


def _thread_figures(message: Message, channel: Channel) -> Json:
    replies = channel.replies(message.ts)
    if not replies:
        return {}
    writers = list(dict.fromkeys(reply.user or reply.bot_id or "" for reply in replies))
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users": writers,
        "reply_users_count": len(writers),
        "latest_reply": replies[-1].ts,
        "is_locked": False,
        "subscribed": False,
    }


def reactions_of(message: Message) -> list[Json]:
    """The `reactions` array of a message."""
    return [{"name": name, "users": users, "count": len(users)} for name, users in message.reactions.items() if users]


def as_people_see(message: Message, world: World) -> Json:
    """One entry of the control API's thread: `text` is what is on the screen, `markdown` what the app sent."""
    shown = as_mrkdwn(message.blocks) if message.blocks else message.text
    seen: Json = {
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "user": message.user,
        "name": author_of(message, world),
        "bot": message.bot_name,
        "text": as_seen(shown, world),
        "notification": as_seen(message.text, world),
        "markdown": message.markdown,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "files": message.files,
        "subtype": message.subtype,
        "edited": message.edited is not None,
        "reactions": {reaction["name"]: reaction["users"] for reaction in reactions_of(message)},
        "metadata": message.metadata,
        "stream": message.stream.state if message.stream else None,
    }
    return seen | ({"ephemeral_to": message.ephemeral_to} if message.ephemeral_to else {})


def author_of(message: Message, world: World) -> str:
    """The name above the message."""
    if message.user in world.users:
        return world.users[message.user].mention
    return message.bot_name or message.bot_id or "Slackbot"
