"""Earlier incidents that resemble a new one: leads for the agent to verify, never evidence.

They come from the post-mortems that the bot published, and from those in Confluence. What they share with the new one
is judged by the services that both name and by what is said to suffer; where nothing is shared, nothing is recalled.
"""

import asyncio
import html
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sre_bot.clients.confluence import Hits
from sre_bot.errors import BackendError, LedgerError
from sre_bot.evidence.exhibit import named_services
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.postmortems import Published
from sre_bot.tools.masking import mask_secrets
from sre_bot.tools.postmortem import LABEL
from sre_bot.tools.spec import shorten

log = logging.getLogger(__name__)

LIMIT = 600
"""Characters of all that is recalled."""
SHOWN = 3
LOOKED_AT = 200  # published post-mortems, the newest
PATIENCE = 2.0  # seconds for Confluence: an investigation does not wait for a library
HEADER = "Earlier incidents that resemble this one: leads to verify, no evidence, not to be cited."

_TOPICS = {
    "errors": r"error|5xx|\b50\d\b|fail",
    "latency": r"latenc|slow|p9\d|timeout|timed out",
    "connections": r"connection|pool",
    "memory": r"memory|heap|\boom",
    "cpu": r"\bcpu|throttl",
    "restarts": r"restart|crash",
    "disk": r"\bdisk|storage full|no space",
    "traffic": r"traffic|surge|requests per",
    "queries": r"quer(?:y|ies)\b",
    "certificates": r"certificate|\btls\b",
}
_READ_TOPICS = {topic: re.compile(pattern, re.IGNORECASE) for topic, pattern in _TOPICS.items()}
_PAGE = re.compile(r"\(page (\d+)\) (\S+)")


class Library(Protocol):
    """Finds pages; see `clients.confluence.Confluence`."""

    async def search(self, words: str, label: str, since: float | None, limit: int) -> Hits:
        """Newest first; any BackendError."""


@dataclass(frozen=True, slots=True)
class Lead:
    """An earlier incident: what is read of it, the page that tells of it, and how much it shares with the new one."""

    text: str
    page: str
    score: int


class PastIncidents:
    """Recalls.

    Args:
        ledger: has the post-mortems that the bot published.
        services: names of the services there are.
        library: has others; None where there is none.
    """

    def __init__(self, ledger: Ledger, services: Sequence[str], library: Library | None = None) -> None:
        self._ledger = ledger
        self._services = services
        self._library = library

    async def recall(self, text: str) -> str:
        """What resembles the incident that a text tells of, at most LIMIT characters; empty where nothing does."""
        own, others = await asyncio.gather(self._own(text), self._others(text))
        known = {lead.page for lead in own}
        leads = [*own, *(lead for lead in others if lead.page not in known)]
        return compose(sorted(leads, key=lambda lead: -lead.score)[:SHOWN])

    async def _own(self, text: str) -> list[Lead]:
        try:
            published = await self._ledger.postmortems.newest(LOOKED_AT)
        except LedgerError as error:
            log.warning("earlier incidents are not recalled: %s", error)
            return []
        return list(_alike(text, published, self._services))

    async def _others(self, text: str) -> list[Lead]:
        named = sorted(named_services(text, self._services))
        if self._library is None or not named:
            return []
        try:
            async with asyncio.timeout(PATIENCE):
                hits = await self._library.search(named[0], LABEL, None, SHOWN)
        except (BackendError, TimeoutError) as error:
            log.info("Confluence recalls nothing: %s", str(error) or f"no answer within {PATIENCE:g} s")
            return []
        return [Lead(f"{hit.title}: {html.unescape(hit.excerpt)} {hit.url}", hit.id, 2) for hit in hits.found]


def likeness(text: str, other: str, services: Iterable[str]) -> int:
    """What two texts share: two for each service, one for each thing that suffers; 0 where that is too little."""
    shared = named_services(text, services) & named_services(other, services)
    topics = _topics(text) & _topics(other)
    return 2 * len(shared) + len(topics) if shared or len(topics) > 1 else 0


def compose(leads: Sequence[Lead]) -> str:
    """The leads in a few lines."""
    if not leads:
        return ""
    room = (LIMIT - len(HEADER)) // len(leads) - len("\n- ")
    return "\n".join([HEADER, *(f"- {shorten(mask_secrets(lead.text), room)}" for lead in leads)])


def _alike(text: str, published: Iterable[Published], services: Sequence[str]) -> Iterator[Lead]:
    for each in published:
        said = {name: str(each.arguments.get(name, "")) for name in ("title", "summary", "impact", "root_cause")}
        if score := likeness(text, "\n".join(said.values()), services):
            page = _PAGE.search(each.outcome)
            where = f"; {page[2]}" if page else ""
            cause = shorten(said["root_cause"] or said["summary"], 110)
            line = f"{each.at:%Y-%m-%d} {shorten(said['title'], 60)}: {cause}{where}"
            yield Lead(line, page[1] if page else "", score)


def _topics(text: str) -> set[str]:
    return {topic for topic, pattern in _READ_TOPICS.items() if pattern.search(text)}
