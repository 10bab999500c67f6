"""Confluence: the pages of the space as a reader sees them."""

from aiohttp import web

from sandbox.page.storage_tree import tree_of
from sandbox.page.upstream import Json, Refusal, Upstream


class Confluence:
    """The handlers below /api/confluence."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.get("/api/confluence", self._show),
            web.get("/api/confluence/pages/{id:[0-9]{1,12}}", self.page),
        ]

    async def look(self) -> Json:
        """Every page that readers may see, newest first, without its body; and the space."""
        world = await self._upstream.get("confluence", "sandbox/world")
        pages = (await self._upstream.get("confluence", "sandbox/pages"))["pages"]
        return {"space": world["space"], "pages": [_listed(page) for page in pages if not page["hidden"]]}

    async def page(self, request: web.Request) -> web.Response:
        """One page with its body as a tree."""
        page = await self._upstream.get("confluence", f"sandbox/pages/{request.match_info['id']}")
        if page["hidden"]:
            raise Refusal(404, "There is no such page, or you may not see it.")
        return web.json_response(_listed(page) | {"body": tree_of(page["storage"])})

    async def _show(self, _: web.Request) -> web.Response:
        return web.json_response(await self.look())


def _listed(page: Json) -> Json:
    return {name: page[name] for name in ("id", "title", "parent", "labels", "version", "created")}
