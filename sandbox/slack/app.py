"""The stand-in put together: one aiohttp application with everything that it holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from sandbox.slack.clicks import Clicks
from sandbox.slack.control import Control
from sandbox.slack.faults import Faults
from sandbox.slack.feed import Feed
from sandbox.slack.journal import Journal
from sandbox.slack.limits import Clock, Limits
from sandbox.slack.people import People
from sandbox.slack.sockets import Sockets
from sandbox.slack.web_api import files
from sandbox.slack.web_api.dispatch import Dispatcher
from sandbox.slack.workspace import Workspace
from sandbox.slack.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REQUEST_MOST_BYTES = 16 * 1024 * 1024


class StandIn:
    """A Slack of one workspace and one app, in memory."""

    def __init__(self, clock_rate: float = 1.0) -> None:
        self.world = World()
        self.journal = Journal()
        self.feed = Feed()
        self.faults = Faults()
        self.limits = Limits(Clock())
        self.limits.clock.run_at(clock_rate)
        self.sockets = Sockets(self.journal)
        self.workspace = Workspace(self.world, self.journal, self.feed, self.sockets, self.limits.clock)
        self.people = People(self.workspace)
        self.clicks = Clicks(self.workspace, self.limits.clock)
        self._down_until = 0.0

    def application(self) -> web.Application:
        """The HTTP application, to be run on loopback."""
        app = web.Application(middlewares=[self._outage], client_max_size=REQUEST_MOST_BYTES)
        dispatcher = Dispatcher(self.workspace, self.limits, self.faults)
        app.router.add_route("*", "/api/{method}", dispatcher.answer)
        app.add_routes(
            [
                *Control(self).routes(),
                web.get("/link/", self.sockets.serve),
                web.post("/actions/{team}/{key}", self.clicks.respond),
                web.post("/upload/v1/{file}", self._upload),
                web.get("/files/{file}/{name:.*}", self._file),
            ]
        )
        app.on_shutdown.append(self._close)
        return app

    async def go_down(self, seconds: float) -> None:
        """Nothing answers, and every socket is reset, for some seconds."""
        self._down_until = time.monotonic() + seconds
        await self.sockets.disconnect("reset")
        await asyncio.sleep(0)

    async def _upload(self, request: web.Request) -> web.Response:
        return await files.receive_upload(request, self.world)

    async def _file(self, request: web.Request) -> web.Response:
        return files.send_file(request, self.world)

    @web.middleware
    async def _outage(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if time.monotonic() < self._down_until and not request.path.startswith("/sandbox/"):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        return await handler(request)

    async def _close(self, _: web.Application) -> None:
        await self.sockets.close()
