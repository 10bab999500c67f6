"""How much a listener takes: of one request, of one route, and for how long."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from aiolimiter import AsyncLimiter

from sre_bot.webhooks.refusals import TurnedAway

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a listener.

    Attributes:
        read: seconds for a request's body to arrive, all of it.
        answer: seconds for the record to reach the disk; PagerDuty waits five for the answer.
        idle: seconds that a connection may stay open between requests, or until the first has its headers. Above the 60
            of common proxies, which would else send a request into a connection that is being closed.
        burst: requests of one route at once after a quiet time.
        per_second: requests of one route in the long run. A page is one; a storm of hundreds fits into the burst.
        concurrent: requests of one route that are under way.
        drain: seconds that requests under way get when the listener closes.
    """

    read: float = 10.0
    answer: float = 4.0
    idle: float = 75.0
    burst: int = 1_000
    per_second: float = 500.0
    concurrent: int = 200
    drain: float = 5.0


class Gate:
    """The door of one route: what comes too fast or on top of too much is turned away and told when to come back."""

    def __init__(self, limits: Limits) -> None:
        self._pace = AsyncLimiter(limits.burst, limits.burst / limits.per_second)
        self._room = limits.concurrent

    async def __aenter__(self) -> None:
        if self._room < 1:
            raise TurnedAway(503, "busy", "Too many requests are under way; come back.", retry_after=1)
        if not self._pace.has_capacity():
            raise TurnedAway(429, "limited", "Too many requests; come back.", retry_after=1)
        await self._pace.acquire()
        self._room -= 1

    async def __aexit__(self, *_: object) -> None:
        self._room += 1
