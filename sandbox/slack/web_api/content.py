"""What a message may consist of, for every method that writes one.

Refuses what Slack refuses, in Slack's words, and notes what Slack lets pass and a careful app does not do:
truncated text, previews of links that a model wrote, names that turn into pings.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.slack.block_table import MESSAGE_BLOCKS
from sandbox.slack.blocks import MESSAGE_MOST_BLOCKS, faults_of
from sandbox.slack.conversion import convert
from sandbox.slack.dates import faults_of_dates
from sandbox.slack.web_api.call import Call, Refused
from sandbox.slack.world import World

Json = dict[str, Any]

MARKDOWN_MOST = 12_000  # characters of markdown_text; Slack: chat.postMessage
TEXT_MOST = 40_000  # characters; Slack: "Truncating content", longer text is cut
UPDATE_TEXT_MOST = 4_000  # UTF-8 bytes, as measured; Slack: chat.update, msg_too_long
RENDERED_MOST = 13_200  # characters after conversion, & < > escaped, 100 more for each heading; measured
HEADING_WEIGHT = 100
METADATA_MOST = 8_000  # bytes of event_payload
ATTACHMENTS_MOST = 100
URL = re.compile(r"https?://")
BARE_URL = re.compile(r"(?<![<|\w])(https?://[^\s<>|]+[^\s<>|.,;:!?)])")
CONTROL = re.compile(r"<(?:[@#!][^<>\s]+|https?://[^<>]+|mailto:[^<>]+)[^<>]*>")
STRAY_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")

CONTENT_ARGUMENTS = ("text", "blocks", "attachments", "markdown_text", "metadata", "parse", "link_names")


@dataclass
class Content:
    """The checked and converted content; None means that the argument was not sent."""

    text: str | None = None
    blocks: list[Json] | None = None
    attachments: list[Json] | None = None
    markdown: str | None = None
    metadata: Json | None = None
    bare_pings: bool = False
    links: bool = field(default=False)


def read_content(call: Call, *, most_text_bytes: int | None = None) -> Content:
    """Check the content arguments of a call; `most_text_bytes` is chat.update's own limit."""
    markdown, text = call.text("markdown_text"), call.text("text")
    if "markdown_text" in call.args and (text or call.args.get("blocks")):
        raise Refused("markdown_text_conflict")
    content = Content(bare_pings=_links_names(call), metadata=read_metadata(call))
    content.attachments = _attachments(call)
    content.blocks = _blocks(call, content)
    if markdown.strip():
        content.text, content.blocks = _converted(markdown)
        content.markdown = markdown
    elif text.strip():
        content.text = as_stored(_fitting(call, text, most_text_bytes))
    for fault in faults_of_dates([text, content.blocks, content.attachments]):
        call.violate("date_token", fault)
    content.links = bool(URL.search(text + markdown + json.dumps(content.blocks or "")))
    return content


def require_something(content: Content) -> None:
    """Refuse a message with nothing in it."""
    if not (content.text or content.blocks or content.attachments):
        raise Refused("no_text")


def check_unfurling(call: Call, content: Content) -> None:
    """Slack fetches previews of links unless told not to: a way out for what a model was made to write."""
    for name, default in (("unfurl_links", False), ("unfurl_media", True)):
        asked = name in call.args and call.flag(name)
        if asked or (content.links and call.flag(name, default=default)):
            call.violate(name, f"{name} is not false: Slack would fetch the links in this message")


def _fitting(call: Call, text: str, most_bytes: int | None) -> str:
    if most_bytes is not None and len(text.encode()) > most_bytes:
        raise Refused("msg_too_long", f"text must be at most {most_bytes} bytes, it has {len(text.encode())}")
    if len(text) > TEXT_MOST:
        call.violate("text_truncated", f"text of {len(text)} characters is cut at {TEXT_MOST}")
    return text[:TEXT_MOST]


