"""Misbehaviour on order: the ways in which the model's side of a turn can fail.

A fault is set by a test (`POST /sandbox/faults`), applies to the next `count` matching requests (without
`count`: until deleted), and leaves the script and the playbook untouched, so that a retry gets the same turn.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from .refusal import ERROR_TYPES

KINDS = ("http", "stream_error", "hang_before", "hang_mid", "reset_before", "reset")
MESSAGES = {
    400: "messages: the request was refused by a fault of the sandbox",
    401: "invalid x-api-key",
    404: "model: not found",
    429: "This request would exceed your organization's rate limit.",
    500: "Internal server error",
    529: "Overloaded",
}


@dataclass
class Fault:
    """One order. `kind` is one of:

    http (answer `status`, with `retry_after` seconds if given) · stream_error (an `overloaded_error` event in the
    middle) · hang_before (no response headers) · hang_mid (half a reply, then silence) · reset_before · reset
    (the TCP connection is reset, before the headers or in the middle).
    """

    kind: str
    status: int = 529
    retry_after: float | None = None
    message: str = ""
    count: int | None = None
    skip: int = 0  # let so many matching requests through first
    marker: str = ""  # only conversations that contain this
    lifted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def early(self) -> bool:
        """Whether it strikes before the first byte of the answer."""
        return self.kind in ("http", "hang_before", "reset_before")

    @property
    def text(self) -> str:
        """The error message that the client reads."""
        return self.message or MESSAGES.get(self.status, ERROR_TYPES[self.status])


@dataclass
class Faults:
    """The orders in force, oldest first."""

    orders: list[Fault] = field(default_factory=list)

    def add(self, order: dict[str, Any]) -> Fault:
        """Take an order. Raises ValueError for an unknown kind, field or status."""
        known = set(Fault.__dataclass_fields__) - {"lifted"}
        if unknown := set(order) - known:
            raise ValueError(f"unknown field {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        if order.get("kind") not in KINDS:
            raise ValueError(f"unknown kind {order.get('kind')!r}; known: {', '.join(KINDS)}")
        fault = Fault(**order)
        if fault.status not in ERROR_TYPES:
            raise ValueError(f"unknown status {fault.status}; known: {', '.join(map(str, ERROR_TYPES))}")
        self.orders.append(fault)
        return fault

    def clear(self) -> None:
        """Drop all orders; requests that hang are ended (their connection closes)."""
        for fault in self.orders:
            fault.lifted.set()
        self.orders.clear()

    def take(self, conversation: str) -> Fault | None:
        """Return the fault for a request with this conversation text and count it down."""
        for fault in self.orders:
            if fault.marker not in conversation or fault.count == 0:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.count is not None:
                fault.count -= 1
            return fault
        return None
