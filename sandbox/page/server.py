"""The page's server put together."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import asdict
from html import escape
from pathlib import Path

import aiohttp
from aiohttp import web

from sandbox.page.chat import Chat
from sandbox.page.confluence import Confluence
from sandbox.page.events import Events
from sandbox.page.fleet import Fleet
from sandbox.page.guard import Guard
from sandbox.page.pagerduty import PagerDuty
from sandbox.page.parts import TITLES, Whereabouts
from sandbox.page.upstream import Json, Upstream

ASSETS = Path(__file__).parent / "assets"
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
MOST_BYTES = 16 * 1024 * 1024  # of a request: a file that somebody attaches, in base64


class Page:
    """The application; it lives as long as the HTTP session that it asks with.

    Args:
        http: asks the parts.
        whereabouts: says where they are.
    """

    def __init__(self, http: aiohttp.ClientSession, whereabouts: Whereabouts) -> None:
        self._upstream = Upstream(http, whereabouts)
        self._token = secrets.token_urlsafe(24)
        self._born = secrets.token_hex(4)
        self._chat, self._fleet = Chat(self._upstream), Fleet(self._upstream)
        self._pagerduty, self._confluence = PagerDuty(self._upstream), Confluence(self._upstream)
        looks = {
            "parts": self._parts,
            "fleet": self._fleet.look,
            "pagerduty": self._pagerduty.look,
            "confluence": self._confluence.look,
        }
        self._events = Events(self._upstream, looks, self._born)

    def application(self) -> web.Application:
        """All routes, guarded."""
        app = web.Application(client_max_size=MOST_BYTES)
        Guard(self._token).protect(app)
        app.add_routes([web.get("/", self._index), web.get("/assets/{path:[a-z0-9_/]+[.](?:js|css|svg)}", _asset)])
        for part in (self._chat, self._fleet, self._pagerduty, self._confluence, self._events):
            app.add_routes(part.routes())
        app.on_shutdown.append(self._events.close)
        return app

    async def _index(self, _: web.Request) -> web.Response:
        text = (ASSETS / "index.html").read_text(encoding="utf-8")
        text = text.replace("{{token}}", escape(self._token)).replace("{{born}}", escape(self._born))
        return web.Response(text=text, content_type="text/html")

    async def _parts(self) -> Json:
        """Which parts are up, where their links lead, and what is simulated."""
        parts = self._upstream.parts
        up = {name: bool(getattr(parts, name)) for name in TITLES} | {"bot": parts.bot_ready}
        known = asdict(parts)
        links = {name: known[name] for name in ("slack", "confluence", "pagerduty", "prometheus") if known[name]}
        return {"up": up, "links": links, "model": parts.model}


async def _asset(request: web.Request) -> web.StreamResponse:
    path = ASSETS / request.match_info["path"]
    if not path.is_file():
        raise web.HTTPNotFound
    return web.Response(body=path.read_bytes(), content_type=KINDS[path.suffix], charset="utf-8")


async def _listen(runner: web.AppRunner, port: int) -> None:
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    except OSError:  # another demo, or anything else
        await web.TCPSite(runner, "127.0.0.1", 0).start()


@contextlib.asynccontextmanager
async def serve(whereabouts: Whereabouts, port: int = 0) -> AsyncIterator[str]:
    """Serve the page on 127.0.0.1 until the context ends; gives its address.

    Args:
        whereabouts: says where the parts are, whenever it is asked.
        port: where it is to be; if something else is there, or with 0, it is on a free one.
    """
    async with aiohttp.ClientSession(trust_env=False) as http:
        runner = web.AppRunner(
            Page(http, whereabouts).application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.5
        )
        await runner.setup()
        try:
            await _listen(runner, port)
            yield "http://{}:{}".format(*runner.addresses[0][:2])
        finally:
            await runner.cleanup()
