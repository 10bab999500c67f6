"""Who would have been notified: every `<!channel>`, `<!here>`, `<!everyone>`, `<!subteam^…>` and `<@…>`.

The stand-in resolves them wherever Slack might, in code and in link labels too, and in `markdown_text`,
so that "nobody was pinged" means that nothing was there that could have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sandbox.slack.world import Channel, World

CONTROL = re.compile(r"<(!channel|!here|!everyone|!subteam\^[A-Z0-9]+|@[UW][A-Z0-9]+)(?:\|[^<>]*)?>")
BARE = re.compile(r"(?<![\w@])@(channel|here|everyone)\b")  # alive only under link_names or parse=full

# rich text elements that ping: the kind, unless it is in the element itself, and the field with the target
ELEMENTS = {"user": ("user", "user_id"), "usergroup": ("subteam", "usergroup_id"), "broadcast": ("", "range")}

Ping = tuple[str, str]  # kind (channel, here, everyone, subteam, user) and the id, if it has one


def in_text(text: str, *, bare: bool = False) -> Iterator[Ping]:
    """The pings of a text; `bare` also counts a plain @channel."""
    for match in CONTROL.finditer(text):
        control = match.group(1)
        if control.startswith("@"):
            yield "user", control[1:]
        elif control.startswith("!subteam"):
            yield "subteam", control.partition("^")[2]
        else:
            yield control[1:], ""
    if bare:
        for match in BARE.finditer(text):
            yield match.group(1), ""


def in_blocks(value: Any) -> Iterator[Ping]:  # noqa: ANN401 - JSON of any shape
    """The pings of blocks or attachments, however deep; plain_text cannot ping."""
    if isinstance(value, str):
        yield from in_text(value)
    elif isinstance(value, list):
        for item in value:
            yield from in_blocks(item)
    elif isinstance(value, dict) and value.get("type") in ELEMENTS:
        kind, target = ELEMENTS[value["type"]]
        yield (kind, value.get(target, "")) if kind else (value.get(target, ""), "")
    elif isinstance(value, dict) and value.get("type") not in ("plain_text", "raw_text"):
        yield from in_blocks(list(value.values()))


def notified(world: World, channel: Channel, ping: Ping) -> list[str]:
    """The users whom a ping reaches."""
    kind, target = ping
    if kind == "user":
        return [target] if target in world.users else []
    if kind == "subteam":
        return list(world.usergroups.get(target, []))
    return [member for member in channel.members if not world.users[member].is_bot]
