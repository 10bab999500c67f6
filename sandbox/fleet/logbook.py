"""The lines that one service wrote, in bounded memory.

Requests are many and write through `write`, which lets RATE lines through a second and counts the
rest; what happens to containers and deploys is rare and goes through `event`, which is never dropped
for the rate.
"""

import time
from collections import deque
from dataclasses import dataclass

LEVELS = ("INFO", "WARN", "ERROR")
KEPT_LINES = 5000
RATE = 10.0
BURST = 30.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `time` is in Unix seconds."""

    time: float
    service: str
    level: str
    message: str


class Logbook:
    """The log of one service, oldest line first."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.dropped = 0
        """Lines that were written but are not here: over the rate, or older than KEPT_LINES."""
        self._lines: deque[Line] = deque()
        self._tokens = BURST
        self._refilled = time.monotonic()

    def write(self, level: str, message: str) -> None:
        """Add a line of a request, unless there were too many just now."""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._refilled) * RATE)
        self._refilled = now
        if self._tokens < 1:
            self.dropped += 1
            return
        self._tokens -= 1
        self.event(level, message)

    def event(self, level: str, message: str) -> None:
        """Add a line that must be there."""
        if len(self._lines) == KEPT_LINES:
            self._lines.popleft()
            self.dropped += 1
        self._lines.append(Line(time.time(), self.service, level, message))

    def read(self, level: str | None, since: float) -> list[Line]:
        """The lines of exactly `level` (None: of any) from `since` (Unix seconds) on."""
        return [line for line in self._lines if line.time >= since and level in (None, line.level)]
