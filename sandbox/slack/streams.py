"""A message while it is streamed: what has arrived, what it weighs, and when Slack ends it.

Slack documents neither how long a stream lives nor how much it holds; both figures are field measurements, and the
stand-in takes the lower end. What read-back shows of a stream that is still open nobody promises, so it can be chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.slack.conversion import convert
from sandbox.slack.world import Message

Json = dict[str, Any]

LIFETIME = 300.0  # seconds from the start, whatever is appended; measured 300 to 306
MOST_BYTES = 10_600  # of text, titles, and twice the details and outputs; measured 10,600 to 11,300
MOST_TASKS = 50  # rows of a plan
READ_BACK = ("live", "first", "hidden")


class TooMuch(Exception):
    """Slack's code for a stream that cannot hold what was sent."""


@dataclass
class StreamRules:
    """What can be chosen: bytes, seconds, and how much of an open stream conversations.replies shows."""

    most_bytes: int = MOST_BYTES
    lifetime: float = LIFETIME
    read_back: str = "live"
    ordered: bool = False  # a test made it hold less: what is refused for that is no mistake of the app

    def __post_init__(self) -> None:
        if self.read_back not in READ_BACK:
            raise ValueError(f"read_back is one of {', '.join(READ_BACK)}")


@dataclass
class Stream:
    """What a stream consists of; `state` is open, ended or stopped_by_user."""

    began: float
    recipient: str
    chunked: bool | None = None  # how it is written to, from the first content on
    state: str = "open"
    text: str = ""
    first: str = ""
    title: str = ""
    tasks: dict[str, Json] = field(default_factory=dict)

    def take(self, chunks: list[Json], rules: StreamRules) -> None:
        """Apply chunks, all or none.

        Raises:
            TooMuch: they do not fit.
        """
        if not chunks:
            return
        after = Stream(self.began, self.recipient, text=self.text, title=self.title)
        after.tasks = {name: dict(task) for name, task in self.tasks.items()}
        for chunk in chunks:
            _TAKE[chunk["type"]](after, chunk)
        if len(after.tasks) > MOST_TASKS:
            raise TooMuch("msg_blocks_too_many")
        if after.weight > rules.most_bytes:
            raise TooMuch("msg_too_long")
        self.text, self.title, self.tasks = after.text, after.title, after.tasks

    @property
    def weight(self) -> int:
        """Bytes as Slack counts them."""
        said = [self.text, self.title]
        for task in self.tasks.values():
            said += [task["title"], *(2 * [task.get("details", ""), task.get("output", "")])]
        return sum(len(part.encode()) for part in said)

    def render(self) -> tuple[str, list[Json]]:
        """The converted text and the blocks of the message as it is now."""
        text, blocks = convert(self.text)
        plan: Json = {"type": "plan", "title": self.title or "Thinking", "tasks": list(map(_card, self.tasks.values()))}
        return text, [plan, *blocks] if self.title or self.tasks else blocks

    def _add_text(self, chunk: Json) -> None:
        self.text += chunk["text"]

    def _add_title(self, chunk: Json) -> None:
        self.title = chunk["title"]

    def _add_task(self, chunk: Json) -> None:
        """Title and status replace what was there; details and output are added to it."""
        task = self.tasks.setdefault(chunk["id"], {"id": chunk["id"]})
        task |= {"title": chunk["title"], "status": chunk["status"]}
        for name in ("details", "output"):
            if name in chunk:
                task[name] = task.get(name, "") + chunk[name]


_TAKE: dict[str, Callable[[Stream, Json], None]] = {
    "markdown_text": Stream._add_text,
    "plan_update": Stream._add_title,
    "task_update": Stream._add_task,
}


def _card(task: Json) -> Json:
    card = {"type": "task_card", "task_id": task["id"], "title": task["title"], "status": task["status"]}
    for name in ("details", "output"):
        if task.get(name):
            section = {"type": "rich_text_section", "elements": [{"type": "text", "text": task[name]}]}
            card[name] = {"type": "rich_text", "elements": [section]}
    return card


def refresh(message: Message, now: float, rules: StreamRules) -> None:
    """End a stream whose time is over."""
    stream = message.stream
    if stream and stream.state == "open" and now - stream.began >= rules.lifetime:
        stream.state = "ended"


def read_back(wire: Json, message: Message, rules: StreamRules) -> Json | None:
    """The message as conversations.replies shows it; None where it does not show it at all."""
    if message.stream is None or message.stream.state != "open" or rules.read_back == "live":
        return wire
    if rules.read_back == "hidden":
        return None
    text, blocks = convert(message.stream.first)
    return {**wire, "text": text, "blocks": blocks}
