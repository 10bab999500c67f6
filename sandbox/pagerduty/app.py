"""The stand-in as an aiohttp application: what surrounds every REST call.

In this order: the call is written down, a fault that was ordered strikes, then the rate limit, the headers, the route.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from typing import Any

from aiohttp import web

from sandbox.pagerduty.account import API_KEY, READ_ONLY_KEY, USERS, Account, Thing
from sandbox.pagerduty.control import Control
from sandbox.pagerduty.faults import Fault, Faults
from sandbox.pagerduty.rest import Answer, Refusal, Rest
from sandbox.pagerduty.subscriptions import WebhookControl
from sandbox.pagerduty.webhooks import Webhooks
from sandbox.pagerduty.wire import Json, write_error

ACCEPT = "application/vnd.pagerduty+json;version=2"
PER_MINUTE = 960  # requests for one key (PagerDuty: REST API rate limits)
MOST_CALLS = 10_000
MOST_BODY = 1 << 20  # bytes

_PAGE = "<html><head><style>p{}</style></head><body><h1>Bad Gateway</h1></body></html>"


class StandIn:
    """One PagerDuty account, served."""

    def __init__(self) -> None:
        self.account = Account()
        self.faults = Faults()
        self.calls: deque[Json] = deque(maxlen=MOST_CALLS)
        self.violations: list[Json] = []
        self.per_minute = PER_MINUTE
        self.webhooks = Webhooks(self._note)
        self.account.watchers.append(self.webhooks.tell)
        self._rest = Rest(self.account)
        self._window = [0.0, 0]  # when it began, and requests since
        self._not_before = 0.0  # a client that was told to wait does not call earlier

    def application(self) -> web.Application:
        """The REST API and the control API."""
        app = web.Application(client_max_size=2 * MOST_BODY)
        app.add_routes(Control(self).routes())
        app.add_routes(WebhookControl(self.webhooks).routes())
        app.on_cleanup.append(self.webhooks.close)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    def violate(self, detail: str, call: Json) -> None:
        """Note what a careful client never does."""
        self._note(detail, call["method"], call["path"])

    def _note(self, detail: str, method: str, path: str) -> None:
        self.violations.append({"detail": detail, "method": method, "path": path, "time": time.time()})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        call: Json = {
            "method": request.method,
            "path": request.path,
            "query": [list(pair) for pair in request.query.items()],
            "headers": {name: value for name, value in request.headers.items() if name != "Authorization"},
            "body": _parse(raw),
            "time": time.time(),
            "status": None,
            "answer": None,
            "fault": None,
        }
        self.calls.append(call)
        if time.time() < self._not_before:
            self.violate("called again before the time that the last 429 asked for", call)
        fault = self.faults.take(request.method, request.path)
        if fault:
            call["fault"] = fault.kind
            if fault.retry_after or fault.reset:
                self._not_before = time.time() + (fault.retry_after or fault.reset or 0)
            return await self._go_wrong(request, fault, call)
        status, body, headers = self._answer(request, call)
        return web.json_response(body, status=status, headers=headers)

    def _answer(self, request: web.Request, call: Json) -> tuple[int, Json, dict[str, str]]:
        """Carry the call out; the answer is written into `call`, too."""
        headers = self._count()
        try:
            if "ratelimit-reset" in headers and int(headers["ratelimit-remaining"]) < 0:
                headers["ratelimit-remaining"] = "0"
                self._not_before = time.time() + int(headers["ratelimit-reset"])
                raise Refusal(429, 2020, "Rate Limit Exceeded", careless=False)
            status, body = self._route(request, call)
        except Refusal as refusal:
            status, body = refusal.status, refusal.body
            if refusal.careless:
                self.violate(f"{status} {refusal}", call)
        call["status"], call["answer"] = status, body
        return status, body, headers

    def _route(self, request: web.Request, call: Json) -> Answer:
        by = self._admit(request)
        query, body = request.query, call["body"]
        match [request.method, *request.path.strip("/").split("/")]:
            case ["GET", "incidents"]:
                return self._rest.list_incidents(query)
            case ["POST", "incidents"]:
                return self._rest.create_incident(body, _user(by))
            case ["GET", "incidents", identity]:
                return self._rest.get_incident(identity, query)
            case ["PUT", "incidents", identity]:
                return self._rest.update_incident(identity, body, _user(by))
            case ["GET", "services", identity]:
                return self._rest.get_service(identity, query)
            case ["GET", "users"]:
                return self._rest.list_users(query)
            case [method, "incidents", identity, part]:
                return self._route_part(method, identity, part, request, call["body"], by)
        raise Refusal(404, 2100, "Not Found")

    def _route_part(
        self, method: str, identity: str, part: str, request: web.Request, body: object, by: Thing | None
    ) -> Answer:
        match [method, part]:
            case ["GET", "alerts"]:
                return self._rest.list_alerts(identity, request.query)
            case ["GET", "log_entries"]:
                return self._rest.list_log(identity, request.query)
            case ["GET", "notes"]:
                return self._rest.list_notes(identity, request.query)
            case ["POST", "notes"]:
                return self._rest.add_note(identity, body, _user(by))
            case ["POST", "snooze"]:
                return self._rest.snooze(identity, body, _user(by))
        raise Refusal(404, 2100, "Not Found")

    def _admit(self, request: web.Request) -> Thing | None:
        """Check the headers; the user in whose name a write is made."""
        key = request.headers.get("Authorization", "")
        if key not in (f"Token token={API_KEY}", f"Token token={READ_ONLY_KEY}"):
            raise Refusal(401, 2006, "Authentication failed", careless=not key.startswith("Token token="))
        if request.headers.get("Accept") != ACCEPT:
            raise Refusal(406, 2001, "Not Acceptable", f"Accept must be {ACCEPT}")
        if request.content_type != "application/json":
            raise Refusal(400, 2001, "Invalid Input Provided", "Content-Type must be application/json")
        if request.method == "GET":
            return None
        if key.endswith(READ_ONLY_KEY):
            raise Refusal(403, 2010, "Access Denied", careless=False)
        sender = request.headers.get("From")
        if not sender:
            raise Refusal(400, 2001, "Invalid Input Provided", "From header is required")
        if sender not in USERS:
            raise Refusal(400, 1008, "Requester User Not Found", careless=False)
        return USERS[sender]

    def _count(self) -> dict[str, str]:
        """The rate limit's headers; a negative remainder means that it is exceeded."""
        now = time.time()
        if now - self._window[0] >= 60:
            self._window = [now, 0]
        self._window[1] += 1
        return {
            "ratelimit-limit": str(self.per_minute),
            "ratelimit-remaining": str(int(self.per_minute - self._window[1])),
            "ratelimit-reset": str(int(self._window[0] + 60 - now) + 1),
        }

    async def _go_wrong(self, request: web.Request, fault: Fault, call: Json) -> web.StreamResponse:
        text = json.dumps(self._answer(request, call)[1]) if fault.takes_effect else ""
        match fault.kind:
            case "status":
                answer = write_error(fault.message or "Ordered by a test", 2000, list(fault.errors))
                return web.json_response(answer, status=fault.status, headers=_waiting(fault))
            case "html":
                return web.Response(text=_PAGE, status=fault.status, content_type="text/html")
            case "half_json":
                return web.Response(text=text[: len(text) // 2], content_type="application/json")
            case "nothing":
                return web.Response(status=200)
            case "half":
                return await _break_off(request, text.encode())
            case "hang":
                await asyncio.Event().wait()
        _hang_up(request)
        return web.Response()


async def _break_off(request: web.Request, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    _hang_up(request)
    return response


def _hang_up(request: web.Request) -> None:
    if request.transport:
        request.transport.close()


def _waiting(fault: Fault) -> dict[str, str]:
    named = {"Retry-After": fault.retry_after, "ratelimit-reset": fault.reset}
    return {name: str(value) for name, value in named.items() if value is not None}


def _user(by: Thing | None) -> Thing:
    if by is None:
        raise Refusal(400, 2001, "Invalid Input Provided", "From header is required")
    return by


def _parse(raw: bytes) -> Any:  # noqa: ANN401  (any JSON)
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
