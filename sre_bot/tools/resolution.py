"""Resolving PagerDuty incidents with the link of the page that tells what they were.

It comes after the page: an incident that is resolved without it is hard to find again, a page too early harms nobody.
Doing it again is safe: a note is added once, and an incident that is resolved stays so.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from sre_bot.clients.pagerduty import Status
from sre_bot.clients.pagerduty_wire import Incident
from sre_bot.errors import BackendError, BadRequest, Refused, SreBotError
from sre_bot.tools.spec import shorten

MOST = 25
"""Incidents in one call; each is some requests."""
PATIENCE = 25.0  # seconds for all of them: the page is published by then, and the call must end in time to say so
_NOT_FOUND = 404


class Resolver(Protocol):
    """Holds incidents."""

    async def find_incident(self, reference: str) -> Incident:
        """By id, number or address."""

    async def add_note(self, incident_id: str, text: str) -> bool:
        """False where it was there."""

    async def set_status(self, incident_id: str, status: Status) -> Incident:
        """Acknowledge or resolve."""


def read_references(text: str) -> tuple[str, ...]:
    """The incidents that an argument names, separated by commas.

    Raises:
        BadRequest: too many.
    """
    named = tuple(dict.fromkeys(filter(None, (part.strip() for part in text.split(",")))))
    if len(named) > MOST:
        raise BadRequest(f"{len(named)} incidents; at most {MOST} are resolved by one call. Nothing was published.")
    return named


async def check_references(pager: Resolver, references: Sequence[str]) -> None:
    """Refuse incidents that PagerDuty does not have; where it does not answer, it is asked again after the page.

    Raises:
        BadRequest: there is no such incident.
    """
    found = await asyncio.gather(*map(pager.find_incident, references), return_exceptions=True)
    for reference, result in zip(references, found, strict=True):
        missing = isinstance(result, Refused) and result.status == _NOT_FOUND
        if missing or isinstance(result, BadRequest):
            raise BadRequest(f"resolve_incident {shorten(reference, 60)}: {result} Nothing was published or resolved.")
        if isinstance(result, BaseException) and not isinstance(result, SreBotError):
            raise result


async def resolve(pager: Resolver, references: Sequence[str], note: str) -> tuple[list[str], dict[str, str]]:
    """Add the note to each incident and resolve it.

    Returns:
        What was done, a sentence each; and of which incident it failed, and why.
    """
    results = await asyncio.gather(*(_resolve(pager, each, note) for each in references), return_exceptions=True)
    done: list[str] = []
    failed: dict[str, str] = {}
    for reference, result in zip(references, results, strict=True):
        if isinstance(result, str):
            done.append(result)
        elif isinstance(result, SreBotError):
            failed[reference] = str(result)
        else:
            raise result
    return done, failed


def finishing(incident: str, link: str) -> str:
    """The call that resolves an incident whose page is published already, in words."""
    note = f"Post-mortem: {link}"
    return f'pagerduty_update_incident with incident="{incident}", action="resolve" and note="{note}".'


async def _resolve(pager: Resolver, reference: str, note: str) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            found = await pager.find_incident(reference)
            await pager.add_note(found.id, note)
            if found.status == "resolved":
                return f"PagerDuty #{found.number} ({found.id}) was resolved already; the link is in its notes."
            await _set_resolved(pager, found.id)
            return f"PagerDuty #{found.number} ({found.id}) is resolved, with the link in its notes."
    except TimeoutError as error:
        raise BackendError(
            f"PagerDuty gave no answer within {PATIENCE:.0f} s; whether it is done is unknown."
        ) from error


async def _set_resolved(pager: Resolver, identity: str) -> None:
    try:
        await pager.set_status(identity, "resolved")
    except Refused:
        # Monitoring, or a person, may have resolved it in between, and PagerDuty refuses to do it again.
        if (await pager.find_incident(identity)).status != "resolved":
            raise
