"""Ends messages that a crash left looking as if their run went on."""

from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.slack.outbox import answer
from sre_bot.slack.reply import WORKING

SIGN = WORKING.strip("⏳ _")  # Slack gives the emphasis back as a style, and may give the emoji by its name
HOURGLASSES = frozenset({"hourglass", "hourglass_flowing_sand"})


async def close_abandoned(client: AsyncWebClient, channel: str, thread_ts: str, ts: str, reason: str) -> None:
    """Take the sign of work and the Stop button off a message, and say why nothing more comes.

    What it says otherwise stays: its blocks are read back and sent again, since its Markdown is nowhere any more. A
    message that shows no sign of work is left alone.

    Raises:
        BackendError: Slack did not answer, or refused.
    """
    call = client.conversations_replies(channel=channel, ts=thread_ts, oldest=ts, latest=ts, inclusive=True, limit=2)
    page = await answer(call)
    message = next((message for message in page["messages"] if message["ts"] == ts), None)
    blocks = message.get("blocks", []) if message else []
    kept = [left for block in blocks if (left := _without_work(block))]
    if kept == blocks:
        return
    notice = {"type": "section", "text": {"type": "mrkdwn", "text": f"⚠️ *{reason}*"}}
    await answer(client.chat_update(channel=channel, ts=ts, blocks=[*kept, notice], text=reason))


def _without_work(block: dict[str, Any]) -> dict[str, Any] | None:
    """A block, or an element of one, without the sign of work; None where nothing else is in it."""
    if block.get("type") == "actions" or block.get("name") in HOURGLASSES:
        return None
    text = block.get("text")
    if isinstance(text, str):
        left = "\n".join(line for line in text.split("\n") if SIGN not in line)
        return {**block, "text": left} if left.strip() or SIGN not in text else None
    if isinstance(text, dict):
        left_text = _without_work(text)
        return {**block, "text": left_text} if left_text else None
    if "elements" in block:
        elements = [kept for element in block["elements"] if (kept := _without_work(element))]
        return {**block, "elements": elements} if elements else None
    return block
