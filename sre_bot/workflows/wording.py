"""What the bot says of a case by itself: to the agent, on the card, and at the end. Pure text from records."""

from collections.abc import Sequence
from datetime import datetime

from sre_bot.incidents.answers import LINE, named_cause, plain_line
from sre_bot.incidents.model import Approval, Turn, TurnState
from sre_bot.incidents.paging import Case, Incident
from sre_bot.tools.masking import mask_secrets
from sre_bot.tools.publications import link_of, published

_TOLD = 20  # incidents of a case that the agent is told of

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


def progress(turns: Sequence[Turn], approvals: Sequence[Approval] = ()) -> str:
    """One line on the investigation, for the card."""
    if not turns:
        return ""
    if any(turn.state is TurnState.RUNNING for turn in turns):
        return "Investigating …"
    if any(turn.state is TurnState.QUEUED for turn in turns):
        return "Waiting to be investigated …"
    if turns[-1].state is TurnState.PROPOSED:
        return "Proposes an action: a person decides, in the thread."
    if found := cause(turns, approvals):
        return found
    return _first_line(turns[-1].reason)[:LINE]


def cause(turns: Sequence[Turn], approvals: Sequence[Approval] = ()) -> str:
    """What broke: as the post-mortem says, or as the newest answer that names a cause does, or else how the newest one
    begins; empty where nothing was answered.
    """
    if report := published(approvals):
        return plain_line(mask_secrets(str(report.arguments.get("root_cause", ""))))
    said = [turn for turn in turns if turn.answer.strip() and turn.state in (TurnState.ANSWERED, TurnState.PROPOSED)]
    named = next((found for turn in reversed(said) if (found := named_cause(turn.answer))), "")
    answers = [turn.answer for turn in said if turn.state is TurnState.ANSWERED]
    return named or (plain_line(answers[-1]) if answers else "")


def postmortem(approvals: Sequence[Approval]) -> str:
    """The address of the newest post-mortem that was published by one of these calls; empty where there is none."""
    report = published(approvals)
    return link_of(report) if report else ""


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")


def closing(case: Case, turns: Sequence[Turn], approvals: Sequence[Approval] = ()) -> str:
    """The line that ends a case: how long it took, what it was, and where the post-mortem is."""
    resolved = "All of it is resolved" if len(case.incidents) > 1 else "Resolved"
    pages = f", {len(case.incidents)} pages" if len(case.incidents) > 1 else ""
    ended = case.closed_at or case.last_page_at
    lines = [f"✅ **{resolved}** after {_duration(case.opened_at, ended)}{pages}."]
    found = cause(turns, approvals)
    lines.append(f"Root cause, as investigated: {found}" if found else "No root cause was found by an investigation.")
    link = postmortem(approvals)  # never one that the model wrote
    lines.append(f"Post-mortem: {link}" if link else "There is no post-mortem yet; ask me to write one.")
    return "\n".join(lines)


def _duration(start: datetime, end: datetime) -> str:
    seconds = max(0, round((end - start).total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
