"""Post-mortems in Confluence: publishing one, reading a page, finding earlier ones.

Publishing is safe to repeat. The page carries a reference of its content, so the same call finds what it made; a title
that another page has gets a number, because a page that people have written in is never replaced. Where a call resolves
incidents too, the page comes first and its link goes into their notes.
"""

import asyncio
import html
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Protocol

from pydantic import Field

from sre_bot.clients.confluence import Hits, Page
from sre_bot.errors import BackendError, BadRequest, RateLimited, Refused, SreBotError, Unreachable
from sre_bot.tools.moments import clock, parse_moment
from sre_bot.tools.page_text import read_storage
from sre_bot.tools.postmortem import LABEL, Postmortem, compose, draft
from sre_bot.tools.publications import UNKNOWN, announce
from sre_bot.tools.resolution import Resolver, check_references, finishing, read_references, resolve
from sre_bot.tools.spec import Access, excerpt, shorten, tool

_PART = 9_000  # characters of a page in one answer
_EXCERPT_LIMIT = 200
_NOT_FOUND = 404
_UNKNOWN = f"{UNKNOWN} Repeat the same call: it finds the page if there is one and makes no second."


class PageStore(Protocol):
    """Keeps pages, in one space."""

    space: str

    async def page(self, page_id: str) -> Page:
        """By number; Refused with status 404 where there is none."""

    async def find_page(self, title: str) -> Page | None:
        """By exact title."""

    async def create_page(self, title: str, storage: str) -> Page | None:
        """Publish; None where the title is taken."""

    async def add_labels(self, page_id: str, labels: Sequence[str]) -> None:
        """Add labels to those that it has."""

    async def search(self, words: str, label: str, since: float | None, limit: int) -> Hits:
        """Newest first."""

    async def close_titles(self, title: str) -> list[str]:
        """Titles with a word of this one."""


