"""Warnings that a stranger can cause at will: said at once, then once in a while with their number."""

import logging
import time

EVERY = 60.0
"""Seconds between two warnings of one sort."""


class Reminders:
    """The warnings of one listener, by sort. A sort is one of ours, never what somebody sent."""

    def __init__(self, log: logging.Logger, every: float = EVERY) -> None:
        self._log = log
        self._every = every
        self._said: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def warn(self, sort: str, sentence: str) -> None:
        """Warn, unless that was done a moment ago; what is held back is counted in the next one."""
        now = time.monotonic()
        if now - self._said.get(sort, -self._every) < self._every:
            self._held_back[sort] = self._held_back.get(sort, 0) + 1
            return
        self._said[sort] = now
        held_back = self._held_back.pop(sort, 0)
        self._log.warning("%s%s", sentence, f" ({held_back} more since the last warning)" if held_back else "")
