"""What a receiver has to know of a system that sends webhooks."""

from datetime import datetime
from typing import Protocol

from multidict import CIMultiDictProxy

from sre_bot.incidents.paging import Delivery

Headers = CIMultiDictProxy[str]


class Source(Protocol):
    """A system that sends webhooks. Every method may raise `TurnedAway`."""

    @property
    def name(self) -> str:
        """As in `Delivery.source`."""

    @property
    def body_limit(self) -> int:
        """Bytes of one body."""

    @property
    def advice(self) -> str:
        """What the log says beside a 401: what it means that somebody who should be let in is not."""

    def admit(self, headers: Headers) -> None:
        """Turn away what cannot be verified, before any of its body is read."""

    def verify(self, headers: Headers, body: bytes) -> None:
        """Turn away what somebody else sent; the body is not parsed before this."""

    def read(self, body: bytes, now: datetime) -> Delivery:
        """Say what is in a verified body."""
