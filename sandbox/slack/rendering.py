"""What people read: blocks as text, and text without its markup."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from sandbox.slack.world import World

Json = dict[str, Any]
_MARKS = {"bold": "*", "italic": "_", "strike": "~", "code": "`"}


def as_mrkdwn(blocks: list[Json]) -> str:
    """The text of blocks, top to bottom, as mrkdwn: what Slack shows where blocks cannot be shown."""
    return "\n".join(line for line in map(_lines, blocks) if line)


def _lines(block: Json) -> str:
    known = _LINES.get(block.get("type", ""))
    if known is not None:
        return known(block)
    parts = [block.get("text"), *block.get("fields", []), *block.get("elements", []), block.get("accessory")]
    joined = " " if block.get("type") in ("actions", "context") else "\n"
    return joined.join(line for line in (_lines(part) for part in parts if isinstance(part, dict)) if line)


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _words(block: Json) -> str:
    return "".join(map(_word, block["elements"]))


def _quote(block: Json) -> str:
    return "> " + _words(block).replace("\n", "\n> ")


def _list(block: Json) -> str:
    margin = "  " * block.get("indent", 0)
    marks = (f"{n}." if block["style"] == "ordered" else "•" for n in range(1, len(block["elements"]) + 1))
    return "\n".join(f"{margin}{mark} {_words(item)}" for mark, item in zip(marks, block["elements"], strict=True))


def _table(block: Json) -> str:
    return "\n".join(" | ".join(map(_cell, row)) for row in block["rows"])


def _cell(cell: Json) -> str:
    return _lines(cell) if cell["type"] == "rich_text" else _escaped(str(cell.get("text", cell.get("value", ""))))


def _task(block: Json) -> str:
    state = f"{block['status']}: " if "status" in block else ""
    parts = [block.get("details"), block.get("output"), *block.get("tasks", [])]
    return "\n".join([_escaped(state + block["title"]), *(_lines(part) for part in parts if part)])


_LINES: dict[str, Callable[[Json], str]] = {
    "rich_text_section": _words,
    "rich_text_quote": _quote,
    "rich_text_preformatted": lambda block: f"```\n{_words(block)}\n```",
    "rich_text_list": _list,
    "table": _table,
    "divider": lambda _: "---",
    "plain_text": lambda block: _escaped(block["text"]),
    "mrkdwn": lambda block: str(block["text"]),
    "button": lambda block: f"[{_escaped(block['text']['text'])}]",
    "image": lambda block: _escaped(f"[image: {block['alt_text']}]"),
    "plan": _task,
    "task_card": _task,
}


def _word(element: Json) -> str:
    known = _WORDS.get(element["type"])
    if known is None:
        return _escaped(str(element.get("fallback", element.get("value", ""))))
    word = known(element)
    for name, mark in _MARKS.items():
        if element.get("style", {}).get(name) and word.strip():
            word = f"{mark}{word}{mark}"
    return word


def _link(element: Json) -> str:
    label = _escaped(element.get("text", ""))
    return f"<{element['url']}|{label}>" if label else f"<{element['url']}>"


_WORDS: dict[str, Callable[[Json], str]] = {
    "text": lambda element: _escaped(element["text"]),
    "link": _link,
    "user": lambda element: f"<@{element['user_id']}>",
    "usergroup": lambda element: f"<!subteam^{element['usergroup_id']}>",
    "channel": lambda element: f"<#{element['channel_id']}>",
    "broadcast": lambda element: f"<!{element['range']}>",
    "emoji": lambda element: f":{element['name']}:",
}


def as_seen(mrkdwn: str, world: World) -> str:
    """The text as a person reads it: mentions by name, links as label and address, no entities."""

    def named(match: re.Match[str]) -> str:
        control, _, label = match.group(1).partition("|")
        if control.startswith("@"):
            user = world.users.get(control[1:])
            return f"@{user.mention if user else control[1:]}"
        if control.startswith("#"):
            channel = world.channels.get(control[1:])
            return f"#{channel.name if channel else control[1:]}"
        if control.startswith("!"):
            return label or "@" + control[1:].replace("subteam^", "")
        return f"{label} ({control})" if label and label != control else control

    return html.unescape(re.sub(r"<([@#!][^<>\s]+|(?:https?|mailto)[^<>]*)>", named, mrkdwn))
