"""The routes: the Messages API for the client, and `/sandbox/…` for the demo and the tests."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from aiohttp import web

from . import obedient
from .conversation import read_conversation, user_texts
from .delivery import Delivery, Pace, reset
from .faults import Fault, Faults
from .playbook import next_turn
from .record import Record, Seen
from .refusal import Refusal
from .scripts import Scripts
from .turn import Turn, estimate_tokens
from .validation import check_body, check_headers

WRONG_KEY = "invalid x-api-key"
MAX_BODY = 32 * 1024 * 1024  # the Messages API's limit ("API errors", request_too_large)


class ModelServer:
    """One stand-in: its orders, its record, its pace."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.faults = Faults()
        self.scripts = Scripts()
        self.record = Record()
        self.key: str | None = None

    def application(self) -> web.Application:
        """Return the aiohttp application with all routes."""
        app = web.Application(client_max_size=MAX_BODY)
        app.add_routes(
            [
                web.post("/v1/messages", self.messages),
                web.post("/v1/messages/count_tokens", self.count_tokens),
                web.get("/sandbox/health", self.health),
                web.get("/sandbox/requests", self.list_requests),
                web.get("/sandbox/violations", self.list_violations),
                web.post("/sandbox/faults", self.add_fault),
                web.delete("/sandbox/faults", self.clear_faults),
                web.post("/sandbox/pace", self.set_pace),
                web.post("/sandbox/key", self.set_key),
                web.post("/sandbox/script", self.add_script),
                web.delete("/sandbox/script", self.clear_scripts),
                web.route("*", "/{path:.*}", self.unknown),
            ]
        )
        app.on_shutdown.append(self._end_hangs)
        return app

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/messages`: validate, apply a fault if one is ordered, else deliver the next turn."""
        session = request.headers.get("x-claude-code-session-id", "")
        seen = self.record.open(request.path, request.content_length or 0, session)
        try:
            self._check_key(request)
            body = check_body(await _parse(request))
            seen.describe(body)
            return await self._answer(request, body, seen)
        except Refusal as refusal:
            seen.status, seen.outcome = refusal.status, "refused"
            return self._refuse(request, refusal)
        finally:
            # Cancelled while sending: the client closed the connection.
            seen.outcome = "client_gone" if seen.outcome == "pending" else seen.outcome

    async def count_tokens(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/messages/count_tokens`: characters / 4."""
        try:
            self._check_key(request)
            body = check_body(await _parse(request), counting=True)
        except Refusal as refusal:
            return self._refuse(request, refusal)
        return web.json_response({"input_tokens": _input_tokens(body)}, headers=_headers())

    async def _answer(self, request: web.Request, body: dict[str, Any], seen: Seen) -> web.StreamResponse:
        text = _conversation_text(body)
        fault = self.faults.take(text)
        if fault and (fault.early or not body.get("stream")):
            return await _fail_early(request, fault, seen)
        turn = self._next(text, body)
        delivery = Delivery(request, turn, body["model"], _input_tokens(body), _headers(), self.pace)
        if fault:
            seen.outcome = fault.kind
            return await delivery.streamed(fault)
        self._advance(text, turn)
        response = await (delivery.streamed() if body.get("stream") else delivery.whole())
        seen.outcome = "completed"
        return response

    def _next(self, text: str, body: dict[str, Any]) -> Turn:
        if self.scripts.obeys(text):
            return obedient.next_turn(read_conversation(body))
        return self.scripts.peek(text) or next_turn(read_conversation(body))

    def _advance(self, text: str, turn: Turn) -> None:
        if self.scripts.peek(text) is turn:
            self.scripts.advance(text)

    def _check_key(self, request: web.Request) -> None:
        if self.key and request.headers.get("x-api-key", self.key) != self.key:
            raise Refusal(401, WRONG_KEY)

    def _refuse(self, request: web.Request, refusal: Refusal) -> web.Response:
        # A model or a key that is unknown is a setting of the operator's; all else is a mistake of the client's code.
        if refusal.status != 404 and refusal.message != WRONG_KEY:
            self.record.violation(request.path, refusal.status, refusal.message)
        headers = _headers()
        return web.json_response(refusal.body(headers["request-id"]), status=refusal.status, headers=headers)

    async def unknown(self, request: web.Request) -> web.Response:
        """Any other path: 404, and a violation, because nothing of ours should ask for it."""
        self.record.violation(request.path, 404, f"{request.method} {request.path} is not part of the stand-in")
        headers = _headers()
        return web.json_response(Refusal(404, "Not found").body(headers["request-id"]), status=404, headers=headers)

    async def health(self, _request: web.Request) -> web.Response:
        """Say that the stand-in is up."""
        return web.json_response({"status": "ok"})

    async def list_requests(self, _request: web.Request) -> web.Response:
        """`{"requests": […]}`, see `record.Seen`."""
        return web.json_response({"requests": self.record.requests()})

    async def list_violations(self, _request: web.Request) -> web.Response:
        """`{"violations": [{time, path, status, message}]}`."""
        return web.json_response({"violations": self.record.violations()})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Take an order, see `faults.Fault`."""
        return await _order(request, self.faults.add)

    async def add_script(self, request: web.Request) -> web.Response:
        """Enqueue turns, see `scripts.Scripts.add`."""
        return await _order(request, self.scripts.add)

    async def set_pace(self, request: web.Request) -> web.Response:
        """Change the pace of the replies that begin from now on: `{"delay_ms", "chars_per_second"}`."""
        return await _order(request, self._set_pace)

    def _set_pace(self, order: dict[str, Any]) -> None:
        if unknown := set(order) - {"delay_ms", "chars_per_second"}:
            raise ValueError(f"unknown field {', '.join(sorted(unknown))}; known: delay_ms, chars_per_second")
        self.pace = Pace(
            float(order.get("delay_ms", self.pace.delay_ms)),
            float(order.get("chars_per_second", self.pace.chars_per_second)),
        )

    async def set_key(self, request: web.Request) -> web.Response:
        """`{"key"}`: from now on every other key is refused. Without this any key is taken."""
        return await _order(request, self._set_key)

    def _set_key(self, order: dict[str, Any]) -> None:
        self.key = str(order["key"]) if order.get("key") else None

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Drop all faults and end the requests that hang."""
        self.faults.clear()
        return web.json_response({"ok": True})

    async def clear_scripts(self, _request: web.Request) -> web.Response:
        """Forget all scripts."""
        self.scripts.clear()
        return web.json_response({"ok": True})

    async def _end_hangs(self, _app: web.Application) -> None:
        self.faults.clear()


async def _order(request: web.Request, take: Callable[[dict[str, Any]], object]) -> web.Response:
    """Hand the JSON of a control request to `take`; a ValueError is the caller's mistake and reads as 400."""
    try:
        order = await request.json()
        if not isinstance(order, dict):
            raise ValueError("the body must be a JSON object")
        take(order)
    except (ValueError, TypeError) as error:
        return web.json_response({"ok": False, "error": str(error)}, status=400)
    return web.json_response({"ok": True})


