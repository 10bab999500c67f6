"""chat.startStream, chat.appendStream, chat.stopStream: a message that grows.

Where Slack's documents and what integrators measured differ, the stricter holds: both recipients are required in
direct messages too, and the bytes of a stream add up over its chunks.
"""

from __future__ import annotations

from typing import Any

from sandbox.slack.block_table import MESSAGE_BLOCKS, Choice, Shape, Words
from sandbox.slack.blocks import MESSAGE_MOST_BLOCKS, check_shape, faults_of
from sandbox.slack.limits import TIERS
from sandbox.slack.messages import on_the_wire
from sandbox.slack.streams import Stream, TooMuch, refresh
from sandbox.slack.web_api.call import Call, Json, Refused, method
from sandbox.slack.web_api.chat import message_of, thread_of, writable
from sandbox.slack.web_api.content import MARKDOWN_MOST, Content, read_metadata, stored_blocks
from sandbox.slack.world import BOT_ID, TEAM_ID, Channel, Message

STATUSES = ("pending", "in_progress", "complete", "error")
SESSION_STATUSES = ("active", "processing", "suspended", "closed")
DISPLAYS = ("timeline", "plan", "dense")
WORDS = Words(100_000)
SHAPES = {
    "markdown_text": Shape({"text": WORDS}),
    "plan_update": Shape({"title": Words(256)}),
    "task_update": Shape(
        {"id": Words(255), "title": Words(256), "status": Choice(STATUSES)}, {"details": WORDS, "output": WORDS}
    ),
}
WRITTEN = ("markdown_text", "chunks")


@method(
    "chat.startStream",
    per_minute=TIERS[2],
    required=("channel", "thread_ts"),
    optional=(*WRITTEN, "recipient_team_id", "recipient_user_id", "task_display_mode"),
)
async def start(call: Call) -> Json:
    """Begin a stream, with or without content."""
    channel = writable(call)
    chunks = _chunks(call)
    recipient = _recipient(call, channel)
    if call.text("task_display_mode") not in ("", *DISPLAYS):
        raise Refused("invalid_arguments", f"task_display_mode is one of {', '.join(DISPLAYS)}")
    thread_ts = thread_of(call, channel)
    stream = Stream(call.workspace.clock.now(), recipient)
    message = message_of(call, channel, Content(text=""))
    message.thread_ts, message.stream = thread_ts, stream
    _apply(call, message, stream, chunks)
    stream.first = stream.text
    call.workspace.post(message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.appendStream", per_minute=TIERS[4], required=("channel", "ts"), optional=WRITTEN)
async def append(call: Call) -> Json:
    """Add to an open stream."""
    channel = writable(call)
    message, stream = _open(call, channel)
    chunks = _chunks(call)
    if not chunks:
        raise Refused("no_text")
    _apply(call, message, stream, chunks)
    call.workspace.grow(message)
    return {"channel": channel.id, "ts": message.ts}


@method(
    "chat.stopStream",
    per_minute=TIERS[2],
    required=("channel", "ts"),
    optional=(*WRITTEN, "blocks", "metadata", "session_status"),
)
async def stop(call: Call) -> Json:
    """Add the last content, blocks and metadata, and end the stream."""
    channel = writable(call)
    message, stream = _open(call, channel)
    chunks = _chunks(call)
    if call.text("session_status") not in ("", *SESSION_STATUSES):
        raise Refused("invalid_arguments", f"session_status is one of {', '.join(SESSION_STATUSES)}")
    blocks = call.structure("blocks", "invalid_blocks_format") or []
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    if faults := faults_of(blocks, MESSAGE_BLOCKS, MESSAGE_MOST_BLOCKS):
        raise Refused("invalid_blocks", *faults)
    metadata = read_metadata(call)
    before = on_the_wire(message, channel)
    _apply(call, message, stream, chunks)
    if not (message.blocks or blocks):
        raise Refused("no_text")
    stream.state = "ended"
    message.blocks, message.metadata = [*message.blocks, *stored_blocks(blocks, call.workspace.world)], metadata or None
    call.workspace.change(message, before)
    return {"channel": channel.id, "ts": message.ts, "message": on_the_wire(message, channel)}


def _recipient(call: Call, channel: Channel) -> str:
    """Who sees it live."""
    user, team = call.text("recipient_user_id"), call.text("recipient_team_id")
    if not user:
        raise Refused("missing_recipient_user_id")
    if not team:
        raise Refused("missing_recipient_team_id")
    if user not in channel.members or team != TEAM_ID:
        raise Refused("user_not_found", "the recipient is not in the conversation")
    return user


def _open(call: Call, channel: Channel) -> tuple[Message, Stream]:
    message = call.message(channel)
    refresh(message, call.workspace.clock.now(), call.workspace.streams)
    if message.bot_id != BOT_ID or message.stream is None:
        raise Refused("message_not_in_streaming_state")
    if message.stream.state != "open":
        state = message.stream.state
        raise Refused("stopped_by_user" if state == "stopped_by_user" else "message_not_in_streaming_state")
    return message, message.stream


def _chunks(call: Call) -> list[Json]:
    """What the call adds, as chunks however it was written."""
    given = [name for name in WRITTEN if name in call.args]
    if len(given) > 1:
        raise Refused("cannot_provide_both_markdown_text_and_chunks")
    if given == ["markdown_text"]:
        return _fitting([{"type": "markdown_text", "text": call.text("markdown_text")}])
    chunks = call.structure("chunks", "invalid_chunks") or []
    if not isinstance(chunks, list) or ("chunks" in call.args and not chunks):
        raise Refused("invalid_chunks", "chunks must be an array of at least one [json-pointer:/chunks]")
    faults = [fault for number, chunk in enumerate(chunks) for fault in _faults(chunk, f"/chunks/{number}")]
    if faults:
        raise Refused("invalid_chunks", *faults)
    return _fitting(chunks)


def _faults(chunk: Any, at: str) -> list[str]:  # noqa: ANN401 - JSON of any shape
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    if kind not in SHAPES:
        return [f"unsupported type: {kind} [json-pointer:{at}/type]"]
    return list(check_shape(chunk, SHAPES[kind], at, typed=True))


def _fitting(chunks: list[Json]) -> list[Json]:
    for chunk in chunks:
        if len(chunk.get("text", "")) > MARKDOWN_MOST:
            raise Refused("msg_too_long", f"a chunk of text must be less than {MARKDOWN_MOST + 1} characters")
    return chunks


def _apply(call: Call, message: Message, stream: Stream, chunks: list[Json]) -> None:
    rules = call.workspace.streams
    if chunks:
        chunked = "chunks" in call.args
        if stream.chunked not in (None, chunked):
            raise Refused("streaming_mode_mismatch")
        stream.chunked = chunked
    try:
        stream.take(chunks, rules)
    except TooMuch as reason:
        refused = Refused(str(reason), f"the stream would hold more than {rules.most_bytes} bytes, or too many rows")
        refused.ordered = rules.ordered
        raise refused from None
    message.text, message.blocks = stream.render()
    message.markdown = stream.text