def _converted(markdown: str) -> tuple[str, list[Json]]:
    if len(markdown) > MARKDOWN_MOST:
        raise Refused("msg_too_long", f"markdown_text must be less than {MARKDOWN_MOST + 1} characters")
    text, blocks = convert(markdown)
    headings = sum(block["type"] == "header" for block in blocks)
    if len(text) + HEADING_WEIGHT * headings > RENDERED_MOST:
        raise Refused("msg_blocks_too_long", f"rendered, markdown_text has more than {RENDERED_MOST} characters")
    if len(blocks) > MESSAGE_MOST_BLOCKS:
        raise Refused("msg_blocks_too_many", f"markdown_text renders to {len(blocks)} blocks")
    return text, blocks


def _blocks(call: Call, content: Content) -> list[Json] | None:
    blocks = call.structure("blocks", "invalid_blocks_format")
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    if faults := faults_of(blocks, MESSAGE_BLOCKS, MESSAGE_MOST_BLOCKS):
        raise Refused("invalid_blocks", *faults)
    content.markdown = "\n\n".join(block["text"] for block in blocks if block["type"] == "markdown") or None
    return stored_blocks(blocks, call.workspace.world)


def stored_blocks(blocks: list[Json], world: World) -> list[Json]:
    """Markdown blocks become what they render to and lose their block_id; ids are filled in."""
    stored: list[Json] = []
    for block in blocks:
        stored += _converted(block["text"])[1] if block["type"] == "markdown" else [dict(block)]
    if len(stored) > MESSAGE_MOST_BLOCKS:
        raise Refused("msg_blocks_too_many", f"the blocks render to {len(stored)}")
    for block in stored:
        block["block_id"] = block.get("block_id") or world.next_id("b")
        for element in [*block.get("elements", []), block.get("accessory")]:
            if isinstance(element, dict) and block["type"] in ("actions", "context_actions", "section"):
                _fill_action_id(element, world)
    return stored


def _fill_action_id(element: Json, world: World) -> None:
    if element["type"] not in ("image", "plain_text", "mrkdwn"):
        element.setdefault("action_id", world.next_id("a"))


def _attachments(call: Call) -> list[Json] | None:
    attachments = call.structure("attachments", "invalid_attachments")
    if attachments is None:
        return None
    if not isinstance(attachments, list) or not all(isinstance(item, dict) for item in attachments):
        raise Refused("invalid_attachments")
    if len(attachments) > ATTACHMENTS_MOST:
        raise Refused("too_many_attachments")
    for number, attachment in enumerate(attachments):
        at = f"/attachments/{number}/blocks"
        if faults := faults_of(attachment.get("blocks", []), MESSAGE_BLOCKS, MESSAGE_MOST_BLOCKS, at):
            raise Refused("invalid_attachments", *faults)
    return attachments


def read_metadata(call: Call) -> Json | None:
    """The metadata of a message; an empty object takes it away, None leaves it."""
    metadata = call.structure("metadata", "invalid_metadata_format")
    if metadata is None or metadata == {}:
        return metadata  # type: ignore[no-any-return]
    if not isinstance(metadata, dict) or set(metadata) - {"event_type", "event_payload", "entities"}:
        raise Refused("invalid_metadata_format", "metadata has event_type and event_payload, nothing else")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise Refused("invalid_metadata_format", "event_type must be a string, event_payload an object")
    if len(json.dumps(metadata["event_payload"]).encode()) > METADATA_MOST:
        raise Refused("metadata_too_large")
    return metadata


def _links_names(call: Call) -> bool:
    """Whether plain @names come alive, which is noted."""
    alive = call.flag("link_names") or call.text("parse") == "full"
    if alive:
        call.violate("link_names", "link_names or parse=full turns plain text into pings")
    return alive


def as_stored(text: str) -> str:
    """The text as read-back returns it: stray & < > escaped, bare addresses turned into links."""
    parts: list[str] = []
    end = 0
    for match in CONTROL.finditer(text):
        parts += [_escaped(text[end : match.start()]), match.group(0)]
        end = match.end()
    return "".join([*parts, _escaped(text[end:])])


def _escaped(text: str) -> str:
    """Escaped once: what came escaped stays so."""
    escaped = STRAY_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")
    return BARE_URL.sub(r"<\1>", escaped)
