"""From an HTTP request to a method and back: token, tier, arguments, faults, bookkeeping.

Slack answers nearly everything with HTTP 200 and `ok: false`; only a rate limit (429, Retry-After) and an
ordered server fault look different.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from aiohttp import web

from sandbox.slack.faults import Fault, Faults
from sandbox.slack.journal import CARELESS
from sandbox.slack.limits import Limits
from sandbox.slack.scopes import HEADER, needed
from sandbox.slack.web_api import METHODS
from sandbox.slack.web_api.call import Call, RateLimited, Refused
from sandbox.slack.workspace import Workspace
from sandbox.slack.world import APP_TOKEN, BOT_TOKEN

Json = dict[str, Any]
TOKENS = (BOT_TOKEN, APP_TOKEN)
APP_SCOPES = ("connections:write",)


class Dispatcher:
    """Answers `/api/<method>`."""

    def __init__(self, workspace: Workspace, limits: Limits, faults: Faults) -> None:
        self.workspace = workspace
        self.limits = limits
        self.faults = faults
        self._waiting: dict[str, float] = {}  # method -> when its last 429 lets it be called again

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The HTTP handler."""
        name = request.match_info["method"]
        note: Json = {"method": name, "time": time.time(), "args": {}}
        self.workspace.journal.calls.append(note)
        if self._waiting.get(name, 0) > time.monotonic():
            note["before_retry_after"] = True
        fault = self.faults.take(name)
        if fault is not None:
            note["fault"] = fault.kind
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.delay)
        response = self._ordered(fault, note) or await self._perform(name, request, note, fault)
        if fault and fault.kind == "error_after" and note["ok"]:
            response = _refusal(note, Refused(fault.error))
        if fault and fault.kind == "hold_after" and note["ok"]:
            await self.faults.hold(name, fault.delay)
        note["status"], note["duration_ms"] = response.status, round((time.time() - note["time"]) * 1000, 1)
        if fault and fault.kind in ("drop_before", "drop_after"):
            _hang_up(request)
        return response

    def _ordered(self, fault: Fault | None, note: Json) -> web.Response | None:
        """The answer that a fault gives in place of the method."""
        match fault:
            case Fault(kind="drop_before"):
                return web.Response(status=500)
            case Fault(kind="http_500"):
                return web.Response(status=500, text="Internal Server Error")
            case Fault(kind="ratelimited"):
                return self._limited(note, fault.retry_after)
            case Fault(kind="error"):
                return _refusal(note, Refused(fault.error))
        return None

    async def _perform(self, name: str, request: web.Request, note: Json, fault: Fault | None) -> web.Response:
        try:
            token, args = await _read(request)
            note["args"] = args
            if fault and (why := fault.refuses(args)):
                return _refusal(note, Refused(why))
            result = await self._call(name, token, args, str(request.url.origin()))
        except Refused as refused:
            if refused.error in CARELESS and not refused.ordered:
                detail = "; ".join(refused.messages) or refused.error
                self.workspace.journal.violate(refused.error, detail, method=name)
            return _refusal(note, refused)
        except RateLimited as limited:
            return self._limited(note, limited.seconds)
        note["ok"] = True
        scopes = self.workspace.world.scopes if token == BOT_TOKEN else APP_SCOPES
        return web.json_response({"ok": True, **result}, headers={HEADER: ",".join(scopes)})

    async def _call(self, name: str, token: str, args: Json, base_url: str) -> Json:
        found = METHODS.get(name)
        if found is None:
            raise Refused("unknown_method", f"the stand-in knows no method {name}")
        self._check_token(token, found.token)
        scope = needed(name)
        if scope and scope not in self.workspace.world.scopes:
            raise Refused("missing_scope", needed=scope, provided=",".join(self.workspace.world.scopes))
        if seconds := self.limits.take(name, found.per_minute):
            raise RateLimited(seconds)
        missing = [argument for argument in found.required if args.get(argument) in (None, "")]
        if missing:
            raise Refused("invalid_arguments", *(f"missing required field: {argument}" for argument in missing))
        call = Call(name, args, self.workspace, base_url, self.limits.take_post)
        for unknown in args.keys() - {*found.required, *found.optional, "team_id"}:
            call.violate("unknown_argument", f"{name} has no argument {unknown!r}; Slack passes over it")
        return await found.handler(call)

    def _check_token(self, token: str, kind: str) -> None:
        if not token:
            raise Refused("not_authed")
        if token not in TOKENS:
            raise Refused("invalid_auth")
        if not token.startswith(kind):
            raise Refused("not_allowed_token_type")

    def _limited(self, note: Json, seconds: int) -> web.Response:
        note["ok"], note["error"] = False, "ratelimited"
        self._waiting[note["method"]] = time.monotonic() + seconds / self.limits.clock.rate
        body = {"ok": False, "error": "ratelimited"}
        return web.json_response(body, status=429, headers={"Retry-After": str(seconds)})


async def _read(request: web.Request) -> tuple[str, Json]:
    """The token and the arguments, from header, query, form or JSON body."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        args |= await _read_json(request)
    elif request.can_read_body:
        args |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    in_arguments = args.pop("token", "")  # Slack reads it in query and form, not in a JSON body
    if scheme == "Bearer":
        return token.strip(), args
    return ("" if request.content_type == "application/json" else str(in_arguments)), args


async def _read_json(request: web.Request) -> Json:
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError:
        raise Refused("invalid_json") from None
    if not isinstance(body, dict):
        raise Refused("json_not_object")
    return {name: value for name, value in body.items() if value is not None}


def _refusal(note: Json, refused: Refused) -> web.Response:
    note["ok"], note["error"] = False, refused.error
    body: Json = {"ok": False, "error": refused.error, **refused.details}
    if refused.messages:
        body["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in refused.messages]}
        if refused.error == "invalid_blocks":
            body["errors"] = refused.messages
    return web.json_response(body)


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
