"""The payloads of the Events API, in the shapes that Slack documents.

`message_changed` of the app's own message carries a `bot_id` and no `user`: that is the form which Bolt's
"ignore my own events" does not catch, so an app that survives it survives the other.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from sandbox.slack.messages import on_the_wire
from sandbox.slack.world import APP_ID, BOT_ID, BOT_USER, TEAM_ID, Channel, Message

Json = dict[str, Any]


def callback(event: Json, event_id: str, channel: Channel | None) -> Json:
    """The `event_callback` around an event; the same event_id travels with every redelivery."""
    return {
        "token": "sandbox-verification",
        "team_id": TEAM_ID,
        "context_team_id": TEAM_ID,
        "context_enterprise_id": None,
        "api_app_id": APP_ID,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(time.time()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM_ID,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": bool(channel and channel.is_ext_shared),
        "event_context": f"4-{uuid.uuid4().hex}",
    }


def posted(message: Message, channel: Channel) -> Json:
    """A `message` event."""
    return _in_channel(_bare(message, channel), channel, message.ts)


def mentioned(message: Message, channel: Channel) -> Json:
    """The `app_mention` beside it: the same ts, no channel_type."""
    return {**_bare(message, channel), "type": "app_mention", "channel": channel.id, "event_ts": message.ts}


def changed(before: Json, message: Message, channel: Channel, ts: str) -> Json:
    """A `message_changed` event; `before` is the wire form before the edit."""
    after = on_the_wire(message, channel)
    if message.bot_id == BOT_ID:
        before, after = (_without_user(wire) for wire in (before, after))
    event = {"type": "message", "subtype": "message_changed", "hidden": True, "ts": ts}
    return _in_channel({**event, "message": after, "previous_message": before}, channel, ts)


def deleted(before: Json, channel: Channel, ts: str) -> Json:
    """A `message_deleted` event."""
    event = {"type": "message", "subtype": "message_deleted", "hidden": True, "ts": ts}
    return _in_channel({**event, "deleted_ts": before["ts"], "previous_message": before}, channel, ts)


def home_opened(user: str, tab: str, channel: str, ts: str) -> Json:
    """An `app_home_opened` event; `tab` is `home` or `messages`."""
    return {"type": "app_home_opened", "user": user, "channel": channel, "tab": tab, "event_ts": ts}


def session_stopped(message: Message, channel: Channel, user: str, ts: str) -> Json:
    """An `agent_session_stopped` event: a person used Slack's own Stop button."""
    return {
        "type": "agent_session_stopped",
        "channel": channel.id,
        "thread_ts": message.thread_ts,
        "user": user,
        "streaming_message_ts": [message.ts],
        "event_ts": ts,
    }


def _bare(message: Message, channel: Channel) -> Json:
    """The message as an event shows it: without what only read-back adds."""
    wire = on_the_wire(message, channel)
    return {name: value for name, value in wire.items() if not name.startswith(("reply_", "latest_", "is_"))}


def _without_user(wire: Json) -> Json:
    return {name: value for name, value in wire.items() if name != "user"}


def _in_channel(event: Json, channel: Channel, ts: str) -> Json:
    return {**event, "channel": channel.id, "event_ts": ts, "channel_type": channel.kind}
