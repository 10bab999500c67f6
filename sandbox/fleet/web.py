"""The fleet over HTTP: metrics, logs, deployments, and the redeploy.

Every answer but /metrics is JSON; a request that makes no sense gets 400 and {"error": sentence}.
"""

import asyncio
import heapq
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from sandbox.fleet.deployments import Deployment, DeploymentRecord
from sandbox.fleet.environment import DeployError, read_environment
from sandbox.fleet.exposition import FleetCollector
from sandbox.fleet.fleet import FIXED_ENVIRONMENTS, Fleet
from sandbox.fleet.logbook import LEVELS
from sandbox.fleet.moments import format_time, parse_since

ABOUT = "A simulated fleet: real queues, no real users, services or database."
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
LONGEST_TEXT = 200
LONGEST_LINE = 500  # of a log line that is planted


class FleetServer:
    """Joins the fleet, the record of its deployments and the environment file of api-server."""

    def __init__(self, fleet: Fleet, record: DeploymentRecord, env_file: Path) -> None:
        self.fleet = fleet
        self.record = record
        self.env_file = env_file
        self._registry = CollectorRegistry()
        self._registry.register(FleetCollector(fleet))
        self._deploying = {name: asyncio.Lock() for name in fleet.names}

    async def start(self) -> None:
        """Deploy everything and let the clients in. Raises DeployError for a bad environment."""
        read_environment(self.env_file)  # before anything is recorded as started
        await asyncio.gather(
            *(self.deploy(name, kind="start", author="fleet", reason="process start") for name in self.fleet.names)
        )
        self.fleet.open_to_clients()

    async def deploy(self, name: str, kind: str, author: str, reason: str) -> Deployment:
        """Deploy one service from its environment as it is now. Raises DeployError and changes
        nothing when that is malformed."""
        async with self._deploying[name]:
            environment = FIXED_ENVIRONMENTS.get(name) or read_environment(self.env_file)
            await self.fleet.deploy(name, environment)
            return self.record.add(name, environment, kind, author, reason)

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        application = web.Application(middlewares=[_explain_errors])
        application.router.add_get("/", self._about)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/logs", self._logs)
        application.router.add_get("/deployments", self._deployments)
        application.router.add_post("/redeploy/{service}", self._redeploy)
        application.router.add_post("/sandbox/faults", self._break)
        application.router.add_post("/sandbox/logs", self._plant)
        return application

    async def _about(self, request: web.Request) -> web.Response:
        routes = sorted({f"{r.method} {r.resource.canonical}" for r in request.app.router.routes() if r.resource})
        return web.json_response({"simulated": True, "about": ABOUT, "services": self.fleet.names, "routes": routes})

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _logs(self, request: web.Request) -> web.Response:
        query = request.query
        service, since, limit = self._service(query), _since(query), _limit(query)
        level = query.get("level", "").upper() or None
        if level not in (None, *LEVELS):
            raise web.HTTPBadRequest(text=f"level={level[:40]!r} is not one of {', '.join(LEVELS)}")
        books = [book for name, book in self.fleet.logs.items() if service in (None, name)]
        found = [line for book in books for line in book.read(level, since)]
        newest = heapq.nlargest(limit, found, key=lambda line: line.time)
        return web.json_response(
            {
                "logs": [
                    {
                        "time": format_time(line.time),
                        "service": line.service,
                        "level": line.level,
                        "message": line.message,
                    }
                    for line in reversed(newest)
                ],
                "matched": len(found),
                "dropped": sum(book.dropped for book in books),
            }
        )

    async def _deployments(self, request: web.Request) -> web.Response:
        query = request.query
        found = self.record.read(self._service(query), _since(query))[: _limit(query)]
        return web.json_response({"deployments": [_shape(deployment) for deployment in found]})

    async def _redeploy(self, request: web.Request) -> web.Response:
        name = request.match_info["service"]
        if name not in self.fleet.names:
            raise web.HTTPNotFound(text=self._unknown(name))
        author, reason = await _signature(request)
        try:
            deployment = await self.deploy(name, kind="redeploy", author=author, reason=reason)
        except DeployError as error:
            raise web.HTTPUnprocessableEntity(
                text=f"{name} was not redeployed, the old version goes on running. {error}"
            ) from error
        return web.json_response(_shape(deployment))

    async def _break(self, request: web.Request) -> web.Response:
        """`{"service": name or left out, "faults": {field: value}}`, as `faults.py` has them."""
        order = await _order(request)
        service, wanted = order.get("service"), order.get("faults")
        if service not in (None, *self.fleet.services) or not isinstance(wanted, dict):
            raise web.HTTPBadRequest(text='an order is {"service": a service with workers, "faults": {name: value}}')
        try:
            self.fleet.break_by(service, wanted)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        return web.json_response({"broken": wanted})

    async def _plant(self, request: web.Request) -> web.Response:
        """`{"service", "level", "message"}`: a line that is not dropped for the rate."""
        order = await _order(request)
        service, level, message = (str(order.get(key, "")) for key in ("service", "level", "message"))
        if service not in self.fleet.logs or level not in LEVELS or not 0 < len(message) <= LONGEST_LINE:
            raise web.HTTPBadRequest(text='a line is {"service": name, "level": level, "message": text}')
        self.fleet.logs[service].event(level, message)
        return web.json_response({"written": message})

    def _service(self, query: Mapping[str, str]) -> str | None:
        name = query.get("service") or None
        if name and name not in self.fleet.names:
            raise web.HTTPBadRequest(text=self._unknown(name))
        return name

    def _unknown(self, name: str) -> str:
        return f"service {name[:40]!r} is not one of {', '.join(self.fleet.names)}"


@web.middleware
async def _explain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPClientError as error:
        return web.json_response({"error": error.text}, status=error.status)


def _since(query: Mapping[str, str]) -> float:
    text = query.get("since", "")
    try:
        return parse_since(text) if text else 0.0
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", "") or str(DEFAULT_LIMIT)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT):
        raise web.HTTPBadRequest(text=f"limit={text[:40]!r} is not a whole number from 1 to {MAX_LIMIT}")
    return int(text)


async def _order(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text='the body must be empty or a JSON object like {"author": "ada", "reason": "…"}')
    return body


async def _signature(request: web.Request) -> tuple[str, str]:
    """Author and reason from the optional JSON body {"author": ..., "reason": ...}."""
    body = await _order(request)
    author, reason = body.get("author") or "unknown", body.get("reason") or ""
    return str(author)[:LONGEST_TEXT], str(reason)[:LONGEST_TEXT]


def _shape(deployment: Deployment) -> dict[str, Any]:
    return {
        "id": deployment.id,
        "time": format_time(deployment.time),
        "service": deployment.service,
        "version": deployment.version,
        "kind": deployment.kind,
        "author": deployment.author,
        "reason": deployment.reason,
        "changes": deployment.changes,
    }
