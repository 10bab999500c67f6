"""Loki's routes (Loki: HTTP API reference), its limits and its words for what it refuses.

Stricter than Loki in two things: a parameter that does not exist is refused, and so is a push that is not JSON.
Authentication is that of a gateway before it, for Loki itself has none.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from aiohttp import web

from sandbox.loki.lines import Line, Lines, labels_of
from sandbox.loki.logql import ParseError, parse

MAX_ENTRIES = 5_000  # limits_config: max_entries_limit_per_query
MAX_RANGE = 721 * 3600 * 10**9  # limits_config: max_query_length, 30d1h
_HOUR = 3600 * 10**9
_PARAMETERS = {"query", "limit", "start", "end", "since", "step", "interval", "direction"}
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Access:
    """Who may come in: `authorization` is the header's value, empty for everybody."""

    tenants: bool = False
    authorization: str = ""

    @classmethod
    def basic(cls, user: str, password: str) -> str:
        """The header of basic authentication."""
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class LokiServer:
    """The stand-in; what it was asked is at /sandbox/requests."""

    def __init__(self, access: Access, max_entries: int = MAX_ENTRIES) -> None:
        self._access = access
        self._max_entries = max_entries
        self._lines = Lines()
        self._requests: list[dict[str, Any]] = []

    def application(self) -> web.Application:
        """The aiohttp application."""
        application = web.Application(client_max_size=64 << 20)
        application.router.add_get("/ready", self._ready)
        application.router.add_post("/loki/api/v1/push", self._push)
        application.router.add_get("/loki/api/v1/query_range", self._query_range)
        application.router.add_post("/loki/api/v1/query_range", self._query_range)
        application.router.add_get("/sandbox/requests", self._asked)
        return application

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(text="ready\n")

    async def _asked(self, _: web.Request) -> web.Response:
        return web.json_response({"requests": self._requests})

    async def _push(self, request: web.Request) -> web.Response:
        (tenant,) = self._enter(request)
        if request.content_type != "application/json":
            raise web.HTTPBadRequest(text="the stand-in takes JSON only")
        try:
            lines = [line for stream in (await request.json())["streams"] for line in _read_stream(stream)]
        except (ValueError, KeyError, TypeError) as error:
            raise web.HTTPBadRequest(text=f"loghttp.PushRequest: {error}") from error
        self._lines.push(tenant, lines)
        return web.Response(status=web.HTTPNoContent.status_code)

    async def _query_range(self, request: web.Request) -> web.Response:
        given = dict(await request.post() if request.method == "POST" else request.query)
        seen = {"tenant": request.headers.get("X-Scope-OrgID"), **given, "status": web.HTTPBadRequest.status_code}
        self._requests.append(seen)
        tenants = self._enter(request)
        if unknown := set(given) - _PARAMETERS:
            raise web.HTTPBadRequest(text=f"the stand-in refuses parameters that Loki does not have: {sorted(unknown)}")
        try:
            query = parse(str(given.get("query", "")))
        except ParseError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        end = _nanoseconds(given, "end", _now())
        start = _nanoseconds(given, "start", end - _HOUR)
        _check_range(start, end)
        limit, backward = self._limit(given), _backward(given)
        found = islice(self._lines.find(tenants, query, start, end, backward=backward), limit)
        streams: dict[tuple[tuple[str, str], ...], list[list[str]]] = {}
        for line in found:
            streams.setdefault(labels_of(line.labels), []).append([str(line.nanoseconds), line.text])
        seen["status"] = web.HTTPOk.status_code
        result = [{"stream": dict(labels), "values": values} for labels, values in streams.items()]
        return web.json_response(
            {"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}}
        )

    def _enter(self, request: web.Request) -> tuple[str, ...]:
        """The tenants of a request; one is called fake where there are none, as in Loki."""
        if self._access.authorization and request.headers.get("Authorization") != self._access.authorization:
            raise web.HTTPUnauthorized(
                text="<html><head><title>401 Authorization Required</title></head><body>nginx</body></html>",
                content_type="text/html",
            )
        if not self._access.tenants:
            return ("fake",)
        names = request.headers.get("X-Scope-OrgID", "")
        if not names:
            raise web.HTTPUnauthorized(text="no org id")
        return tuple(names.split("|"))

    def _limit(self, given: Mapping[str, Any]) -> int:
        text = str(given.get("limit", "100"))
        if not text.isascii() or not text.isdigit() or int(text) == 0:
            raise web.HTTPBadRequest(text="limit must be a positive value")
        if int(text) > self._max_entries:
            raise web.HTTPBadRequest(
                text="max entries limit per query exceeded, limit > max_entries_limit_per_query "
                f"({text} > {self._max_entries})"
            )
        return int(text)


def _read_stream(stream: Mapping[str, Any]) -> list[Line]:
    labels = stream["stream"]
    if not labels or not all(_LABEL.fullmatch(name) and isinstance(value, str) for name, value in labels.items()):
        raise ValueError("error at least one valid label pair is required per stream")
    return [_read_line(labels, *value) for value in stream["values"]]


def _read_line(labels: Mapping[str, str], time: object, text: object, *extra: Mapping[str, str]) -> Line:
    metadata = extra[0] if extra else {}
    if not isinstance(time, str) or not time.isdigit() or not isinstance(text, str):
        raise TypeError("a value is [nanoseconds as a string, line, structured metadata]")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise TypeError("structured metadata are strings")
    return Line(int(time), text, labels_of(labels), labels_of(metadata))


def _nanoseconds(given: Mapping[str, Any], name: str, default: int) -> int:
    """A time: nanoseconds, seconds with a fraction, or RFC 3339."""
    text = str(given.get(name, ""))
    if not text:
        return default
    try:
        if re.fullmatch(r"-?\d+", text):
            return int(text)
        return int((float(text) if re.fullmatch(r"\d+\.\d+", text) else datetime.fromisoformat(text).timestamp()) * 1e9)
    except ValueError:
        raise web.HTTPBadRequest(text=f"could not parse '{name}' parameter: {text[:60]!r}") from None


def _check_range(start: int, end: int) -> None:
    if end <= start:
        raise web.HTTPBadRequest(text="end timestamp must not be before or equal to start time")
    if end - start > MAX_RANGE:
        length = (end - start) // _HOUR
        raise web.HTTPBadRequest(
            text=f"the query time range exceeds the limit (query length: {length}h0m0s, limit: 30d1h)"
        )


def _backward(given: Mapping[str, Any]) -> bool:
    direction = str(given.get("direction", "backward")).lower()
    if direction not in ("forward", "backward"):
        raise web.HTTPBadRequest(text=f"invalid direction '{direction[:20]}'")
    return direction == "backward"


def _now() -> int:
    return int(datetime.now().astimezone().timestamp() * 1e9)
