"""Everything that a person looking at Slack would see change, as a resumable stream.

For the terminal of the demo, and for a page later: server-sent events with growing ids, so that a reader
that lost the connection goes on where it stopped (`Last-Event-ID`, or `?after=`).
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

REMEMBERED = 20_000


class Feed:
    """A log of visible changes that any number of readers follow."""

    def __init__(self) -> None:
        self._events: deque[tuple[int, str, dict[str, Any]]] = deque(maxlen=REMEMBERED)
        self._last = 0
        self._more = asyncio.Event()

    def publish(self, kind: str, **data: Any) -> None:  # noqa: ANN401 - JSON of any shape
        """Append one change, such as `message.posted`."""
        self._last += 1
        self._events.append((self._last, kind, json.loads(json.dumps(data))))
        self._more.set()
        self._more = asyncio.Event()

    @property
    def last(self) -> int:
        """The id of the newest change; 0 where nothing has happened yet."""
        return self._last

    async def follow(self, after: int, keep_alive: float = 15.0) -> AsyncIterator[str]:
        """Server-sent events with an id above `after`, for ever; a comment when all is quiet for long."""
        while True:
            more = self._more
            for number, kind, data in list(self._events):
                if number > after:
                    after = number
                    yield f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
            try:
                await asyncio.wait_for(more.wait(), keep_alive)
            except TimeoutError:
                yield ": still here\n\n"
