"""What a prompt refers to but does not say: the thread above it, alerts in attachments and blocks, text files.

Alert bots put the alert into attachments or blocks and leave the text empty, so these are read too. All of it is
somebody else's words: it is bounded, and goes to the model marked as data.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

log = logging.getLogger(__name__)

THREAD_MESSAGES = 30  # messages above the mention that are read
MESSAGE_LIMIT = 4_000  # characters of one message
CONTEXT_LIMIT = 20_000  # characters in all; what is older is left out first
FILE_LIMIT = 15_000  # bytes of a text file that are read
FILE_TIMEOUT = aiohttp.ClientTimeout(total=10)  # seconds


class ThreadReader:
    """Reads threads and files with the bot's own token.

    Args:
        client: the Web API.
        bot_user: the bot's user id; its own words are not read back to it.
    """

    def __init__(self, client: AsyncWebClient, bot_user: str) -> None:
        self._client = client
        self._bot_user = bot_user

    async def read_context(self, event: Mapping[str, Any]) -> str:
        """What the thread said before this message, and what is attached to it; empty where there is nothing."""
        parts = [describe(message) for message in await self._above(event)]
        attached = describe(event, words=False)
        files = [await self._read_file(file) for file in event.get("files", [])]
        return _join([part for part in (*parts, attached, *files) if part])

    async def _above(self, event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        thread_ts = event.get("thread_ts")
        if not thread_ts or thread_ts == event["ts"]:
            return []
        try:
            answer = await self._client.conversations_replies(
                channel=event["channel"], ts=thread_ts, latest=event["ts"], inclusive=False, limit=THREAD_MESSAGES
            )
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("the thread %s could not be read: %s", thread_ts, error)
            return []
        messages = answer.get("messages") or []
        return [
            message for message in messages if message["ts"] != event["ts"] and message.get("user") != self._bot_user
        ]

    async def _read_file(self, file: Mapping[str, Any]) -> str:
        name = f"file {file.get('name', 'without a name')!r}"
        if not str(file.get("mimetype", "")).startswith(("text/", "application/json")):
            return f"[{name}: {file.get('mimetype', 'unknown type')}, not read: only text files are]"
        try:
            headers = {"Authorization": f"Bearer {self._client.token}"}
            async with (
                aiohttp.ClientSession(timeout=FILE_TIMEOUT) as http,
                http.get(file["url_private"], headers=headers) as answer,
            ):
                answer.raise_for_status()
                body = await answer.content.read(FILE_LIMIT)
        except (aiohttp.ClientError, TimeoutError, KeyError) as error:
            log.warning("%s could not be read: %s", name, error)
            return f"[{name}: could not be read]"
        cut = f", its first {FILE_LIMIT} of {file['size']} bytes" if file.get("size", 0) > FILE_LIMIT else ""
        return f"[{name}{cut}]\n{body.decode(errors='replace')}"


def describe(message: Mapping[str, Any], *, words: bool = True) -> str:
    """A message as text: who, what, and every text of its attachments and blocks that its words do not repeat.

    Args:
        message: as Slack gives it.
        words: whether its own text belongs in; False where that is the prompt itself.
    """
    said = message.get("text", "")
    lines = [said] if words and said else []
    for text in (*_attachment_texts(message), *_block_texts(message.get("blocks", []))):
        if text not in said and text not in lines:
            lines.append(text)
    body = "\n".join(lines)[:MESSAGE_LIMIT]
    if not body:
        return ""
    author = message.get("username") or message.get("bot_profile", {}).get("name") or message.get("user", "somebody")
    return f"{author}: {body}"


def _attachment_texts(message: Mapping[str, Any]) -> Iterator[str]:
    for attachment in message.get("attachments", []):
        for key in ("pretext", "title", "text", "fallback", "title_link"):
            if attachment.get(key):
                yield str(attachment[key])
        for item in attachment.get("fields", []):
            yield f"{item.get('title', '')}: {item.get('value', '')}"
        yield from _block_texts(attachment.get("blocks", []))


def _block_texts(node: Any) -> Iterator[str]:  # noqa: ANN401  (JSON of any block)
    """Every `text` string in blocks, however deep; buttons and other controls are left out."""
    if isinstance(node, list):
        for item in node:
            yield from _block_texts(item)
    elif isinstance(node, Mapping) and node.get("type") not in ("actions", "button"):
        for key, value in node.items():
            if key == "text" and isinstance(value, str):
                yield value
            elif isinstance(value, list | Mapping):
                yield from _block_texts(value)


def _join(parts: list[str]) -> str:
    """The newest parts that fit, oldest first."""
    kept: list[str] = []
    left = CONTEXT_LIMIT
    for part in reversed(parts):
        left -= len(part)
        if left < 0:
            kept.append("[older messages are left out]")
            break
        kept.append(part)
    return "\n---\n".join(reversed(kept))
