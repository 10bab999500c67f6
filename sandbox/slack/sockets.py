"""Socket Mode: hello, envelopes, acknowledgements, redelivery and disconnects.

Each payload goes to one of the open sockets. An event that nobody acknowledges is sent again, in a new
envelope with the same event_id; a click is not, as Slack redelivers only events.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.slack.journal import Journal
from sandbox.slack.world import APP_ID

Json = dict[str, Any]

MOST_SOCKETS = 10  # Slack: Socket Mode, "up to 10 open WebSocket connections at a time"
MOST_RETRIES = 3  # Slack: Events API, "up to three times"
ACK_WITHIN = 3.0  # seconds
OLD_SOCKET_STAYS = 10.0  # seconds between refresh_requested and the end of that socket
PING_EVERY = 20.0  # seconds
HOST = "applink-sandbox"
REASONS = ("warning", "refresh_requested", "link_disabled", "too_many_websockets", "close", "reset", "half_open")


@dataclass(eq=False)
class Socket:
    """One connection; `leaving` gets no new payloads, `frozen` looks alive and carries nothing."""

    ws: web.WebSocketResponse
    request: web.Request
    number: int
    leaving: bool = False
    frozen: bool = False


@dataclass
class _Envelope:
    """What was sent and when; `acked` is set by the first acknowledgement."""

    note: Json
    sent: float
    acked: asyncio.Event = field(default_factory=asyncio.Event)


class Sockets:
    """The open sockets of the one app, and what was sent through them."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.ack_within = ACK_WITHIN
        self._open: list[Socket] = []
        self._tickets: set[str] = set()
        self._envelopes: dict[str, _Envelope] = {}
        self._connected = asyncio.Event()
        self._numbers = 0
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def issue_ticket(self) -> str:
        """A ticket that opens one socket, once."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`GET /link/?ticket=…`: one socket from hello to goodbye."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403, text="ticket unknown or used")
        self._tickets.discard(ticket)
        ws = web.WebSocketResponse(heartbeat=PING_EVERY)
        await ws.prepare(request)
        if len(self._open) >= MOST_SOCKETS:
            await ws.send_json(_goodbye("too_many_websockets"))
            await ws.close()
            return ws
        self._numbers += 1
        socket = Socket(ws, request, self._numbers, leaving=True)  # gets nothing before its hello
        self._open.append(socket)
        try:
            await ws.send_json(_hello(len(self._open)))
            socket.leaving = False
            self._connected.set()
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self._take_ack(message.data)
        finally:
            self._forget(socket)
        return ws

    @property
    def count(self) -> int:
        """How many sockets are open."""
        return len(self._open)

    def deliver_event(self, payload: Json) -> None:
        """Send an event until it is acknowledged or has been tried often enough."""
        self._start(self._deliver_event(payload))

    async def deliver_click(self, payload: Json) -> bool:
        """Send an interaction once; False when no socket could take it, and it is lost."""
        socket = self._next_socket()
        if socket is None:
            return False
        await self._send(socket, "interactive", payload, attempt=0)
        return True

    async def disconnect(self, reason: str, most: int = MOST_SOCKETS) -> int:
        """End, or announce the end of, up to `most` sockets; returns how many."""
        chosen = [socket for socket in self._open if not socket.leaving][:most]
        for socket in chosen:
            if reason == "reset":
                self._forget(socket)
                _abort(socket)
            elif reason == "half_open":
                socket.frozen = True
                if socket.request.transport is not None:
                    socket.request.transport.pause_reading()
            else:
                await self._say_goodbye(socket, reason)
        return len(chosen)

    async def close(self) -> None:
        """Stop every delivery and close every socket."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self._open):
            await socket.ws.close()

    async def _say_goodbye(self, socket: Socket, reason: str) -> None:
        if reason != "close":
            await socket.ws.send_json(_goodbye(reason))
        if reason == "refresh_requested":
            socket.leaving = True
            self._start(self._close_later(socket, OLD_SOCKET_STAYS))
        elif reason != "warning":
            await socket.ws.close()

    async def _close_later(self, socket: Socket, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await socket.ws.close()

    async def _deliver_event(self, payload: Json) -> None:
        attempt = 0
        while attempt <= MOST_RETRIES:
            socket = self._next_socket()
            if socket is None:
                self._connected.clear()
                await self._connected.wait()
                attempt = max(attempt, 1)  # the first attempt found nobody: this one is a redelivery
                continue
            envelope = await self._send(socket, "events_api", payload, attempt=attempt)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(envelope.acked.wait(), self.ack_within)
                return
            attempt += 1
        envelope.note["given_up"] = True

    async def _send(self, socket: Socket, kind: str, payload: Json, *, attempt: int) -> _Envelope:
        envelope_id = str(uuid.uuid4())
        note = {
            "envelope_id": envelope_id,
            "kind": kind,
            "type": payload.get("event", payload).get("type"),
            "event_id": payload.get("event_id"),
            "retry_attempt": attempt,
            "socket": socket.number,
            "latency_ms": None,
        }
        self.journal.acks.append(note)
        envelope = self._envelopes[envelope_id] = _Envelope(note, time.monotonic())
        frame = {
            "envelope_id": envelope_id,
            "payload": payload,
            "type": kind,
            "accepts_response_payload": False,
            "retry_attempt": attempt,
            "retry_reason": "timeout" if attempt else "",
        }
        if not socket.frozen:
            with contextlib.suppress(ConnectionError):
                await socket.ws.send_json(frame)
        return envelope

    def _take_ack(self, data: str) -> None:
        try:
            ack = json.loads(data)
            envelope = self._envelopes.get(str(ack["envelope_id"]))
        except (ValueError, TypeError, KeyError):
            self.journal.violate("malformed_ack", f"a frame that is no acknowledgement: {data[:200]}")
            return
        if envelope is None:
            self.journal.violate("unknown_ack", f"acknowledges an envelope that was never sent: {data[:200]}")
        elif envelope.acked.is_set():
            self.journal.violate("double_ack", f"acknowledges envelope {ack['envelope_id']} twice")
        else:
            envelope.note["latency_ms"] = round((time.monotonic() - envelope.sent) * 1000, 1)
            envelope.acked.set()
            if ack.get("payload"):
                self.journal.violate("ack_payload", "answers an envelope that accepts no response payload")

    def _next_socket(self) -> Socket | None:
        able = [socket for socket in self._open if not socket.leaving and not socket.ws.closed]
        self._turn += 1
        return able[self._turn % len(able)] if able else None

    def _forget(self, socket: Socket) -> None:
        if socket in self._open:
            self._open.remove(socket)

    def _start(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _abort(socket: Socket) -> None:
    if socket.request.transport is not None:
        socket.request.transport.abort()


def _hello(connections: int) -> Json:
    return {
        "type": "hello",
        "num_connections": connections,
        "debug_info": {"host": HOST, "build_number": 1, "approximate_connection_time": 18060},
        "connection_info": {"app_id": APP_ID},
    }


def _goodbye(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": HOST}}