async def _fail_early(request: web.Request, fault: Fault, seen: Seen) -> web.StreamResponse:
    """Fail before the first byte; for a reply that is not streamed there is no middle."""
    seen.outcome = fault.kind
    if fault.kind in ("http", "stream_error"):
        seen.status = fault.status
        headers = _headers()
        if fault.retry_after is not None:
            headers["retry-after"] = f"{fault.retry_after:g}"
        body = Refusal(fault.status, fault.text).body(headers["request-id"])
        return web.json_response(body, status=fault.status, headers=headers)
    if fault.kind in ("hang_before", "hang_mid"):
        await fault.lifted.wait()
    reset(request)
    return web.Response(status=499)  # never read: the connection is gone


async def _parse(request: web.Request) -> object:
    check_headers(request.headers)
    try:
        return json.loads(await request.read())
    except web.HTTPRequestEntityTooLarge as error:
        raise Refusal(413, "Request exceeds the maximum size") from error
    except ValueError as error:
        raise Refusal(400, f"The request body is not valid JSON: {error}") from error


def _headers() -> dict[str, str]:
    return {"request-id": f"req_{uuid.uuid4().hex[:24]}"}


def _input_tokens(body: dict[str, Any]) -> int:
    return estimate_tokens(
        "".join(json.dumps(body[part], ensure_ascii=False) for part in ("system", "tools", "messages") if part in body)
    )


def _conversation_text(body: dict[str, Any]) -> str:
    return "\n".join(user_texts(body))
