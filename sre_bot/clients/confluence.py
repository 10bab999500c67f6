"""Confluence Cloud: pages over REST v2; search and labels over REST v1, where v2 has neither.

A title is unique in a space, which is what makes publishing safe to repeat: `create_page` says when the title is taken,
and what to make of that is the caller's. It refuses to follow the links of an answer, which could lead the credentials
elsewhere: of a link to the next page of results only the cursor is taken.
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2

from sre_bot.clients.http import HttpService
from sre_bot.errors import RateLimited, Refused
from sre_bot.settings import ConfluenceSettings

TITLE_LIMIT = 255
"""Characters of a title (Confluence Cloud: Content, "title")."""

_PAGE_SIZE = 25  # results of one search request; Confluence may give fewer, so the links are what counts
_PATIENCE = 5.0  # seconds; a longer wait is the reader's to decide
_TAKEN = re.compile(r"already exist|same title", re.IGNORECASE)
_WORD = re.compile(r"\w+")

_ADVICE = {
    400: "The request does not suit it: change what these words name.",
    401: "Check that CONFLUENCE_API_TOKEN belongs to CONFLUENCE_USER_EMAIL and has not expired (tokens live a year at "
    "most); id.atlassian.com makes new ones.",
    403: "The account of CONFLUENCE_USER_EMAIL may not do this: in the space of CONFLUENCE_SPACE_KEY it needs the "
    "permission to view, and to add pages for publishing.",
    404: "It does not exist, or the account of CONFLUENCE_USER_EMAIL may not see it. If every call ends so, check that "
    "CONFLUENCE_BASE_URL is https://<site>.atlassian.net/wiki.",
    409: "Somebody changed the same thing at the same time: read it again, then repeat the call.",
    413: "The text is too large for it: shorten the longest section.",
}
_REDIRECTED = "It sends callers elsewhere, as to a login: check CONFLUENCE_BASE_URL and the credentials."
_BROKEN = "The fault is Confluence's own: try again in a minute; status.atlassian.com tells of outages."


@dataclass(frozen=True, slots=True)
class Page:
    """A page; `created` in seconds since the epoch, `storage` its body in storage format."""

    id: str
    title: str
    url: str
    version: int
    created: float
    storage: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that a search found; `excerpt` is plain text around the words."""

    id: str
    title: str
    url: str
    created: float
    excerpt: str


@dataclass(frozen=True, slots=True)
class Hits:
    """The first hits of a search, newest page first, and how many there are in all."""

    found: Sequence[Hit]
    total: int


