"""Faults that a test orders: the next calls go wrong in a chosen way.

`drop_before` loses the request and `drop_after` the answer to one that took effect: from outside they look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

KINDS = {
    "status": "answer `status` with `message`; the request takes no effect unless `applied`",
    "html": "answer `status` with a web page, as a proxy in between does",
    "half": "take effect, then end the connection in the middle of the answer's body",
    "half_json": "take effect, then answer with a complete body that holds half of the JSON",
    "nothing": "take effect, then answer with an empty body",
    "hang": "never answer",
    "drop_before": "close the connection without taking effect",
    "drop_after": "take effect, then close the connection",
}


@dataclass
class Fault:
    """One order, for the next `count` calls whose method and path fit (`*`: any; `path` is the end of the path).

    `retry_after` and `reset` (seconds) become the headers `Retry-After` and `ratelimit-reset`.
    """

    kind: str
    method: str = "*"
    path: str = ""
    count: int = 1
    status: int = 500
    message: str = ""
    errors: tuple[str, ...] = ()
    retry_after: int | None = None
    reset: int | None = None
    applied: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault: {self.kind!r}; there are {', '.join(KINDS)}")

    @property
    def takes_effect(self) -> bool:
        """Whether the request is carried out before it goes wrong."""
        return self.applied or self.kind in ("half", "half_json", "nothing", "drop_after")


class Faults:
    """The orders that are still open, used up first in, first out."""

    def __init__(self) -> None:
        self._open: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Let the next fitting calls go wrong."""
        self._open.append(fault)

    def clear(self) -> None:
        """Forget every open order."""
        self._open.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this call, if one is ordered."""
        for fault in self._open:
            if fault.method in (method, "*") and path.endswith(fault.path):
                fault.count -= 1
                if fault.count <= 0:
                    self._open.remove(fault)
                return fault
        return None
