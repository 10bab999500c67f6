"""Rate limits: a sliding minute per method, and about one post per second and channel.

Slack promises a tier's figure and tolerates bursts above it without saying how large. The stand-in gives no
more than the promise, except where the promise is "one": there it allows the few that two sockets need.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable

WINDOW = 60.0  # seconds

# Slack: "Rate limits", web API tiers, calls a minute. Tier 1 is "1+ with a small burst": ten sockets may be open.
TIERS = {1: 10, 2: 20, 3: 50, 4: 100}
SPECIAL = 600  # "hundreds a minute": auth.test, chat.getPermalink, assistant.threads.setStatus
POSTS_PER_SECOND = 1.0  # Slack: chat.postMessage, per channel, "short bursts are allowed"
POSTS_BURST = 3
POSTS_PER_MINUTE = 300  # chat.postMessage has a workspace cap of "several hundred messages a minute"


class Clock:
    """Seconds that may run faster than life, so that a test can wait out a minute."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._from, self._at, self.rate = now(), 0.0, 1.0

    def now(self) -> float:
        """Seconds since the start, at the present rate."""
        return self._at + (self._now() - self._from) * self.rate

    def run_at(self, rate: float) -> None:
        """Go on from the present moment at `rate` seconds a second."""
        self._at, self._from, self.rate = self.now(), self._now(), rate


class Limits:
    """Counts calls and says how long a refused one must wait, in whole seconds of the limit clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._posts: dict[str, tuple[float, float]] = {}  # channel -> (tokens left, when that was)

    def take(self, method: str, per_minute: int) -> int:
        """Count one call; return 0, or the seconds to wait, in which case it was not counted."""
        calls, now = self._calls[method], self.clock.now()
        while calls and calls[0] <= now - WINDOW:
            calls.popleft()
        if len(calls) >= per_minute:
            return max(1, math.ceil(calls[0] + WINDOW - now))
        calls.append(now)
        return 0

    def take_post(self, channel: str) -> int:
        """Count one chat.postMessage into `channel`; return 0 or the seconds to wait."""
        now = self.clock.now()
        tokens, when = self._posts.get(channel, (float(POSTS_BURST), now))
        tokens = min(float(POSTS_BURST), tokens + (now - when) * POSTS_PER_SECOND)
        self._posts[channel] = (tokens - 1 if tokens >= 1 else tokens, now)
        return 0 if tokens >= 1 else max(1, math.ceil((1 - tokens) / POSTS_PER_SECOND))
