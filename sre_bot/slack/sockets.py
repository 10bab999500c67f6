"""The sockets on which Slack's events come: two of them, watched.

One socket is deaf while it reconnects, which Slack asks for every few hours; with two, one is up. The SDK's client
reconnects by itself but, told `too_many_websockets`, it does so without a pause (hundreds of opens in seconds); and in
the field it has been seen to stay deaf. So opening is paced, and a socket that stays unconnected is replaced.
"""

import asyncio
import contextlib
import logging
import time

from aiolimiter import AsyncLimiter
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient

from sre_bot.errors import SettingsError
from sre_bot.slack.outbox import refusal

log = logging.getLogger(__name__)

COUNT = 2
PATIENCE = 60.0
LOOK_EVERY = 5.0
OPENS = (6, 60.0)  # openings, seconds: apps.connections.open is in the lowest tier (Slack: rate limits)


class Sockets:
    """Socket-mode connections of one Bolt app.

    Args:
        app: takes the events.
        app_token: the app-level token.
        patience: seconds that a socket may be unconnected before it is replaced.
        look_every: seconds between two looks.
    """

    def __init__(
        self, app: AsyncApp, app_token: str, *, patience: float = PATIENCE, look_every: float = LOOK_EVERY
    ) -> None:
        self._app = app
        self._app_token = app_token
        self._patience = patience
        self._look_every = look_every
        self._pace = AsyncLimiter(*OPENS)
        self._sockets: list[AsyncSocketModeHandler] = []
        self._watching: asyncio.Task[None] | None = None
        self.alive = 0
        """How many sockets were connected at the last look."""

    async def open(self) -> None:
        """Connect, and keep connected until `close`.

        Raises:
            SettingsError: Slack refuses the token.
        """
        await self._check_token()
        for _ in range(COUNT):
            self._sockets.append(await self._connect())
        self._watching = asyncio.create_task(self._watch(), name="sockets")

    @property
    def clients(self) -> list[SocketModeClient]:
        """The SDK's clients, one a socket."""
        return [socket.client for socket in self._sockets]

    async def connected(self) -> bool:
        """Whether any socket is."""
        self.alive = sum([await socket.client.is_connected() for socket in self._sockets])
        return self.alive > 0

    async def close(self) -> None:
        """Take no more events."""
        if self._watching:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        for socket in self._sockets:
            await _end(socket)

    async def _check_token(self) -> None:
        """The SDK's client would try a wrong token for ever."""
        try:
            async with self._pace:
                await self._app.client.apps_connections_open(app_token=self._app_token)
        except SlackApiError as error:
            raise SettingsError(f"Slack refuses SLACK_APP_TOKEN ({refusal(error)}). Check the token.") from error

    async def _connect(self) -> AsyncSocketModeHandler:
        socket = AsyncSocketModeHandler(self._app, self._app_token)
        unpaced = socket.client.issue_new_wss_url

        async def paced() -> str:
            async with self._pace:
                return await unpaced()

        # The client asks for an address at every reconnect; there is no other place to slow it down.
        socket.client.issue_new_wss_url = paced  # type: ignore[method-assign]
        try:
            await socket.connect_async()  # type: ignore[no-untyped-call]  # Bolt's handler has no annotations
        except BaseException:
            await _end(socket)
            raise
        return socket

    async def _watch(self) -> None:
        last_seen = dict.fromkeys(range(COUNT), time.monotonic())
        while True:
            await asyncio.sleep(self._look_every)
            await self.connected()
            for place, socket in enumerate(self._sockets):
                if await socket.client.is_connected():
                    last_seen[place] = time.monotonic()
                elif time.monotonic() - last_seen[place] > self._patience:
                    last_seen[place] = time.monotonic()
                    await self._replace(place)

    async def _replace(self, place: int) -> None:
        log.warning("socket %d was unconnected for %.0f s; opening another", place, self._patience)
        try:
            fresh = await self._connect()
        except Exception as error:  # noqa: BLE001  (top level of the watchdog: it must outlive whatever Slack does)
            log.warning("no socket yet: %s", error)
            return
        stale, self._sockets[place] = self._sockets[place], fresh
        await _end(stale)


async def _end(socket: AsyncSocketModeHandler) -> None:
    await socket.close_async()  # type: ignore[no-untyped-call]
