"""The way in to the API: every call is noted, checked for credentials, and put through the faults that were ordered."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.confluence import refusals
from sandbox.confluence.faults import Fault, Faults
from sandbox.confluence.refusals import Refusal
from sandbox.confluence.site import EMAIL, TOKEN

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_CREDENTIALS = "Basic " + base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()


class Gate:
    """A middleware, with what it noted."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.calls: list[dict[str, Any]] = []
        self.violations: list[dict[str, Any]] = []
        self._quiet_until = 0.0

    def violate(self, kind: str, detail: str, call: str) -> None:
        """Note what a careful app does not do."""
        self.violations.append({"kind": kind, "detail": detail, "call": call, "time": time.time()})

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Everything below `/wiki/api` and `/wiki/rest`; the rest passes."""
        if not request.path.startswith(("/wiki/api/", "/wiki/rest/")):
            return await handler(request)
        fault = self.faults.take(request.method, request.path)
        call = {
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "body": await request.text(),
            "status": None,
            "fault": fault.kind if fault else None,
            "time": time.time(),
        }
        self.calls.append(call)
        answer = await (self._fail(fault, request, handler) if fault else self._pass(request, handler))
        call["status"] = answer.status
        return answer

    async def _pass(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        name = f"{request.method} {request.path}"
        if (wait := self._quiet_until - time.monotonic()) > 0:
            self.violate("before_retry_after", f"{wait:.1f} s too early", name)
            return refusals.answer(request.path, 429, retry_after=int(wait) + 1)
        if request.headers.get("Authorization") != _CREDENTIALS:
            return refusals.answer(request.path, 401)
        try:
            return await handler(request)
        except Refusal as refusal:
            if refusal.careless:
                self.violate("careless", refusal.words, name)
            return refusals.answer(request.path, refusal.status, refusal.words)
        except web.HTTPNotFound:
            self.violate("unknown_path", "the API has no such path", name)
            return refusals.answer(request.path, 404)

    async def _fail(self, fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
        if fault.kind == "status":
            if fault.retry_after is not None:
                self._quiet_until = time.monotonic() + fault.retry_after
            return refusals.answer(request.path, fault.status, retry_after=fault.retry_after)
        if fault.kind == "html":
            return web.Response(text=refusals.LOGIN_PAGE, content_type="text/html")
        if fault.kind == "hang":
            await asyncio.Event().wait()
        if fault.kind == "half_body":
            return await _send_half(request, await self._pass(request, handler))
        if fault.kind == "drop_after":
            await self._pass(request, handler)
        return _hang_up(request)

    def calm(self) -> None:
        """Forget the faults, and the wait that a rate limit asked for."""
        self.faults.clear()
        self._quiet_until = 0.0


async def _send_half(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""
    half = web.StreamResponse(status=whole.status, headers={"Content-Type": "application/json"})
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    _hang_up(request)
    return half


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=503)
