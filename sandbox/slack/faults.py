"""Faults that a test orders: the next calls of a method go wrong in a chosen way.

`drop_before` loses the request, `drop_after` loses the answer to a request that took effect: the two look
alike from outside, which is the point. So do `error` and `error_after`. `hold_after` lets a request take effect and
answers later, so that a caller can be ended in between. `too_long` refuses content above a length, `bad_blocks`
whatever has blocks.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

KINDS = (
    *("drop_before", "drop_after", "ratelimited", "http_500"),
    *("slow", "hold_after", "error", "error_after", "too_long", "bad_blocks"),
)


@dataclass
class Fault:
    """One order; `method` may be `*`, `delay` and `retry_after` are seconds, `limit` is characters."""

    method: str
    kind: str
    count: int = 1
    retry_after: int = 1
    delay: float = 1.0
    error: str = "internal_error"
    limit: int = 2_000

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault: {self.kind!r}; there are {', '.join(KINDS)}")

    def refuses(self, args: dict[str, Any]) -> str:
        """Why it refuses a call for its content, blocks counted as they were sent; empty where it does not."""
        content = args.get("markdown_text") or args.get("blocks") or args.get("chunks") or args.get("text") or ""
        if self.kind == "too_long" and len(str(content)) > self.limit:
            return "msg_too_long"
        return "invalid_blocks" if self.kind == "bad_blocks" and args.get("blocks") else ""


class Faults:
    """The orders that are still open, used up first in, first out.

    Attributes:
        held: methods of the calls that took effect and are not answered yet.
    """

    def __init__(self) -> None:
        self._open: list[Fault] = []
        self.held: list[str] = []

    def order(self, fault: Fault) -> None:
        """Let the next `fault.count` calls of its method go wrong."""
        self._open.append(fault)

    def clear(self) -> None:
        """Forget every open order."""
        self._open.clear()

    async def hold(self, method: str, seconds: float) -> None:
        """Let a call that took effect wait for its answer."""
        self.held.append(method)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.held.remove(method)

    def take(self, method: str) -> Fault | None:
        """The fault for this call, if one is ordered."""
        for fault in self._open:
            if fault.method in (method, "*"):
                fault.count -= 1
                if fault.count <= 0:
                    self._open.remove(fault)
                return fault
        return None
