"""One stream of server-sent events for everything that changes: a browser opens few connections to one host.

Slack's own events are passed on as they come, with their ids, so that a browser that lost the connection goes on where
it stopped. The other parts have no events: they are looked at every so often while somebody watches, and what they say
is sent when it has changed.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import aiohttp
from aiohttp import web

from sandbox.page.upstream import Json, Refusal, Upstream

LOOK_EVERY = 2.0  # seconds
COME_BACK = 0.5  # seconds before a part that is not there is looked for again
MOST_WAITING = 2_000  # events; a browser that is further behind than that is cut off and comes back
ENDS = b"\n\n"

Look = Callable[[], Awaitable[Json]]


class Glances:
    """What the parts say, asked once for all who watch at the same time."""

    def __init__(self, looks: Mapping[str, Look]) -> None:
        self._looks = looks
        self._locks = {name: asyncio.Lock() for name in looks}
        self._seen: dict[str, tuple[float, Json]] = {}

    async def look(self, name: str) -> Json:
        """What a part says; a refusal is {"refused": sentence}."""
        async with self._locks[name]:
            now = asyncio.get_running_loop().time()
            at, seen = self._seen.get(name, (-LOOK_EVERY, {}))
            if now - at >= LOOK_EVERY / 2:
                try:
                    seen = await self._looks[name]()
                except Refusal as refusal:
                    seen = {"refused": str(refusal)}
                self._seen[name] = (now, seen)
        return seen


class Events:
    """GET /api/events.

    Args:
        upstream: the parts.
        looks: by the name of its event, what a part without events says.
        born: says which start of the server this is; a page of another one loads itself anew.
    """

    def __init__(self, upstream: Upstream, looks: Mapping[str, Look], born: str) -> None:
        self._upstream = upstream
        self._glances = Glances(looks)
        self._names = list(looks)
        self._born = born
        self._closing = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """Where it is."""
        return [web.get("/api/events", self.stream)]

    async def close(self, _: web.Application) -> None:
        """End every stream, so that the server can end."""
        self._closing.set()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Everything from `Last-Event-ID`, or else `?after=`, on."""
        after = request.headers.get("Last-Event-ID") or request.query.get("after") or "0"
        if not after.isdecimal():
            raise Refusal(400, "`after` is the number of an event.")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        waiting.put_nowait(_event("hello", {"born": self._born}))
        async with asyncio.TaskGroup() as group:
            sources = [group.create_task(self._chat(waiting, int(after)))]
            sources += [group.create_task(self._watch(waiting, name)) for name in self._names]
            with contextlib.suppress(ConnectionError):  # the browser went away
                await self._send(response, waiting)
            for source in sources:
                source.cancel()
        return response

    async def _send(self, response: web.StreamResponse, waiting: "asyncio.Queue[bytes]") -> None:
        closing = asyncio.create_task(self._closing.wait())
        more: asyncio.Task[bytes] | None = None
        try:
            while not waiting.full():
                more = asyncio.create_task(waiting.get())
                await asyncio.wait({more, closing}, return_when=asyncio.FIRST_COMPLETED)
                if closing.done():
                    return
                await response.write(more.result())
        finally:
            closing.cancel()
            if more:
                more.cancel()

    async def _chat(self, waiting: "asyncio.Queue[bytes]", after: int) -> None:
        """Slack's events, for ever; a stand-in that is not up yet is waited for."""
        while True:
            with contextlib.suppress(Refusal, aiohttp.ClientError, TimeoutError):
                async for event in self._follow(after):
                    after = _number(event) or after
                    await waiting.put(event + ENDS)
            await asyncio.sleep(COME_BACK)

    async def _follow(self, after: int) -> AsyncIterator[bytes]:
        url = f"{self._upstream.base('slack')}/sandbox/feed"
        patience = aiohttp.ClientTimeout(total=None, sock_read=60)  # seconds; it says something every 15
        async with self._upstream.http.get(url, params={"after": str(after)}, timeout=patience) as answer:
            rest = b""
            async for piece in answer.content.iter_any():
                *whole, rest = (rest + piece).split(ENDS)
                for event in whole:
                    yield event

    async def _watch(self, waiting: "asyncio.Queue[bytes]", name: str) -> None:
        """What a part says, whenever it says something else than before."""
        before: Json | None = None
        while True:
            seen = await self._glances.look(name)
            if seen != before:
                await waiting.put(_event(name, seen))
                before = seen
            await asyncio.sleep(COME_BACK if "refused" in seen else LOOK_EVERY)


def _event(name: str, data: Json) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}".encode() + ENDS


def _number(event: bytes) -> int:
    """The id of an event; 0 of one without, such as a comment."""
    first = event.split(b"\n", 1)[0]
    return int(first[4:]) if first.startswith(b"id: ") else 0
