"""REST v1: what v2 has not, searching and adding labels."""

from __future__ import annotations

import html
import re
import time
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from sandbox.confluence import cql
from sandbox.confluence.pages import know_parameters, read_json, window
from sandbox.confluence.refusals import Refusal
from sandbox.confluence.site import SPACE_KEY, SPACE_NAME, Page, Site, moment
from sandbox.confluence.storage import words

MOST_RESULTS = 50
_EXCERPT = 250
_LABEL = re.compile(r"[^\s:;,.?&\[\]()#^*@!<>]{1,255}")  # Confluence: Add, remove and search for labels
_PREFIXES = {"global", "my", "team"}


class Search:
    """The handlers of `/wiki/rest/api`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.get("/wiki/rest/api/search", self.search, allow_head=False),
            web.post("/wiki/rest/api/content/{id}/label", self.add_labels),
        ]

    async def search(self, request: web.Request) -> web.Response:
        """Pages that a query selects, among those in the index."""
        know_parameters(request, {"cql", "limit", "cursor", "start", "expand", "excerpt", "cqlcontext"})
        text = request.query.get("cql", "")
        try:
            query = cql.parse(text)
        except cql.CannotParse as error:
            raise Refusal(400, str(error), careless=True) from error
        limit, start = window(request, MOST_RESULTS)
        indexed = (page for page in self._site.visible() if page.searchable <= time.time())
        found = cql.sort(filter(query.matches, indexed), query.order)
        shown = found[start : start + limit]
        links = {"base": f"{request.url.origin()}/wiki", "context": "/wiki"}
        if start + limit < len(found):
            more = urlencode({"next": "true", "cursor": start + limit, "limit": limit, "cql": text})
            links["next"] = f"/rest/api/search?{more}"
        wanted = re.findall(r'text ~ "(\w+)"', text)
        expanded = request.query.get("expand", "").split(",")
        return web.json_response(
            {
                "results": [_hit(page, wanted, expanded) for page in shown],
                "start": start,
                "limit": limit,
                "size": len(shown),
                "totalSize": len(found),
                "cqlQuery": text,
                "searchDuration": 7,
                "_links": links,
            }
        )

    async def add_labels(self, request: web.Request) -> web.Response:
        """More labels for a page; those that it has already change nothing."""
        page = self._site.pages.get(request.match_info["id"])
        if page is None or page.hidden:
            raise Refusal(404, f"No content found with id: {request.match_info['id']}")
        labels = await read_json(request)
        if not isinstance(labels, list) or not labels or not all(map(_is_label, labels)):
            raise Refusal(400, f"Invalid labels: {labels}", careless=True)
        page.labels += [name for label in labels if (name := label["name"].lower()) not in page.labels]
        results = [{"prefix": "global", "name": name, "id": str(hash(name) % 10**6)} for name in page.labels]
        return web.json_response({"results": results, "start": 0, "limit": 200, "size": len(results)})


def _is_label(label: object) -> bool:
    return (
        isinstance(label, dict)
        and set(label) == {"prefix", "name"}
        and label["prefix"] in _PREFIXES
        and isinstance(label["name"], str)
        and bool(_LABEL.fullmatch(label["name"]))
    )


def _hit(page: Page, wanted: list[str], expanded: list[str]) -> dict[str, Any]:
    """A result; the words that were searched for stand between marks in its excerpt, and HTML is escaped."""
    excerpt = html.escape(" ".join(words(page.storage).split())[:_EXCERPT], quote=False)
    for word in wanted:
        excerpt = re.sub(rf"\b({word})\b", r"@@@hl@@@\1@@@endhl@@@", excerpt, flags=re.IGNORECASE)
    content: dict[str, Any] = {
        "id": page.id,
        "type": "page",
        "status": "current",
        "title": page.title,
        "_expandable": {"history": f"/rest/api/content/{page.id}/history"},
        "_links": {"webui": page.webui, "tinyui": f"/x/{page.id}"},
    }
    if "content.history" in expanded:
        content["history"] = {"latest": True, "createdDate": moment(page.created)}
    return {
        "content": content,
        "title": page.title,
        "excerpt": excerpt,
        "url": page.webui,
        "resultGlobalContainer": {"title": SPACE_NAME, "displayUrl": f"/spaces/{SPACE_KEY}"},
        "entityType": "content",
        "lastModified": moment(page.created),
        "friendlyLastModified": "just a moment ago",
        "score": 0.0,
    }
