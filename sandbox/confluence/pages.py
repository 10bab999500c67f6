"""REST v2: spaces and pages."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from sandbox.confluence import storage
from sandbox.confluence.refusals import Refusal
from sandbox.confluence.site import SPACE_ID, SPACE_KEY, SPACE_NAME, Page, Site, as_v2

TITLE_LIMIT = 255
MOST_RESULTS = 250
_FIELDS = {"spaceId", "status", "title", "parentId", "body", "subtype"}
_TAKEN = "A page with this title already exists: A page already exists with the same TITLE in this space"


class Pages:
    """The handlers of `/wiki/api/v2`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.get("/wiki/api/v2/spaces", self.spaces, allow_head=False),
            web.get("/wiki/api/v2/pages", self.list, allow_head=False),
            web.post("/wiki/api/v2/pages", self.create),
            web.get("/wiki/api/v2/pages/{id}", self.get, allow_head=False),
        ]

    async def spaces(self, request: web.Request) -> web.Response:
        """The space, if its key is among those that are asked for."""
        know_parameters(request, {"keys", "ids", "limit", "cursor"})
        keys = request.query.get("keys", SPACE_KEY).split(",")
        space = {
            "id": SPACE_ID,
            "key": SPACE_KEY,
            "name": SPACE_NAME,
            "type": "global",
            "status": "current",
            "homepageId": self._site.home,
            "_links": {"webui": f"/spaces/{SPACE_KEY}"},
        }
        found = [space] if SPACE_KEY in keys else []
        return web.json_response({"results": found, "_links": {"base": f"{request.url.origin()}/wiki"}})

    async def list(self, request: web.Request) -> web.Response:
        """Pages by exact title and space, a page of results at a time."""
        know_parameters(request, {"title", "space-id", "body-format", "status", "limit", "cursor", "sort", "id"})
        query = request.query
        if "space-id" in query and not query["space-id"].isdecimal():
            raise Refusal(
                400,
                f"Provided value {{{query['space-id']}}} for 'space-id' is not the correct type. Expected type is long",
                careless=True,
            )
        found = [
            page
            for page in self._site.visible()
            if query.get("title") in (None, page.title) and query.get("space-id") in (None, SPACE_ID)
        ]
        limit, start = window(request, MOST_RESULTS)
        links = {"base": f"{request.url.origin()}/wiki"}
        if start + limit < len(found):
            links["next"] = f"/wiki/api/v2/pages?limit={limit}&cursor={start + limit}"
        shown = [as_v2(page, _body(page, request)) for page in found[start : start + limit]]
        return web.json_response({"results": shown, "_links": links})

    async def get(self, request: web.Request) -> web.Response:
        """One page; its body only where `body-format` says so."""
        know_parameters(request, {"body-format", "version", "get-draft"})
        page_id = request.match_info["id"]
        if not page_id.isdecimal():
            raise Refusal(
                400,
                f"Provided value {{{page_id}}} for 'id' is not the correct type. Expected type is long",
                careless=True,
            )
        page = self._site.pages.get(page_id)
        if page is None or page.hidden:
            raise Refusal(404, f"Cannot find page with id {page_id}")
        shown = as_v2(page, _body(page, request))
        shown["_links"]["base"] = f"{request.url.origin()}/wiki"
        return web.json_response(shown)

    async def create(self, request: web.Request) -> web.Response:
        """A new page, in the space that is named by its number."""
        know_parameters(request, {"embedded", "private", "root-level"})
        sent = await read_json(request)
        if not isinstance(sent, dict):
            raise Refusal(400, "JSON parse error: expected an object", careless=True)
        if unknown := set(sent) - _FIELDS:
            raise Refusal(400, f"Unrecognized fields: {sorted(unknown)}", careless=True)
        if str(sent.get("spaceId")) != SPACE_ID or not isinstance(sent["spaceId"], str):
            raise Refusal(404, f"Cannot find space with id {sent.get('spaceId')}", careless=True)
        if sent.get("status") != "current":
            raise Refusal(400, f"Invalid status {sent.get('status')!r}", careless=True)
        title, body = self._title(sent), _sent_body(sent)
        parent = sent.get("parentId", self._site.home)
        if parent not in self._site.pages:
            raise Refusal(404, f"Cannot find parent with id {parent}")
        if self._site.taken(title):
            raise Refusal(400, _TAKEN)
        page = self._site.add(title, body, parent)
        shown = as_v2(page, None)  # whether the answer to a POST holds the body is not documented: here not
        shown["_links"]["base"] = f"{request.url.origin()}/wiki"
        return web.json_response(shown)

    def _title(self, sent: dict[str, Any]) -> str:
        title = sent.get("title")
        if not isinstance(title, str) or not title.strip():
            raise Refusal(400, "Title is mandatory for a page that is not a draft", careless=True)
        if len(title) > TITLE_LIMIT or title != title.strip() or not title.isprintable():
            raise Refusal(400, f"Title must be one line of at most {TITLE_LIMIT} characters", careless=True)
        return title


def _sent_body(sent: dict[str, Any]) -> str:
    body = sent.get("body")
    if not isinstance(body, dict) or set(body) != {"representation", "value"} or body["representation"] != "storage":
        raise Refusal(400, "body must be {representation: storage, value}", careless=True)
    try:
        storage.check(body["value"])
    except storage.Malformed as error:
        raise Refusal(400, str(error), careless=True) from error
    except storage.Unsafe as error:
        raise Refusal(400, f"The body holds what is not allowed: {error}", careless=True) from error
    return str(body["value"])


def _body(page: Page, request: web.Request) -> str | None:
    wanted = request.query.get("body-format")
    if wanted not in (None, "storage"):
        raise Refusal(400, f"body-format {wanted!r} is not supported here", careless=True)
    return storage.rewrite(page.storage) if wanted else None


def know_parameters(request: web.Request, known: set[str]) -> None:
    """Refuse parameters that the method does not have; Confluence ignores them, which hides mistakes."""
    if unknown := set(request.query) - known:
        raise Refusal(400, f"Unknown parameters: {sorted(unknown)}", careless=True)


def window(request: web.Request, most: int) -> tuple[int, int]:
    """Limit and start of a page of results; a cursor is opaque outside, and a number here."""
    limit, cursor = request.query.get("limit", "25"), request.query.get("cursor", "0")
    if not limit.isdecimal() or not 1 <= int(limit) <= most:
        raise Refusal(400, f"limit must be between 1 and {most}", careless=True)
    if not cursor.isdecimal():
        raise Refusal(400, "Invalid cursor", careless=True)
    return int(limit), int(cursor)


async def read_json(request: web.Request) -> Any:  # noqa: ANN401  (any JSON)
    """The body of a request, which must say that it is JSON."""
    if request.content_type != "application/json":
        raise Refusal(415, "Unsupported Media Type", careless=True)
    try:
        return json.loads(await request.text())
    except ValueError as error:
        raise Refusal(400, f"JSON parse error: {error}", careless=True) from error
