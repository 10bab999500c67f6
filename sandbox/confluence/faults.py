"""Faults that a test orders: the next requests go wrong in a chosen way, used up first in, first out."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("status", "html", "half_body", "nothing", "hang", "drop_after")


@dataclass
class Fault:
    """One order; `method` may be `*`, `path` is a part of it; `retry_after` in seconds goes with status 429."""

    kind: str
    count: int = 1
    method: str = "*"
    path: str = ""
    status: int = 500
    retry_after: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault: {self.kind!r}; there are {', '.join(KINDS)}")


class Faults:
    """The orders that are still open."""

    def __init__(self) -> None:
        self._open: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Let the next `fault.count` requests that it fits go wrong."""
        self._open.append(fault)

    def clear(self) -> None:
        """Forget every open order."""
        self._open.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, if one is ordered."""
        for fault in self._open:
            if fault.method in (method, "*") and fault.path in path:
                fault.count -= 1
                if fault.count <= 0:
                    self._open.remove(fault)
                return fault
        return None
