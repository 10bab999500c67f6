"""The plan of publishing a post-mortem: the page as it will be, word by word, and how incidents are resolved with it.

The timeline, the durations and who approved what are composed from the ledger's record now, and sealed with the call:
what a person has read is what is published, although more is recorded until then.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from sre_bot.clients.confluence import TITLE_LIMIT
from sre_bot.errors import BadRequest
from sre_bot.incidents.plan import Plan
from sre_bot.incidents.record import Record
from sre_bot.tools.postmortem import SECTIONS, Postmortem, compose, draft
from sre_bot.tools.publications import is_unknown, link_of
from sre_bot.tools.resolution import finishing, read_references
from sre_bot.tools.spec import shorten
from sre_bot.tools.timeline import quoted, write_resolution, write_timeline

ADDRESS = "(the address of the page above)"
OWN_TIMELINE = "the timeline of the call is left out: the recorded one is published"
NOT_HERE = "not one of this thread's pages"
_TITLE = 120  # characters of an incident's title


def plan_publication(asked: Mapping[str, Any], record: Record | None, *, can_resolve: bool) -> Plan:
    """The plan of a call.

    Args:
        asked: the model's arguments.
        record: what is recorded of the thread; None where nothing records, so that the timeline is the model's own.
        can_resolve: whether PagerDuty is configured.

    Raises:
        BadRequest: it could not succeed, or would make a second page of the same incident.
    """
    recorded = _recorded(record) if record else {}
    sections = {key: asked[key] for key in SECTIONS}
    postmortem = draft(asked["title"], compose(sections, recorded), asked["labels"], recorded.get("incident", ""))
    incidents = read_references(asked["resolve_incident"])
    if incidents and not can_resolve:
        raise BadRequest("PagerDuty is not configured here: leave resolve_incident out.")
    if record:
        _refuse_second(record, postmortem, incidents)
    resolving = f", then resolve PagerDuty {', '.join(incidents)} with its link" if incidents else ""
    return Plan(
        f"Publish the post-mortem “{postmortem.title}” in Confluence{resolving}",
        affects=(
            "everybody who may read the space",
            *(f"resolving {each} ends the paging of people" for each in incidents),
            *([OWN_TIMELINE] if recorded and asked["timeline"].strip() else []),
        ),
        rollback="A person moves the page to the space's trash."
        + (" A resolved incident stays resolved; the next trigger opens a new one." if incidents else ""),
        check="Confluence shows the page under the configured parent."
        + (" PagerDuty shows the incident resolved, with the link in its notes." if incidents else ""),
        preview="\n\n".join([postmortem.to_text(), *_resolution(incidents, postmortem, record)]),
        sealed={"recorded": recorded} if recorded else {},
    )


def _recorded(record: Record) -> dict[str, str]:
    return {"timeline": write_timeline(record), "resolution": write_resolution(record), "incident": incident_of(record)}


def incident_of(record: Record) -> str:
    """Names what a thread's post-mortem is of: the thread, and how often its incidents have come back."""
    episode = record.case.episode if record.case else 0
    return f"pm-{hashlib.sha256(f'{record.channel}/{record.thread_ts}/{episode}'.encode()).hexdigest()[:12]}"


def link_in(record: Record) -> str:
    """The address of the post-mortem that is published already of what the thread is about; empty where none is."""
    return next((link for each in record.approvals if _same(each.plan.sealed, record) and (link := link_of(each))), "")


def _same(sealed: Mapping[str, Any], record: Record) -> bool:
    return dict(sealed.get("recorded", {})).get("incident") == incident_of(record)


def _refuse_second(record: Record, postmortem: Postmortem, incidents: tuple[str, ...]) -> None:
    """Refuse what would make a second page; under the same title, one whose making was not answered is found again."""
    if link := link_in(record):
        finish = f" To resolve: {finishing(shorten(incidents[0], 60), link)}" if incidents else ""
        raise BadRequest(f"The post-mortem of this is published already: {link} People edit it there.{finish}")
    for each in record.approvals:
        title = shorten(str(each.arguments.get("title")), TITLE_LIMIT)
        if is_unknown(each) and _same(each.plan.sealed, record) and title != postmortem.title:
            raise BadRequest(
                f"Proposal #{each.id} began to publish this as {title!r}, and whether that page was made is not known: "
                "use exactly that title, and the page is found, should it be there."
            )


def _resolution(incidents: tuple[str, ...], postmortem: Postmortem, record: Record | None) -> list[str]:
    """What is done in PagerDuty after the page, as the person reads it."""
    if not incidents:
        return []
    known = (
        {each.key.removeprefix("pd:"): each.title for each in record.case.incidents} if record and record.case else {}
    )
    lines = [f"- {each}: {quoted(known[each], _TITLE) if each in known else NOT_HERE}" for each in incidents]
    return ["# Then resolved in PagerDuty", "\n".join(lines), "with this note:", postmortem.note(ADDRESS)]
