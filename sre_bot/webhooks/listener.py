"""The HTTP server: both webhooks, and what an orchestrator and Prometheus ask.

/healthz answers while the process does, /readyz names what is not ready, /metrics counts. Nothing in them is secret,
and nothing is meant for the world: a proxy in front should pass /webhooks/ on and no more.
"""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry

from sre_bot.errors import SettingsError
from sre_bot.settings import WebhookSettings
from sre_bot.webhooks.alertmanager import AlertmanagerSource
from sre_bot.webhooks.limits import Limits
from sre_bot.webhooks.metrics import CONTENT_TYPE, Metrics
from sre_bot.webhooks.pagerduty import PagerDutySource
from sre_bot.webhooks.receiver import Inbox, Receiver
from sre_bot.webhooks.source import Source

Readiness = Callable[[], Awaitable[Mapping[str, str]]]
"""Gives the name of everything that is not ready, with a sentence for each; nothing where all is."""

READINESS_TIMEOUT = 2.0

log = logging.getLogger(__name__)


class Listener:
    """The bot's HTTP server.

    Args:
        settings: where it listens, and the secrets of both webhooks.
        inbox: where deliveries are recorded before they are answered.
        readiness: asked for /readyz.
        on_recorded: called after every accepted delivery: there may be something to do.
        warnings: asked for /readyz too: what is not as it should be, although deliveries are taken.
        limits: see there.
        registry: what /metrics shows; other parts of the process may register in it.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        inbox: Inbox,
        readiness: Readiness,
        on_recorded: Callable[[], None],
        *,
        warnings: Readiness | None = None,
        limits: Limits | None = None,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._settings = settings
        self._readiness = readiness
        self._warnings = warnings
        self._limits = limits or Limits()
        self._metrics = Metrics(registry or CollectorRegistry())
        sources: tuple[Source, ...] = (PagerDutySource(settings), AlertmanagerSource(settings))
        self._receivers = {
            f"/webhooks/{source.name}": Receiver(source, inbox, on_recorded, self._limits, self._metrics)
            for source in sources
        }
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        """Listen.

        Raises:
            SettingsError: the address cannot be listened on.
        """
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=_quiet_logger(),
            auto_decompress=False,  # a signature is of the bytes that came
            keepalive_timeout=self._limits.idle,
            lingering_time=2.0,  # seconds that the rest of a refused body is thrown away, so that the answer is read
            shutdown_timeout=self._limits.drain,
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._settings.host, self._settings.port).start()
        except OSError as error:
            await self.close()
            raise SettingsError(_cannot_listen(error, self._settings)) from error
        log.info("webhooks on %s", self.address)

    @property
    def address(self) -> str:
        """Where it listens: `http://host:port`, with the port that was really taken."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("The listener is not open.")
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def close(self) -> None:
        """Take no more requests, and give those under way a moment."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._observe])
        app.add_routes([web.post(path, receiver.handle) for path, receiver in self._receivers.items()])
        app.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/readyz", self._ready),
                web.get("/metrics", self._show_metrics),
            ]
        )
        app.on_response_prepare.append(_name_no_versions)
        return app

    @web.middleware
    async def _observe(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began, status = time.monotonic(), 500
        try:
            answer = await handler(request)
            status = answer.status
        except web.HTTPException as refusal:
            status = refusal.status
            raise
        finally:
            resource = request.match_info.route.resource
            self._metrics.observe(resource.canonical if resource else "other", status, time.monotonic() - began)
        return answer

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _ready(self, _: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(READINESS_TIMEOUT):
                missing = dict(await self._readiness())
                noted = dict(await self._warnings()) if self._warnings else {}
        except TimeoutError:
            missing, noted = {"readiness": f"It could not be established within {READINESS_TIMEOUT:g} s."}, {}
        warned = {"warnings": noted} if noted else {}
        if missing:
            return web.json_response({"status": "not ready", "not_ready": missing, **warned}, status=503)
        return web.json_response({"status": "ready", **warned})

    async def _show_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})


async def _name_no_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "sre-bot"


def _quiet_logger() -> logging.Logger:
    """Aiohttp's errors, without a traceback for every stranger who does not speak HTTP."""
    quiet = logging.getLogger(f"{__name__}.http")
    if not quiet.filters:
        quiet.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
    return quiet


def _cannot_listen(error: OSError, settings: WebhookSettings) -> str:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return f"Another process listens on {where} already. Stop it, or let WEBHOOK_PORT name another port."
    if error.errno == errno.EACCES:
        return f"This user may not listen on {where}. Let WEBHOOK_PORT name a port above 1023."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"This machine has no address {settings.host!r}. Let WEBHOOK_HOST name one, or 0.0.0.0 for all."
    return f"Cannot listen on {where}: {error.strerror}. Check WEBHOOK_HOST and WEBHOOK_PORT."
