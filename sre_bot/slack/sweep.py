"""Ends messages that a crash left looking as if their run went on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sre_bot.slack.outbox import UNSHOWABLE, Outbox, SlackRefused, key_of, metadata_for
from sre_bot.slack.reply import WORKING
from sre_bot.slack.streams import ENDED, STOPPED_BY_USER, Streams

SIGN = WORKING.strip("⏳ _")  # Slack gives the emphasis back as a style, and may give the emoji by its name
BROKEN_OFF = "broken_off"
HOURGLASSES = frozenset({"hourglass", "hourglass_flowing_sand"})
CARDS = frozenset({"plan", "task_card"})
"""Blocks of a stream, which Slack may not take back in an update."""

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A reply that a crash left.

    Attributes:
        channel: id of the channel.
        thread_ts: timestamp of the thread's first message.
        key: the reply's; its messages' keys begin with it.
        noted: timestamps of messages that are known to be its own; a stream has no key before it is stopped.
    """

    channel: str
    thread_ts: str
    key: str
    noted: frozenset[str] = frozenset()


async def close_abandoned(outbox: Outbox, streams: Streams, left: Abandoned, reason: str) -> bool:
    """Take the sign of work and the Stop button off a reply's messages, end its stream, and say why no more comes.

    Messages are found by the key in their metadata, since a crash may fall between a post and the note of it in the
    ledger; streams by that note, or by being ours and without a key. What they say otherwise stays: blocks are read
    back and sent again. A message that shows no sign of work is left alone. One that was ended here is marked, since
    another crash may fall between that and what follows it.

    Args:
        outbox: the way to Slack.
        streams: the workspace's streams.
        left: the reply.
        reason: what is said below.

    Returns:
        False where there are such messages and none of them was open or ended here before: people see the end of the
        reply already.

    Raises:
        BackendError: Slack did not answer, or refused.
    """
    found = closed = 0
    read = await outbox.messages(left.channel, left.thread_ts)
    for message in read:
        if key_of(message).startswith(f"{left.key}/"):
            found += not message["metadata"]["event_payload"].get("more")  # else the reply went on in another one
            closed += await _close(outbox, left, message, reason)
    unsigned = {str(message["ts"]): message for message in read if streams.is_unsigned(message)}
    hidden = left.noted - {str(message["ts"]) for message in read}
    for ts in sorted({*unsigned, *hidden}):
        ended = await _end(streams, left, ts, reason)
        if not ended and ts in left.noted and ts in unsigned:  # its time was over before
            ended = await _close(outbox, left, unsigned[ts], reason, signed=False)
        closed += ended
    return closed > 0 or found == 0


async def _end(streams: Streams, left: Abandoned, ts: str, reason: str) -> bool:
    """Stop what may be an open stream; False where it is none."""
    for chunks in ([{"type": "markdown_text", "text": f"\n\n⚠️ **{reason}**"}], []):
        await streams.turn_to_stop()
        try:
            await streams.stop(left.channel, ts, f"{left.key}/swept", chunks=chunks, more=True)
        except SlackRefused as error:
            if error.code in ENDED | {STOPPED_BY_USER}:
                return False
        else:
            return True
    return False


async def _close(
    outbox: Outbox, left: Abandoned, message: Mapping[str, Any], reason: str, *, signed: bool = True
) -> bool:
    """Say below a message why no more comes; below one with a key only where it shows a sign of work."""
    payload = message["metadata"]["event_payload"] if signed else {"key": f"{left.key}/swept", "more": True}
    if BROKEN_OFF in payload:
        return True
    blocks = message.get("blocks", [])
    kept = [rest for block in blocks if (rest := _without_work(block))]
    if kept == blocks and signed:
        return False
    bare = [block for block in kept if block.get("type") not in CARDS]
    metadata = metadata_for(**{**payload, BROKEN_OFF: True})
    try:
        await outbox.replace(left.channel, str(message["ts"]), _Closed(kept, reason, metadata))
    except SlackRefused as error:
        if error.code not in UNSHOWABLE or bare == kept:
            raise
        await outbox.replace(left.channel, str(message["ts"]), _Closed(bare, reason, metadata))
    return True


@dataclass(frozen=True, slots=True)
class _Closed:
    """A message as it is left."""

    blocks: list[Block]
    reason: str
    metadata: Block
    running: bool = False

    def content(self) -> dict[str, Any]:
        """The arguments of the call."""
        notice = {"type": "section", "text": {"type": "mrkdwn", "text": f"⚠️ *{self.reason}*"}}
        return {"blocks": [*self.blocks, notice], "text": self.reason, "metadata": self.metadata}


def _without_work(block: dict[str, Any]) -> dict[str, Any] | None:
    """A block, or an element of one, without the sign of work; None where nothing else is in it."""
    if block.get("type") == "actions" or block.get("name") in HOURGLASSES:
        return None
    text = block.get("text")
    if isinstance(text, str):
        lines = text.split("\n")
        left = [line for line in lines if SIGN not in line and line.strip() != "⏳"]
        return {**block, "text": "\n".join(left)} if left == lines or any(map(str.strip, left)) else None
    if isinstance(text, dict):
        left_text = _without_work(text)
        return {**block, "text": left_text} if left_text else None
    if "elements" in block:
        elements = [kept for element in block["elements"] if (kept := _without_work(element))]
        return {**block, "elements": elements} if elements else None
    return block
