"""What a Confluence site holds: one space, its pages, and the account that may see them."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

EMAIL = "sre-bot@example.com"
TOKEN = "sandbox-confluence-token"  # noqa: S105  (opens nothing but this stand-in)
ACCOUNT = "557058:5ca1ab1e"
SPACE_ID, SPACE_KEY, SPACE_NAME = "98310", "SRE", "Site reliability"
_FIRST_PAGE = 65_601


@dataclass
class Page:
    """A page; `created` and `searchable` (from when on the index has it) in seconds since the epoch."""

    id: str
    title: str
    storage: str
    parent: str | None
    created: float
    searchable: float
    labels: list[str] = field(default_factory=list)
    version: int = 1
    hidden: bool = False

    @property
    def webui(self) -> str:
        """Its address below `/wiki`."""
        return f"/spaces/{SPACE_KEY}/pages/{self.id}/{quote_plus(self.title)}"


class Site:
    """The pages of the one space."""

    def __init__(self, index_lag: float) -> None:
        self._index_lag = index_lag
        self._ids = (str(number) for number in itertools.count(_FIRST_PAGE, 32))
        self.pages: dict[str, Page] = {}
        home = self.add("Site reliability", "<p>How we keep the lights on.</p>", None, created=0.0)
        self.parent = self.add("Post-mortems", "<p>What happened, and what we changed.</p>", home.id, created=0.0).id
        self.home = home.id

    def add(
        self,
        title: str,
        storage: str,
        parent: str | None,
        *,
        created: float | None = None,
        labels: list[str] | None = None,
        hidden: bool = False,
    ) -> Page:
        """A new page; one with a given time is in the index at once."""
        now = time.time()
        searchable = now + self._index_lag if created is None else 0.0
        page = Page(
            next(self._ids), title, storage, parent, now if created is None else created, searchable, labels or []
        )
        page.hidden = hidden
        self.pages[page.id] = page
        return page

    def taken(self, title: str) -> bool:
        """Whether a page of the space has the title; letter case makes no difference, nor whether one may see it."""
        return any(page.title.lower() == title.lower() for page in self.pages.values())

    def visible(self) -> list[Page]:
        """The pages that the account may see, newest first."""
        shown = (page for page in self.pages.values() if not page.hidden)
        return sorted(shown, key=lambda page: (page.created, int(page.id)), reverse=True)


def moment(seconds: float) -> str:
    """A time as Confluence writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_v2(page: Page, body: str | None) -> dict[str, Any]:
    """A page as REST v2 shows it; `body` is its storage format, None where it was not asked for."""
    return {
        "id": page.id,
        "status": "current",
        "title": page.title,
        "spaceId": SPACE_ID,
        "parentId": page.parent,
        "parentType": "page" if page.parent else None,
        "position": 0,
        "authorId": ACCOUNT,
        "ownerId": ACCOUNT,
        "lastOwnerId": None,
        "createdAt": moment(page.created),
        "version": {
            "createdAt": moment(page.created),
            "message": "",
            "number": page.version,
            "minorEdit": False,
            "authorId": ACCOUNT,
        },
        "body": {} if body is None else {"storage": {"representation": "storage", "value": body}},
        "_links": {
            "editui": f"/pages/resumedraft.action?draftId={page.id}",
            "webui": page.webui,
            "tinyui": f"/x/{page.id}",
        },
    }
