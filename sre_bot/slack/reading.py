"""What a prompt refers to but does not say: the thread above it, alerts in attachments and blocks, text files.

Alert bots put the alert into attachments or blocks and leave the text empty, so these are read too. All of it is
somebody else's words: it is bounded, and goes to the model marked as data.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import BackendError
from sre_bot.slack.outbox import answer

log = logging.getLogger(__name__)

THREAD_MESSAGES = 30  # messages above the mention that are read, beside the first of the thread
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
        self.client = client
        self._bot_user = bot_user

    async def read_context(self, channel: str, thread_ts: str, ts: str, *, above: bool) -> str:
        """What is attached to the message at `ts`, and where `above` what the thread said before it."""
        messages = await self._until(channel, thread_ts, ts, above=above)
        # Slack gives the thread's first message whatever is asked for.
        others = [message for message in messages if above and message["ts"] != ts]
        earlier = [message for message in others if message.get("user") != self._bot_user]
        parts = [describe(message) for message in earlier[:1] + earlier[1:][-THREAD_MESSAGES:]]
        for message in (message for message in messages if message["ts"] == ts):
            parts.append(describe(message, words=False))
            parts += [await self._read_file(file) for file in message.get("files", [])]
        return _join([part for part in parts if part])

    async def _until(self, channel: str, thread_ts: str, ts: str, *, above: bool) -> list[Mapping[str, Any]]:
        """Messages of the thread up to `ts`, oldest first; only the last one without `above`."""
        found: list[Mapping[str, Any]] = []
        oldest = None if above else ts
        cursor = ""
        try:
            while True:
                page = await answer(
                    self.client.conversations_replies(
                        channel=channel,
                        ts=thread_ts,
                        latest=ts,
                        inclusive=True,
                        limit=200,
                        cursor=cursor,
                        oldest=oldest,
                    )
                )
                found += page["messages"]
                cursor = page.get("response_metadata", {}).get("next_cursor", "")
                if not cursor:
                    return found
        except BackendError as error:
            log.warning("the thread %s could not be read: %s", thread_ts, error)
            return found

    async def _read_file(self, file: Mapping[str, Any]) -> str:
        name = f"file {file.get('name', 'without a name')!r}"
        if not str(file.get("mimetype", "")).startswith(("text/", "application/json")):
            return f"[{name}: {file.get('mimetype', 'unknown type')}, not read: only text files are]"
        url = str(file.get("url_private", ""))
        if file.get("is_external") or not self._is_slacks(url):
            return f"[{name}: not read: it is not stored in Slack]"
        body = bytearray()
        try:
            headers = {"Authorization": f"Bearer {self.client.token}"}
            async with (
                aiohttp.ClientSession(timeout=FILE_TIMEOUT) as http,
                http.get(url, headers=headers, allow_redirects=False) as response,
            ):
                response.raise_for_status()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > FILE_LIMIT:
                        break
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("%s could not be read: %s", name, error)
            return f"[{name}: could not be read]"
        cut = f", its first {FILE_LIMIT} of {file.get('size', 'many')} bytes" if len(body) > FILE_LIMIT else ""
        return f"[{name}{cut}]\n{body[:FILE_LIMIT].decode(errors='replace')}"

    def _is_slacks(self, url: str) -> bool:
        """Whether the bot's token may go to this address: to Slack itself, or to where its Web API is."""
        address, api = urlsplit(url), urlsplit(self.client.base_url)
        if (address.scheme, address.netloc) == (api.scheme, api.netloc):
            return True
        host = address.hostname or ""
        return address.scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))


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
