"""How a turn reaches the client: whole, as a paced stream, or broken in the way that a fault orders."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .faults import Fault
from .refusal import error_body
from .turn import Event, Turn, delta_length, first_half, message_body, stream_events


@dataclass
class Pace:
    """How quickly the model speaks. 0 characters per second means as fast as the socket takes it."""

    delay_ms: float = 0
    chars_per_second: float = 0


@dataclass(frozen=True)
class Delivery:
    """One request to be answered."""

    request: web.Request
    turn: Turn
    model: str
    input_tokens: int
    headers: dict[str, str]
    pace: Pace

    async def whole(self) -> web.Response:
        """Answer with one JSON body."""
        await asyncio.sleep(self.pace.delay_ms / 1000)
        return web.json_response(message_body(self.turn, self.model, self.input_tokens), headers=self.headers)

    async def streamed(self, fault: Fault | None = None) -> web.StreamResponse:
        """Answer with server-sent events; a fault breaks them off in the middle."""
        response = web.StreamResponse(headers={**self.headers, "cache-control": "no-cache"})
        response.content_type = "text/event-stream"
        response.charset = "utf-8"
        await response.prepare(self.request)
        events = list(stream_events(self.turn, self.model, self.input_tokens))
        await self._send(response, first_half(events) if fault else events)
        if fault:
            await self._break(response, fault)
        return response

    async def _send(self, response: web.StreamResponse, events: list[Event]) -> None:
        waited = False
        for event in events:
            if event["type"] == "content_block_start" and not waited:
                await asyncio.sleep(self.pace.delay_ms / 1000)
                waited = True
            if self.pace.chars_per_second > 0:
                await asyncio.sleep(delta_length(event) / self.pace.chars_per_second)
            await response.write(_sse(event["type"], event))

    async def _break(self, response: web.StreamResponse, fault: Fault) -> None:
        if fault.kind == "hang_mid":
            await fault.lifted.wait()
        elif fault.kind == "stream_error":
            await response.write(_sse("error", error_body(529, fault.message or "Overloaded")))
            return
        reset(self.request)


def reset(request: web.Request) -> None:
    """Reset the TCP connection: the client reads ECONNRESET."""
    transport = request.transport
    if transport is None:
        return
    # Linger of zero seconds turns the close into a reset (socket(7), SO_LINGER).
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _sse(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
