"""What the stand-in has seen: every request, and every one that the real API would have refused."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from typing import Any

from .conversation import user_texts
from .validation import blocks_of

KEPT = 2_000  # requests; a test suite or a day of the demo


@dataclass
class Seen:
    """One request to `/v1/messages`. `outcome`: pending, completed, refused, client_gone or the fault's kind.

    `last_result` is the text of the newest tool result, as the model reads it, and `results` are those since
    its last turn. `images` are the media types of the pictures inside tool results.
    """

    time: float
    path: str
    bytes: int
    model: str = ""
    messages: int = 0
    tools: list[str] = field(default_factory=list)
    last_user_text: str = ""
    last_result: str = ""
    results: list[str] = field(default_factory=list)
    system_chars: int = 0
    session: str = ""
    stream: bool = False
    images: list[str] = field(default_factory=list)
    status: int = 200
    outcome: str = "pending"

    def describe(self, body: dict[str, Any]) -> None:
        """Fill in what a valid body says."""
        texts = user_texts(body)
        self.model = body["model"]
        self.messages = len(body["messages"])
        self.tools = [tool["name"] for tool in body.get("tools", [])]
        self.last_user_text = texts[-1] if texts else ""
        self.system_chars = sum(len(block.get("text", "")) for block in blocks_of(body.get("system")))
        self.stream = bool(body.get("stream"))
        results = [block for message in body["messages"] for block in blocks_of(message["content"])]
        parts = [
            part for block in results if block["type"] == "tool_result" for part in blocks_of(block.get("content"))
        ]
        said = [part["text"] for part in parts if part["type"] == "text"]
        self.last_result = said[-1][:RESULT_KEPT] if said else ""
        unread = takewhile(lambda message: message["role"] != "assistant", reversed(body["messages"]))
        blocks = [block for message in unread for block in blocks_of(message["content"])]
        newest = [block for block in blocks if block["type"] == "tool_result"]
        texts_of = (part.get("text", "") for block in newest for part in blocks_of(block.get("content")))
        self.results = [text[:RESULT_KEPT] for text in texts_of]
        self.images = [part["source"]["media_type"] for part in parts if part["type"] == "image"]


RESULT_KEPT = 4_000
"""Characters of a tool result that a record keeps."""


class Record:
    """The requests and violations so far, bounded."""

    def __init__(self) -> None:
        self._requests: deque[Seen] = deque(maxlen=KEPT)
        self._violations: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def open(self, path: str, size: int, session: str) -> Seen:
        """Start the entry of a request."""
        seen = Seen(time=time.time(), path=path, bytes=size, session=session)
        self._requests.append(seen)
        return seen

    def violation(self, path: str, status: int, message: str) -> None:
        """Note a request that a client must not send."""
        self._violations.append({"time": time.time(), "path": path, "status": status, "message": message})

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests, oldest first."""
        return [asdict(seen) for seen in self._requests]

    def violations(self) -> list[dict[str, Any]]:
        """Return the violations, oldest first."""
        return list(self._violations)
