"""chat.*: post, change and delete messages. The streaming methods are a module beside this one."""

from __future__ import annotations

from sandbox.slack.limits import POSTS_PER_MINUTE, SPECIAL, TIERS
from sandbox.slack.messages import on_the_wire
from sandbox.slack.streams import refresh
from sandbox.slack.web_api.call import TS, Call, Json, RateLimited, Refused, method
from sandbox.slack.web_api.content import (
    CONTENT_ARGUMENTS,
    UPDATE_TEXT_MOST,
    Content,
    check_unfurling,
    read_content,
    require_something,
)
from sandbox.slack.world import BOT_ID, BOT_USER, Channel, Message


def writable(call: Call, name: str = "channel", *, by_name: bool = False) -> Channel:
    """The conversation that an argument names, if the bot may write there."""
    channel = call.channel(name, by_name=by_name)
    if channel.is_archived:
        raise Refused("is_archived")
    if BOT_USER not in channel.members:
        raise Refused("not_in_channel")
    return channel


def thread_of(call: Call, channel: Channel) -> str | None:
    """The thread to write in; a reply's ts is noted and stands for its parent."""
    thread_ts = call.text("thread_ts")
    if not thread_ts:
        return None
    if not TS.fullmatch(thread_ts):
        raise Refused("invalid_thread_ts")
    parent = channel.messages.get(thread_ts)
    if parent is None:
        raise Refused("thread_not_found")
    if parent.is_reply:
        call.violate("thread_ts_is_a_reply", f"thread_ts {thread_ts} is a reply, not the parent of a thread")
        return parent.thread_ts
    return thread_ts


def require_at_rest(call: Call, message: Message) -> None:
    """Refuse to touch a stream that is open: it has to be stopped first."""
    refresh(message, call.workspace.clock.now(), call.workspace.streams)
    if message.stream and message.stream.state == "open":
        raise Refused("streaming_state_conflict")


def message_of(call: Call, channel: Channel, content: Content) -> Message:
    """A new message by the bot."""
    return Message(
        call.workspace.world.next_ts(),
        channel.id,
        content.text or "",
        user=BOT_USER,
        bot_id=BOT_ID,
        bot_name="SRE Bot",
        blocks=content.blocks or [],
        attachments=content.attachments or [],
        metadata=content.metadata or None,
        markdown=content.markdown,
    )


@method(
    "chat.postMessage",
    per_minute=POSTS_PER_MINUTE,
    required=("channel",),
    optional=(
        *CONTENT_ARGUMENTS, "thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media", "mrkdwn",
        "client_msg_id",
    ),
)  # fmt: skip
async def post_message(call: Call) -> Json:
    """Post a message."""
    channel = writable(call, by_name=True)
    if seconds := call.take_post(channel.id):
        raise RateLimited(seconds)
    content = read_content(call)
    require_something(content)
    check_unfurling(call, content)
    thread_ts = thread_of(call, channel)
    message = message_of(call, channel, content)
    message.thread_ts = thread_ts
    if thread_ts and call.flag("reply_broadcast"):
        message.subtype = "thread_broadcast"
    call.workspace.post(message, bare_pings=content.bare_pings)
    return {"channel": channel.id, "ts": message.ts, "message": on_the_wire(message, channel)}


@method(
    "chat.update",
    per_minute=TIERS[3],
    required=("channel", "ts"),
    optional=(*CONTENT_ARGUMENTS, "as_user", "reply_broadcast", "file_ids"),
)
async def update(call: Call) -> Json:
    """Replace a message's content.

    Slack: text without blocks removes the blocks; attachments and metadata stay unless sent; "(edited)" is
    shown only when no blocks are sent.
    """
    channel = writable(call)
    message = call.message(channel)
    if message.bot_id != BOT_ID or message.subtype == "tombstone":
        raise Refused("cant_update_message")
    require_at_rest(call, message)
    content = read_content(call, most_text_bytes=UPDATE_TEXT_MOST)
    before = on_the_wire(message, channel)
    if content.text is None and content.blocks is None and content.attachments is None and content.metadata is None:
        raise Refused("no_text")
    if content.text is not None or content.blocks is not None:
        require_something(content)
        message.text, message.blocks = content.text or "", content.blocks or []
        message.markdown = content.markdown
        message.edited = None if content.blocks else {"user": BOT_USER, "ts": call.workspace.world.next_ts()}
    message.attachments = message.attachments if content.attachments is None else content.attachments
    message.metadata = message.metadata if content.metadata is None else content.metadata or None
    call.workspace.change(message, before, bare_pings=content.bare_pings)
    wire = on_the_wire(message, channel)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": wire}


@method("chat.delete", per_minute=TIERS[3], required=("channel", "ts"), optional=("as_user",))
async def delete(call: Call) -> Json:
    """Delete one of the bot's own messages."""
    channel = writable(call)
    message = call.message(channel)
    if message.bot_id != BOT_ID:
        raise Refused("cant_delete_message")
    require_at_rest(call, message)
    call.workspace.remove(message)
    return {"channel": channel.id, "ts": message.ts}


@method(
    "chat.postEphemeral",
    per_minute=TIERS[4],
    required=("channel", "user"),
    optional=(*CONTENT_ARGUMENTS, "thread_ts", "as_user"),
)
async def post_ephemeral(call: Call) -> Json:
    """Show a message to one person; it is in no history.

    Slack: in a thread it is only shown if there is already an active thread.
    """
    channel = writable(call)
    person = call.text("user")
    if person not in channel.members:
        raise Refused("user_not_in_channel")
    content = read_content(call)
    require_something(content)
    thread_ts = thread_of(call, channel)
    if thread_ts and not channel.replies(thread_ts):
        call.violate("ephemeral_unseen", f"thread {thread_ts} has no replies: nobody would see the message")
    message = message_of(call, channel, content)
    message.thread_ts, message.ephemeral_to = thread_ts, person
    call.workspace.post_ephemeral(message)
    return {"message_ts": message.ts}


@method("chat.getPermalink", per_minute=SPECIAL, required=("channel", "message_ts"))
async def get_permalink(call: Call) -> Json:
    """The address of a message."""
    channel = call.channel()
    message = call.message(channel, "message_ts")
    link = f"{call.base_url}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}