class Postmortems:
    """Tools that write and read post-mortems.

    Args:
        store: the space.
        pager: resolves incidents; None where PagerDuty is not configured.
    """

    def __init__(self, store: PageStore, pager: Resolver | None = None) -> None:
        self._store = store
        self._pager = pager

    @tool(
        Access.NOTIFY,
        title="Publish a post-mortem",
        progress="Publishing the post-mortem {title}",
        timeout=60,
        check="confluence_list_postmortems",
    )
    async def confluence_create_postmortem(
        self,
        title: str,
        summary: str,
        impact: str,
        root_cause: str,
        what_went_well: str,
        action_items: Annotated[str, Field(description="- [ ] owner: what, by when")],
        timeline: Annotated[str, Field(description="Not in Slack: there the record's is taken")] = "",
        resolution: str = "",
        labels: Annotated[str, Field(description="Comma separated")] = "",
        resolve_incident: Annotated[str, Field(description="PagerDuty ids to resolve with its link")] = "",
        *,
        recorded: Mapping[str, str] | None = None,
    ) -> str:
        """Publish a blameless post-mortem (Markdown) once a person agreed, and resolve its incident. Safe to repeat."""
        if not recorded and not timeline.strip():
            raise BadRequest("timeline is empty, and nothing is recorded here to take it from. Nothing was published.")
        sections = {
            "summary": summary,
            "impact": impact,
            "timeline": timeline,
            "root_cause": root_cause,
            "resolution": resolution,
            "what_went_well": what_went_well,
            "action_items": action_items,
        }
        incident = (recorded or {}).get("incident", "")
        postmortem = draft(title, compose(sections, recorded), labels, incident)
        incidents = read_references(resolve_incident)
        if not incidents:
            return "\n".join((await self._publish(postmortem))[1])
        if self._pager is None:
            raise BadRequest("PagerDuty is not configured here: leave resolve_incident out. Nothing was published.")
        await check_references(self._pager, incidents)
        try:
            page, said = await self._publish(postmortem)
        except SreBotError as error:
            raise BackendError(f"{error} PagerDuty was not asked to resolve anything.") from error
        return await self._resolve(self._pager, incidents, postmortem.note(page.url), page, said)

    @tool(Access.READ, title="Confluence page", progress="Reading the page {page}", timeout=40)
    async def confluence_get_page(
        self,
        page: Annotated[str, Field(description="Id or exact title")],
        part: Annotated[int, Field(ge=1)] = 1,
    ) -> str:
        """A Confluence page as text."""
        found = await self._find(page.strip())
        parts = _split(read_storage(found.storage))
        if part > len(parts):
            raise BadRequest(f"Page {found.id} has {len(parts)} part{'s' if len(parts) > 1 else ''}, no part {part}.")
        count = f", part {part} of {len(parts)}" if len(parts) > 1 else ""
        created = clock(found.created, time.time())
        lines = [f"{_named(found)}", f"version {found.version}, created {created}{count}", "", parts[part - 1]]
        if part < len(parts):
            lines.append(f"[it goes on: confluence_get_page with page={found.id} and part={part + 1}]")
        return "\n".join(lines)

    @tool(Access.READ, title="Post-mortems", progress="Searching post-mortems {words}", timeout=40)
    async def confluence_list_postmortems(
        self,
        words: Annotated[str, Field(description="All must occur")] = "",
        since: Annotated[str, Field(description="-90d or 2026-01-31")] = "",
        label: str = LABEL,
        limit: Annotated[int, Field(ge=1, le=50)] = 10,
    ) -> str:
        """Earlier post-mortems, newest first, with excerpts."""
        now = time.time()
        first = parse_moment(since, now) if since.strip() else None
        hits = await self._store.search(words, label.strip().lower(), first, limit)
        what = [f"label {shorten(label, 60)}"] if label.strip() else []
        what += [f"words {shorten(words, 100)!r}"] if words.strip() else []
        what += [f"created since {clock(first, now)}"] if first is not None else []
        asked = f"in space {self._store.space} ({', '.join(what) or 'all pages'})"
        if not hits.found:
            return (
                f"NO DATA: no page {asked}. Fewer words, an earlier since or another label may find one. A page of the "
                f"last minutes may not be in the index yet; confluence_get_page finds it by its title."
            )
        more = "; raise limit or narrow the search for the others" if hits.total > len(hits.found) else ""
        lines = [f"{len(hits.found)} of {hits.total:,} pages {asked}, newest first{more}"]
        for hit in hits.found:
            lines.append(f"{clock(hit.created, now)} {shorten(hit.title, 255)} (page {hit.id}) {hit.url}")
            if words_found := excerpt(html.unescape(hit.excerpt), _EXCERPT_LIMIT):
                lines.append(f"  {words_found}")
        return "\n".join(lines)

    async def _publish(self, postmortem: Postmortem) -> tuple[Page, list[str]]:
        """The page, and what to say of it, of which the first line has its address."""
        page, made, taken = await self._place(postmortem)
        said = [announce(_named(page), made=made)]
        if taken:
            said.append(f"Another page has the title {taken[0]!r}, so this one has a number.")
        try:
            await self._store.add_labels(page.id, postmortem.labels)
            said.append(f"Labels: {', '.join(postmortem.labels)}.")
        except BackendError as error:
            said.append(f"Its labels are missing: {error} Repeat the same call to add them.")
        return page, said

    @staticmethod
    async def _resolve(pager: Resolver, incidents: Sequence[str], note: str, page: Page, said: list[str]) -> str:
        done, failed = await resolve(pager, incidents, note)
        said += done
        for incident, why in failed.items():
            name = shorten(incident, 60)
            said.append(f"But PagerDuty incident {name} is NOT resolved: {shorten(why, 600)}")
            said.append(f"To finish: {finishing(name, page.url)} The page stands; do not publish it again.")
        if failed:
            raise BackendError("\n".join(said))
        return "\n".join(said)

    async def _place(self, postmortem: Postmortem) -> tuple[Page, bool, list[str]]:
        """The page of this content, whether it was made now, and the titles that others have."""
        storage = await asyncio.to_thread(postmortem.to_storage)
        taken: list[str] = []
        for title in postmortem.titles():
            page, made = await self._find_or_create(title, storage, postmortem.reference)
            if page and postmortem.reference in page.storage:
                return page, made, taken
            taken.append(title)
        raise BadRequest(f"Nothing was published: the titles {taken[0]!r} to {taken[-1]!r} are taken. Choose another.")

    async def _find_or_create(self, title: str, storage: str, reference: str) -> tuple[Page | None, bool]:
        """The page with this title, and whether it was made now; None: the title belongs to a page we cannot see."""
        if standing := await self._store.find_page(title):
            return standing, False
        try:
            if made := await self._store.create_page(title, storage):
                return made, True
        except BackendError as error:
            if isinstance(error, RateLimited) or (isinstance(error, Refused) and 300 <= error.status < 500):
                raise  # understood and not done
            made = await self._look_again(title, error)
            return made, reference in made.storage
        return await self._store.find_page(title), False  # another call was faster, or it is hidden from us

    async def _look_again(self, title: str, error: BackendError) -> Page:
        """The page whose creation gave no usable answer."""
        try:
            found = await self._store.find_page(title)
        except BackendError:
            found = None
        if found is None:
            raise Unreachable(f"{error} {_UNKNOWN}") from error
        return found

    async def _find(self, page: str) -> Page:
        if not page:
            raise BadRequest("page is empty. Give an id (a number) or an exact title.")
        if page.isascii() and page.isdecimal():
            try:
                return await self._store.page(page)
            except Refused as refused:
                if refused.status != _NOT_FOUND:
                    raise
        if found := await self._store.find_page(page):
            return found
        close = await self._store.close_titles(page)
        hint = f" Close titles: {'; '.join(shorten(title, 100) for title in close)}." if close else ""
        raise BadRequest(
            f"The account sees no page with the id or the exact title {shorten(page, 100)!r} in space "
            f"{self._store.space}.{hint} confluence_list_postmortems searches by words."
        )


def _named(page: Page) -> str:
    return f"{shorten(page.title, 255)} (page {page.id}) {page.url}"


def _split(text: str) -> list[str]:
    """A long text in parts, at the ends of lines where they are near enough."""
    parts = []
    while len(text) > _PART:
        end = text.rfind("\n", _PART // 2, _PART) + 1 or _PART
        parts.append(text[:end].rstrip("\n"))
        text = text[end:]
    return [*parts, text or "(the page is empty)"]
