"""Slack: who is there and what was said, from the stand-in's control API, and what a person does there."""

import json
import re
from typing import Any

from aiohttp import web

from sandbox.page.upstream import Json, Refusal, Upstream

READS = ("channel", "thread", "home")
ORDERS = (
    "messages",
    "messages/edit",
    "messages/delete",
    "reactions",
    "actions",
    "modals",
    "modals/close",
    "home",
    "streams/stop",
)
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Shown in the page; everything else is offered as a download, since it could hold a script."""
FILE = re.compile(r"F[0-9A-Z]{4,30}")


class Chat:
    """The handlers below /api/slack, and what the page needs to begin."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.get("/api/slack/world", self.world),
            *(web.get(f"/api/slack/{name}", self._read(name)) for name in READS),
            *(web.post(f"/api/slack/{name}", self._order(name)) for name in ORDERS),
            web.get("/api/slack/files/{id}", self.file),
        ]

    async def world(self, _: web.Request) -> web.Response:
        """People and conversations, without the tokens; `feed` is where the stream of events goes on.

        Before Slack is up it is {"starting": true}: a browser would note a refusal as an error.
        """
        if self._upstream.parts.slack is None:
            return web.json_response({"starting": True})
        world = await self._upstream.get("slack", "sandbox/world")
        del world["tokens"]
        return web.json_response({**world, "approvers": self._upstream.parts.approvers})

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file that was uploaded; the stand-in gives it to the bot's token alone, as Slack does."""
        name = request.match_info["id"]
        if not FILE.fullmatch(name):
            raise Refusal(404, "There is no such file.")
        token = (await self._upstream.get("slack", "sandbox/world"))["tokens"]["bot"]
        url = f"{self._upstream.base('slack')}/files/{name}/file"
        headers = {"Authorization": f"Bearer {token}"}
        async with self._upstream.http.get(url, headers=headers, allow_redirects=False) as answer:
            if answer.status != 200:
                raise Refusal(404, "There is no such file.")
            content, kind = await answer.read(), answer.content_type
        if kind in PICTURES:
            return web.Response(body=content, content_type=kind)
        return web.Response(
            body=content, content_type="application/octet-stream", headers={"Content-Disposition": "attachment"}
        )

    def _read(self, name: str) -> Any:  # noqa: ANN401  (a handler)
        async def read(request: web.Request) -> web.Response:
            return web.json_response(await self._upstream.get("slack", f"sandbox/{name}", **request.query))

        return read

    def _order(self, name: str) -> Any:  # noqa: ANN401  (a handler)
        async def order(request: web.Request) -> web.Response:
            body = await read_order(request)
            return web.json_response(await self._upstream.post("slack", f"sandbox/{name}", body))

        return order


async def read_order(request: web.Request) -> Json:
    """The JSON object that a request carries.

    Raises:
        Refusal: it carries none.
    """
    try:
        body = json.loads(await request.text())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "The order is no JSON object.")
    return body
