"""What the bot says of a case by itself: to the agent, on the card, and at the end. Pure text from records."""

import re
from collections.abc import Sequence
from datetime import datetime

from sre_bot.evidence.report import headline
from sre_bot.incidents.model import Turn, TurnState
from sre_bot.incidents.paging import Case, Incident

_TOLD = 20  # incidents of a case that the agent is told of
_LINE = 200  # characters of a line on the card
_LINK = re.compile(r"https?://[^\s<>|)\]]+/wiki/[^\s<>|)\]]+")
_CAUSE = re.compile(r"^(?:[^\w\n]|_)*(?:root cause|cause|verdict)[\W_]+(.+)$", re.IGNORECASE | re.MULTILINE)

FIRST = (
    "You were paged; nobody has asked yet. Find out what broke, on what evidence, and which one change would put it "
    "right. What monitoring said is quoted below.{ids}"
)
AGAIN = (
    "More was paged since you last looked: {pages} pages belong to this incident now, the newest are quoted below. "
    "Does your conclusion explain them too? Look again where it does not, and say what changes.{ids}"
)
BACK = (
    "This was resolved and has come back (time {episode}). Look at what is different now, and whether the earlier "
    "conclusion was right. What monitoring said is quoted below.{ids}"
)


def question(case: Case, number: int) -> str:
    """What the agent is asked by the bot itself; trusted words only, for the words of others are quoted elsewhere."""
    known = [each.key.removeprefix("pd:") for each in case.incidents if each.source == "pd" and each.open]
    ids = f" PagerDuty incidents: {', '.join(known[-_TOLD:])}." if known else ""
    if number == 1:
        return FIRST.format(ids=ids)
    if f"episode {case.episode}" not in case.symptoms_asked:
        return BACK.format(episode=case.episode, ids=ids)
    return AGAIN.format(pages=len(case.incidents), ids=ids)


def background(case: Case) -> str:
    """What monitoring said of a case's incidents, the newest last."""
    shown = case.incidents[-_TOLD:]
    left = len(case.incidents) - len(shown)
    earlier = [f"({left} earlier pages are not listed)"] if left else []
    return "\n".join([*earlier, *map(_described, shown)])


def _described(incident: Incident) -> str:
    parts = [
        f"{incident.opened_at:%Y-%m-%d %H:%M:%SZ}",
        incident.key,
        f"service {incident.service or incident.service_label or 'unknown'}",
        f"{incident.urgency} urgency",
        incident.status,
        incident.title,
    ]
    return "; ".join(parts) + (f"\n  {incident.details}" if incident.details else "")


def progress(turns: Sequence[Turn]) -> str:
    """One line on the investigation, for the card."""
    if not turns:
        return ""
    if any(turn.state is TurnState.RUNNING for turn in turns):
        return "Investigating …"
    if any(turn.state is TurnState.QUEUED for turn in turns):
        return "Waiting to be investigated …"
    if turns[-1].state is TurnState.PROPOSED:
        return "Proposes an action: a person decides, in the thread."
    if found := cause(turns):
        return found
    return _first_line(turns[-1].reason)[:_LINE]


def cause(turns: Sequence[Turn]) -> str:
    """What the newest answer names as the cause, or else its first line; empty where nothing was answered."""
    answers = [turn.answer for turn in turns if turn.answer.strip() and turn.state is TurnState.ANSWERED]
    if not answers:
        return ""
    named = _CAUSE.search(answers[-1])
    line = named[1] if named else _first_line(answers[-1])
    plain = headline(line.strip(" *_#>-:"))
    return plain if len(plain) <= _LINE else f"{plain[: _LINE - 1]}…"


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")


def closing(case: Case, turns: Sequence[Turn]) -> str:
    """The line that ends a case: how long it took, what it was, and where the post-mortem is."""
    resolved = "All of it is resolved" if len(case.incidents) > 1 else "Resolved"
    pages = f", {len(case.incidents)} pages" if len(case.incidents) > 1 else ""
    ended = case.closed_at or case.last_page_at
    lines = [f"✅ **{resolved}** after {_duration(case.opened_at, ended)}{pages}."]
    found = cause(turns)
    lines.append(f"Root cause, as investigated: {found}" if found else "No root cause was found by an investigation.")
    links = [link for turn in turns for link in _LINK.findall(turn.answer)]
    lines.append(f"Post-mortem: {links[-1]}" if links else "There is no post-mortem yet; ask me to write one.")
    return "\n".join(lines)


def _duration(start: datetime, end: datetime) -> str:
    seconds = max(0, round((end - start).total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