class Confluence:
    """One space of a site, through the account of an API token."""

    def __init__(self, settings: ConfluenceSettings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        site = urlsplit(settings.base_url)
        self._base_url = settings.base_url if site.path else f"{settings.base_url}/wiki"
        self._parent = settings.parent_page_id
        self._space_id = ""
        self._http = _Site(
            "Confluence",
            "CONFLUENCE_BASE_URL",
            self._base_url,
            auth=(settings.user_email, settings.api_token.get_secret_value()),
            headers={"Accept": "application/json"},
            transport=transport,
            outside=True,
        )
        self.space = settings.space_key

    async def page(self, page_id: str) -> Page:
        """A page by its number; any BackendError, Refused with status 404 where there is none to see."""
        path = f"/api/v2/pages/{quote(page_id, safe='')}"
        answer = await self._http.get_json(path, {"body-format": "storage"})
        with self._http.reading():
            return self._read_page(answer)

    async def find_page(self, title: str) -> Page | None:
        """The page of the space with exactly this title; any BackendError."""
        wanted = {"space-id": await self.space_id(), "title": title, "body-format": "storage", "limit": 1}
        answer = await self._http.get_json("/api/v2/pages", wanted)
        with self._http.reading():
            return next((self._read_page(entry) for entry in answer["results"]), None)

    async def create_page(self, title: str, storage: str) -> Page | None:
        """Publish a page under the configured parent; None: the title is taken, perhaps by a page that we cannot see.

        Raises:
            BackendError: after Unreachable, or Refused with a status of 500 or of success, the page may exist.
        """
        page: dict[str, Any] = {
            "spaceId": await self.space_id(),
            "status": "current",
            "title": title,
            "body": {"representation": "storage", "value": storage},
        }
        if self._parent:
            page["parentId"] = self._parent
        try:
            answer = await self._http.post_json("/api/v2/pages", page)
        except Refused as refused:
            if refused.status == httpx2.codes.BAD_REQUEST and _TAKEN.search(str(refused)):
                return None
            if refused.status == httpx2.codes.NOT_FOUND and self._parent:
                raise Refused(f"{refused} Check CONFLUENCE_PARENT_PAGE_ID too.", refused.status) from refused
            raise
        with self._http.reading():
            return self._read_page(answer, storage)

    async def add_labels(self, page_id: str, labels: Sequence[str]) -> None:
        """Add labels to those that the page has; any BackendError."""
        wanted = [{"prefix": "global", "name": label} for label in labels]
        await self._http.post_json(f"/rest/api/content/{quote(page_id, safe='')}/label", wanted)

    async def search(self, words: str = "", label: str = "", since: float | None = None, limit: int = 10) -> Hits:
        """Pages of the space that have all of the words and the label, created on the day of `since` or later.

        The day is counted in the time zone of the account (Confluence: CQL, date fields). The index lags behind by
        some seconds.
        """
        query = {"cql": self._cql(words, label, since), "expand": "content.history", "excerpt": "highlight"}
        found: list[Hit] = []
        cursor: str | None = None
        while True:
            answer = await self._http.get_json(
                "/rest/api/search", query | {"limit": min(limit, _PAGE_SIZE), "cursor": cursor}
            )
            with self._http.reading():
                found += map(self._read_hit, answer["results"])
                cursor = _next_cursor(answer)
                total = int(answer["totalSize"])
            if not cursor or not answer["results"] or len(found) >= limit:
                return Hits(found[:limit], max(total, len(found)))

    async def close_titles(self, title: str) -> list[str]:
        """Up to three titles of the space with a word of this one."""
        words = " or ".join(f"title ~ {_quoted(word)}" for word in _words(title))
        if not words:
            return []
        query = {"cql": f"space = {_quoted(self.space)} and type = page and ({words})", "limit": 3}
        answer = await self._http.get_json("/rest/api/search", query)
        with self._http.reading():
            return [entry["content"]["title"] for entry in answer["results"]][:3]

    async def space_id(self) -> str:
        """The number behind CONFLUENCE_SPACE_KEY, asked for once; any BackendError."""
        if not self._space_id:
            answer = await self._http.get_json("/api/v2/spaces", {"keys": self.space})
            with self._http.reading():
                ids = [str(entry["id"]) for entry in answer["results"]]
            if not ids:
                raise Refused(
                    f"Confluence shows no space {self.space!r} to the account of CONFLUENCE_USER_EMAIL. Check "
                    f"CONFLUENCE_SPACE_KEY, and that the account may view the space.",
                    httpx2.codes.NOT_FOUND,
                )
            self._space_id = ids[0]
        return self._space_id

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _cql(self, words: str, label: str, since: float | None) -> str:
        clauses = [f"space = {_quoted(self.space)}", "type = page"]
        if label:
            clauses.append(f"label = {_quoted(label)}")
        if since is not None:
            clauses.append(f"created >= {_quoted(datetime.fromtimestamp(since, UTC).strftime('%Y-%m-%d'))}")
        clauses += [f"text ~ {_quoted(word)}" for word in _words(words)]
        return " and ".join(clauses) + " order by created desc"

    def _read_page(self, entry: Mapping[str, Any], storage: str | None = None) -> Page:
        return Page(
            id=str(entry["id"]),
            title=entry["title"],
            url=self._base_url + entry["_links"]["webui"],
            version=int(entry["version"]["number"]),
            created=datetime.fromisoformat(entry["createdAt"]).timestamp(),
            storage=entry["body"]["storage"]["value"] if storage is None else storage,
        )

    def _read_hit(self, entry: Mapping[str, Any]) -> Hit:
        content = entry["content"]
        return Hit(
            id=str(content["id"]),
            title=content["title"],
            url=self._base_url + entry["url"],
            created=datetime.fromisoformat(content["history"]["createdDate"]).timestamp(),
            excerpt=re.sub("@@@(?:end)?hl@@@", "", entry.get("excerpt", "")),
        )


class _Site(HttpService):
    """The HTTP side: what to do about each refusal, and one more try after a short wait that was asked for."""

    async def post_json(self, path: str, body: object) -> Any:  # noqa: ANN401  (any JSON)
        """POST JSON; errors as `get_json`."""
        return await self._exchange("POST", path, json=body)

    async def _exchange(self, method: str, path: str, **content: Any) -> Any:  # noqa: ANN401
        try:
            return await super()._exchange(method, path, **content)
        except RateLimited as limited:
            # A 429 was not carried out, so that asking again is safe for every method.
            if limited.retry_after is None or limited.retry_after > _PATIENCE:
                raise _later(limited) from limited
            await asyncio.sleep(limited.retry_after)
        try:
            return await super()._exchange(method, path, **content)
        except RateLimited as limited:
            raise _later(limited) from limited

    async def _read(self, response: httpx2.Response) -> bytes:
        body = await super()._read(response)
        return body if response.is_success else _own_words(body)

    def _advice(self, response: httpx2.Response) -> str:
        if response.is_redirect:
            return f" {_REDIRECTED}"
        return f" {_BROKEN if response.is_server_error else _ADVICE.get(response.status_code, _ADVICE[400])}"


def _own_words(body: bytes) -> bytes:
    """The words of a v2 error, `{"errors": [{"status", "code", "title", "detail"}]}`; any other body as it is."""
    try:
        errors = json.loads(body)["errors"]
        words = [": ".join(filter(None, (error["title"], error.get("detail")))) for error in errors]
    except (ValueError, KeyError, TypeError, AttributeError):
        return body
    return "; ".join(words).encode() or body


def _later(limited: RateLimited) -> RateLimited:
    wait = "in a minute" if limited.retry_after is None else f"in {limited.retry_after:g} s"
    return RateLimited(f"{limited} This request was not carried out; repeat it {wait}.", limited.retry_after)


def _next_cursor(answer: Mapping[str, Any]) -> str | None:
    link = answer.get("_links", {}).get("next") or ""
    return next(iter(parse_qs(urlsplit(link).query).get("cursor", [])), None)


def _words(text: str) -> list[str]:
    """The words of a text, in lower case: what else Lucene would read as syntax (`a:b`, `OR`) is left out."""
    return list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))[:20]


def _quoted(text: str) -> str:
    """A CQL string (Confluence: Advanced searching using CQL, "Escaping")."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
