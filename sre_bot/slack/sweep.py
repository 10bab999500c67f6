"""Ends messages that a crash left looking as if their run went on."""

from collections.abc import Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.slack.outbox import answer
from sre_bot.slack.reply import WORKING

SIGN = WORKING.strip("⏳ _")  # Slack gives the emphasis back as a style, and may give the emoji by its name
BROKEN_OFF = "broken_off"
HOURGLASSES = frozenset({"hourglass", "hourglass_flowing_sand"})


async def close_abandoned(client: AsyncWebClient, channel: str, thread_ts: str, key: str, reason: str) -> bool:
    """Take the sign of work and the Stop button off a reply's messages, and say why nothing more comes.

    They are found by the key in their metadata, since a crash may fall between a post and the note of it in the ledger.
    What they say otherwise stays: blocks are read back and sent again. A message that shows no sign of work is left
    alone. One that was ended here is marked, since another crash may fall between that and what follows it.

    Args:
        client: the Web API.
        channel: id of the channel.
        thread_ts: timestamp of the thread's first message.
        key: the reply's key; its messages' keys begin with it.
        reason: what is said below.

    Returns:
        False where there are such messages and none of them was open or ended here before: people see the end of the
        reply already.

    Raises:
        BackendError: Slack did not answer, or refused.
    """
    found = closed = 0
    cursor = ""
    while True:
        call = client.conversations_replies(
            channel=channel, ts=thread_ts, include_all_metadata=True, limit=200, cursor=cursor
        )
        page = await answer(call)
        for message in page["messages"]:
            if str(message.get("metadata", {}).get("event_payload", {}).get("key", "")).startswith(f"{key}/"):
                found += 1
                closed += await _close(client, channel, message, reason)
        cursor = page.get("response_metadata", {}).get("next_cursor", "")
        if not cursor:
            return closed > 0 or found == 0


async def _close(client: AsyncWebClient, channel: str, message: Mapping[str, Any], reason: str) -> bool:
    metadata = message["metadata"]
    if BROKEN_OFF in metadata["event_payload"]:
        return True
    blocks = message.get("blocks", [])
    kept = [left for block in blocks if (left := _without_work(block))]
    if kept == blocks:
        return False
    notice = {"type": "section", "text": {"type": "mrkdwn", "text": f"⚠️ *{reason}*"}}
    marked = {**metadata, "event_payload": {**metadata["event_payload"], BROKEN_OFF: True}}
    await answer(
        client.chat_update(channel=channel, ts=message["ts"], blocks=[*kept, notice], text=reason, metadata=marked)
    )
    return True


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
