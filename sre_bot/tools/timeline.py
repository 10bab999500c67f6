"""The recorded half of a post-mortem, as Markdown: what happened when, how long it took, who approved what it did.

A pure function of the ledger's record: no time, name or figure here was worded by a model, except where its words are
quoted. The words of others stand as inline code, in which nothing is a link, a mention or a format.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from sre_bot.incidents.answers import named_cause
from sre_bot.incidents.model import UNFINISHED, Approval, ApprovalState, Turn, TurnState
from sre_bot.incidents.paging import Change
from sre_bot.incidents.record import Record
from sre_bot.tools.moments import span
from sre_bot.tools.publications import POSTMORTEM
from sre_bot.tools.spec import shorten

MOST = 50
"""Lines of a timeline: nobody reads more."""
LONGEST = 4_000
"""Characters of it: a person has to be shown the whole page before it is published, and the model's half needs room."""
CHANGES = 5
"""Changes in the resolution at most, the last ones, in half as many characters."""
TOGETHER = 4
"""So many pages in a row, with nothing else between them, are one line."""
RECOVERED = "RECOVERED"

_TITLE = 120  # characters of a title
_WORDS = 200  # of anything else that is quoted
_MARKS = re.compile(r"[`*_~\[\]<>|\\]")  # what would format a name
_PEOPLE = re.compile(r"[UW][A-Z0-9]{2,}")
_OWN = ("act", "verdict", "close")  # what the bot asks itself in the course of what is told otherwise
_SOURCES = {"pd": "PagerDuty", "am": "Alertmanager"}
_KINDS = {
    "triggered": "paged",
    "annotated": "got a note",
    "priority_updated": "got another priority",
    "status_update_published": "got a status update",
    "responder.added": "got a responder",
    "responder.replied": "had a responder's reply",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline."""

    at: datetime
    text: str


def people_in(record: Record) -> set[str]:
    """The ids of the people whom a timeline would name."""
    ids = {turn.author for turn in record.turns} | {approval.decided_by for approval in record.approvals}
    return {each for each in ids if _PEOPLE.fullmatch(each)}


def write_timeline(record: Record) -> str:
    """The section `Timeline`: how long it took, then what happened, by day."""
    events = sorted([*_pages(record.changes), *_talk(record), *_acts(record)], key=lambda event: event.at)
    if not events:
        return "Nothing of it is recorded."
    measures = list(_measures(record))
    written = ("\n".join([*measures, *_days(events, most, after=measures)]) for most in range(MOST, 1, -2))
    return next((text for text in written if len(text) <= LONGEST), "\n".join(measures))


def _days(events: Sequence[Event], most: int, *, after: Sequence[str]) -> Iterator[str]:
    """Lines of events, day by day; of too many the first and the last, and how many are left out."""
    left = len(events) - most
    shown = events if left <= 0 else [*events[: most // 2], *events[-(most - most // 2) :]]
    for number, (day, of_day) in enumerate(groupby(enumerate(shown), key=lambda each: each[1].at.date())):
        yield from ("", f"**{day:%Y-%m-%d}**", "") if number or after else (f"**{day:%Y-%m-%d}**", "")
        for place, event in of_day:
            if left > 0 and place == most // 2:
                yield f"- _{left} more events are not listed here; the bot's record has them._"
            yield f"- **{event.at.astimezone(UTC):%H:%M:%S}** {event.text}"


def write_resolution(record: Record) -> str:
    """What the section `Resolution` says by itself: each change, who let it happen, and what the figures said."""
    done = [each for each in _proposals(record) if each.state in (ApprovalState.SUCCEEDED, ApprovalState.FAILED)]
    if not done:
        return "The bot has no record of a change that was made through it."
    written = (_changes(done, most, record) for most in range(min(len(done), CHANGES), 0, -1))
    return next((text for text in written if len(text) <= LONGEST // 2), _changes(done, 1, record))


def _changes(done: Sequence[Approval], most: int, record: Record) -> str:
    lines = [line for each in done[-most:] for line in _change(each, record)]
    left = [f"- _{len(done) - most} earlier changes are in the timeline only._"] if len(done) > most else []
    return "\n".join(["As recorded by the bot:", "", *left, *lines])


def recovered_at(record: Record) -> datetime | None:
    """When the figures were found to be good; None where they were not at last, or more was paged since."""
    judged = [each for each in _proposals(record) if each.verdict]
    if not judged or not judged[-1].verdict.startswith(RECOVERED):
        return None
    at = _verdict_at(judged[-1], record)
    paged = [each.occurred_at for each in record.changes if each.kind in ("triggered", "reopened")]
    return None if at is None or any(later > at for later in paged) else at


# --- Durations -------------------------------------------------------------------------------------------------------


def _measures(record: Record) -> Iterator[str]:
    """From the first page, or the first question, to each of the moments that are asked about in a review."""
    asked = [turn.created_at for turn in record.turns]
    began = record.case.opened_at if record.case else min(asked, default=None)
    if began is None:
        return
    what = "the first page" if record.case else "the first question"
    ended, how = _end(record)
    if ended:
        yield f"- **Duration:** {_length(began, ended)}, from {what} until {how}"
    else:
        yield f"- **Duration:** not over when this was written, {_length(began, record.read_at)} after {what}"
    for name, at in _milestones(record):
        if at:
            yield f"- **{name}:** after {_length(began, at)}"


def _end(record: Record) -> tuple[datetime | None, str]:
    if at := recovered_at(record):
        return at, "the figures had recovered"
    if record.case and not record.case.open:
        return record.case.closed_at, "all of its pages were resolved"
    return None, ""


def _milestones(record: Record) -> Iterator[tuple[str, datetime | None]]:
    yield "Acknowledged", _first(each.occurred_at for each in record.changes if each.kind == "acknowledged")
    yield "First conclusion", _first(turn.ended_at for turn in record.turns if _concluded(turn))
    done = [each for each in _proposals(record) if each.state is ApprovalState.SUCCEEDED]
    yield "Change approved", _first(each.decided_at for each in done)
    yield "Change carried out", _first(each.ended_at for each in done)


def _first(moments: Iterable[datetime | None]) -> datetime | None:
    return min((at for at in moments if at), default=None)


def _length(start: datetime, end: datetime) -> str:
    """Whole seconds; two clocks that differ may make it negative, which is none."""
    return span(max(0, round((end - start).total_seconds())))


# --- What happened ---------------------------------------------------------------------------------------------------


def _pages(changes: Sequence[Change]) -> Iterator[Event]:
    """What monitoring told; a source that repeats itself tells nothing new."""
    told: dict[str, str] = {}
    news = []
    for change in changes:
        if change.incident.startswith("pd:") or told.get(change.incident) != change.kind:
            news.append(change)
        told[change.incident] = change.kind
    for _, run in groupby(news, key=lambda change: (change.incident.partition(":")[0], change.kind)):
        alike = list(run)
        if len(alike) >= TOGETHER:
            yield _storm(alike)
        else:
            yield from (Event(each.occurred_at, _page(each)) for each in alike)


def _page(change: Change) -> str:
    seen = change.snapshot
    parts = [f"{_incident(change.incident)} {_kind(change.kind)}"]
    if change.kind == "triggered" and seen:
        parts.append(
            f": {quoted(seen.title, _TITLE)}" + (f" on {quoted(seen.service, _TITLE)}" if seen.service else "")
        )
    elif seen and seen.assignees and change.kind in ("acknowledged", "escalated", "reassigned", "delegated"):
        parts.append(f", with {', '.join(map(_name, seen.assignees[:3]))}")
    elif seen and seen.priority and change.kind == "priority_updated":
        parts.append(f": {_name(seen.priority)}")
    return "".join(parts)


def _storm(alike: Sequence[Change]) -> Event:
    titles = dict.fromkeys(change.snapshot.title if change.snapshot else change.title for change in alike)
    shown = ", ".join(quoted(title, _TITLE) for title in list(titles)[:3] if title)
    until = f"{alike[-1].occurred_at.astimezone(UTC):%H:%M:%S}"
    source = _SOURCES.get(alike[0].incident.partition(":")[0], "monitoring")
    return Event(
        alike[0].occurred_at, f"until {until}: {len(alike)} incidents of {source} {_kind(alike[0].kind)}: {shown}"
    )


def _kind(kind: str) -> str:
    return _KINDS.get(kind, kind.replace("_", " "))


def _incident(key: str) -> str:
    source, _, identity = key.partition(":")
    name = _SOURCES.get(source, "Monitoring")
    return f"{name} {_name(identity)}" if source == "pd" else name


def _talk(record: Record) -> Iterator[Event]:
    """Investigations: who asked for them, and what they ended with."""
    for turn in record.turns:
        kind = turn.prompt_ts.partition(":")[0]
        if kind in _OWN or turn.state in UNFINISHED:
            continue
        if turn.author:
            yield Event(turn.created_at, f"{_called(turn.author, record)} asked: {quoted(turn.prompt, _WORDS)}")
        else:
            how = "by itself" if kind == "auto" else "as somebody asked with a button"
            yield Event(turn.started_at or turn.created_at, f"The bot began to investigate {how}")
        if turn.ended_at and _concluded(turn):
            yield Event(turn.ended_at, f"The bot's conclusion: {quoted(named_cause(turn.answer), _WORDS)}")
        elif turn.ended_at and turn.state not in (TurnState.ANSWERED, TurnState.PROPOSED):
            yield Event(turn.ended_at, f"The investigation ended without an answer ({turn.state})")


def _concluded(turn: Turn) -> bool:
    own = turn.prompt_ts.partition(":")[0] in _OWN
    return not own and turn.state in (TurnState.ANSWERED, TurnState.PROPOSED) and bool(named_cause(turn.answer))


def _acts(record: Record) -> Iterator[Event]:
    """What was proposed, who decided, what it did, and what the figures said."""
    for approval in _proposals(record):
        name = f"Proposal #{approval.id}"
        yield Event(approval.proposed_at, f"{name}: {quoted(_what(approval), _WORDS)}")
        if approval.decided_at:
            yield Event(approval.decided_at, f"{name} was {_decision(approval, record)}")
        if approval.ended_at:
            yield Event(approval.ended_at, f"{name} {_ending(approval)}")
        if approval.verdict and (at := _verdict_at(approval, record)):
            yield Event(at, f"Figures after {name.lower()}: {quoted(_lines(approval.verdict)[0], _WORDS)}")


def _proposals(record: Record) -> list[Approval]:
    """Without those of this kind of page, which are not part of what happened."""
    return [each for each in record.approvals if each.tool != POSTMORTEM]


def _decision(approval: Approval, record: Record) -> str:
    if approval.state is ApprovalState.REJECTED:
        why = f": {quoted(approval.reason, _WORDS)}" if approval.reason else ""
        return f"rejected by {_called(approval.decided_by, record)}{why}"
    return f"approved by {_called(approval.decided_by, record)}"


def _ending(approval: Approval) -> str:
    if approval.state is ApprovalState.SUCCEEDED:
        return "was carried out"
    if approval.state is ApprovalState.FAILED:
        return f"failed: {quoted(_lines(approval.outcome)[0], _WORDS)}"
    return f"became void: {quoted(approval.reason or 'nobody decided in time', _WORDS)}"


def _verdict_at(approval: Approval, record: Record) -> datetime | None:
    """A verdict is told to the agent as soon as it is there; where it was not told, the change's own end counts."""
    told = (turn.created_at for turn in record.turns if turn.prompt_ts == f"verdict:{approval.id}")
    return next(told, approval.ended_at)


def _change(approval: Approval, record: Record) -> Iterator[str]:
    when = f" at {approval.decided_at.astimezone(UTC):%H:%M:%S}" if approval.decided_at else ""
    by = f"approved by {_called(approval.decided_by, record)}{when}"
    ended = f" at {approval.ended_at.astimezone(UTC):%H:%M:%S}" if approval.ended_at else ""
    yield f"- Proposal #{approval.id}, {quoted(_what(approval), _WORDS)}: {by}, {_ending(approval)}{ended}"
    for line in _lines(approval.verdict) if approval.verdict else ():
        yield f"- {quoted(line, _WORDS)}"


# --- The words of others ---------------------------------------------------------------------------------------------


def quoted(text: str, limit: int) -> str:
    """Somebody's words on one line, as inline code: nothing in them formats, links or mentions."""
    return f"`{shorten(text.replace('`', chr(39)), limit).strip() or '(no words)'}`"


def _called(person: str, record: Record) -> str:
    return _name(record.names.get(person, person)) or "somebody"


def _name(text: str) -> str:
    return shorten(_MARKS.sub("", text), 60)


def _what(approval: Approval) -> str:
    return approval.plan.summary or approval.tool


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()] or [""]
