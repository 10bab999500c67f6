"""The control API, `/sandbox/…`: what a test, a demo or a person does to the site and reads from it.

Documented in the package's docstring. It needs no token: the process listens on loopback only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.confluence import storage
from sandbox.confluence.faults import Fault
from sandbox.confluence.site import EMAIL, SPACE_ID, SPACE_KEY, SPACE_NAME, TOKEN, Page

if TYPE_CHECKING:
    from sandbox.confluence.app import StandIn

Json = dict[str, Any]


class BadOrder(Exception):
    """An order that cannot be carried out."""


class Control:
    """The handlers; each takes JSON or a query and answers JSON."""

    def __init__(self, stand_in: StandIn) -> None:
        self._site = stand_in.site
        self._gate = stand_in.gate

    def routes(self) -> list[web.RouteDef]:
        """Everything under `/sandbox`."""
        reads: dict[str, Callable[[web.Request], Json]] = {
            "world": self.world,
            "pages": self.pages,
            "pages/{id}": lambda request: self._seen(self._page(request.match_info["id"]), request),
            "calls": lambda _: {"calls": self._gate.calls},
            "violations": lambda _: {"violations": self._gate.violations},
        }
        orders: dict[str, Callable[[Json, web.Request], Json]] = {
            "pages": self.add,
            "pages/edit": self.edit,
            "pages/delete": self.delete,
            "faults": self.fault,
        }
        return [
            *(web.get(f"/sandbox/{path}", _reading(read)) for path, read in reads.items()),
            *(web.post(f"/sandbox/{path}", _ordering(order)) for path, order in orders.items()),
        ]

    def world(self, request: web.Request) -> Json:
        """What an app needs to be let in."""
        return {
            "site": f"{request.url.origin()}/wiki",
            "email": EMAIL,
            "token": TOKEN,
            "space": {"id": SPACE_ID, "key": SPACE_KEY, "name": SPACE_NAME},
            "parent": self._site.parent,
        }

    def pages(self, request: web.Request) -> Json:
        """All pages, newest first, or those with a label."""
        label = request.query.get("label")
        pages = sorted(self._site.pages.values(), key=lambda page: (page.created, int(page.id)), reverse=True)
        return {"pages": [self._seen(page, request) for page in pages if label is None or label in page.labels]}

    def add(self, order: Json, request: web.Request) -> Json:
        """Somebody publishes a page; storage format that Confluence would not take is refused."""
        try:
            storage.check(order["storage"])
        except (storage.Malformed, storage.Unsafe) as error:
            raise BadOrder(str(error)) from error
        page = self._site.add(
            str(order["title"]),
            order["storage"],
            order.get("parent", self._site.parent),
            created=float(order.get("created", time.time())),
            labels=list(order.get("labels", [])),
            hidden=bool(order.get("hidden", False)),
        )
        return self._seen(page, request)

    def edit(self, order: Json, request: web.Request) -> Json:
        """Somebody edits a page."""
        page = self._page(str(order.get("id")))
        page.storage, page.version = str(order["storage"]), page.version + 1
        return self._seen(page, request)

    def delete(self, order: Json, _: web.Request) -> Json:
        """Somebody deletes a page."""
        del self._site.pages[self._page(str(order.get("id"))).id]
        return {}

    def fault(self, order: Json, _: web.Request) -> Json:
        """Order a fault; `{"clear": true}` forgets all, and the wait that a rate limit asked for."""
        if order.get("clear"):
            self._gate.calm()
        else:
            self._gate.faults.order(Fault(**order))
        return {}

    def _page(self, page_id: str) -> Page:
        if page_id not in self._site.pages:
            raise BadOrder(f"there is no page {page_id!r}")
        return self._site.pages[page_id]

    def _seen(self, page: Page, request: web.Request) -> Json:
        return {
            "id": page.id,
            "title": page.title,
            "parent": page.parent,
            "labels": page.labels,
            "version": page.version,
            "created": page.created,
            "hidden": page.hidden,
            "url": f"{request.url.origin()}/wiki{page.webui}",
            "text": storage.words(page.storage),
            "storage": page.storage,
        }


def _reading(read: Callable[[web.Request], Json]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(read(request))
        except BadOrder as bad:
            return web.json_response({"error": str(bad)}, status=400)

    return handle


def _ordering(order: Callable[[Json, web.Request], Json]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(order(json.loads(await request.text() or "{}"), request))
        except (BadOrder, KeyError, ValueError, TypeError) as bad:
            return web.json_response({"error": str(bad)}, status=400)

    return handle
