"""What `catch up` shows: the incident, what was asked and found, what was proposed and decided, and what waits.

For one person's eyes, and as short as it can be: it is read on a phone by somebody who was just woken up.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sre_bot.incidents.model import ApprovalState, TurnState
from sre_bot.slack.cards import incident
from sre_bot.slack.cards.proposal import WORDS
from sre_bot.slack.mrkdwn import literal, to_mrkdwn
from sre_bot.slack.wording import date, one_line
from sre_bot.workflows.briefing import Asked, Briefing, Decided, Wait

TITLE = "Catch-up"
LINE = 240  # characters of a line before it is escaped, which can make it five times as long; a section takes 3,000
NAME = 50
SECTION = 2_900
ENDS = {
    TurnState.QUEUED: "waits in line",
    TurnState.RUNNING: "runs",
    TurnState.ANSWERED: "answered",
    TurnState.PROPOSED: "led to a proposal",
    TurnState.FAILED: "failed",
    TurnState.STOPPED: "was stopped",
    TurnState.INTERRUPTED: "was interrupted",
    TurnState.LIMITED: "was cut short",
}
PAGED = "I looked into it because I was paged"
NOBODY_WAITS = "Nothing waits for anybody."

Block = dict[str, Any]


def render(briefing: Briefing) -> list[Block]:
    """At most ten blocks: what it is, and four short lists."""
    blocks = incident.describe(briefing.card) if briefing.card else [_section(TITLE, [])]
    lists = (
        (_asked_title(briefing), list(map(_asked, briefing.asked))),
        (_found_title(briefing.findings.at), list(_found(briefing))),
        ("Proposals and decisions", list(map(_decided, briefing.proposals))),
        ("What waits", list(map(_wait, briefing.waiting)) or [NOBODY_WAITS]),
    )
    blocks += [_section(title, items) for title, items in lists if items]
    return [*blocks, _note("Written from what I recorded, for you alone; no model was asked.")]


def _section(title: str, items: Sequence[str]) -> Block:
    """A list as one section; where it does not fit, what is left out is counted."""
    lines, room = [f"*{title}*"], SECTION - len(title)
    for item in items:
        room -= len(item) + 3
        if room >= 0:
            lines.append(f"• {item}")
    if missing := len(items) + 1 - len(lines):
        lines.append(f"_{missing} more would not fit here_")
    return {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines), "verbatim": True}}


def _note(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": f"_{text}_", "verbatim": True}]}


def _words(text: str, limit: int = LINE) -> str:
    """Somebody's words, literally and on one line."""
    return literal(one_line(text, limit))


def _answered(markdown: str) -> str:
    """The model's words, with its code and emphasis."""
    return to_mrkdwn(one_line(markdown, LINE))


def _asked_title(briefing: Briefing) -> str:
    more = briefing.asked_in_all - len(briefing.asked)
    return f"Asked (and {more} earlier)" if more > 0 else "Asked"


def _asked(asked: Asked) -> str:
    who = f"*{_words(asked.by, NAME)}* · " if asked.by else ""
    return f"{who}{date(asked.at)}: {_words(asked.text) or PAGED} → {ENDS[asked.state]}"


def _found_title(at: datetime | None) -> str:
    return f"Found, {date(at)}" if at else "Found"


def _found(briefing: Briefing) -> Iterator[str]:
    findings = briefing.findings
    for name, words in findings.parts.items():
        yield f"*{name.capitalize()}:* {_answered(words)}"
    if findings.since:
        yield f"*Since then:* {_answered(findings.since)}"
    if not findings.parts:
        yield "Nothing yet: no investigation here has come to an answer."


def _decided(decided: Decided) -> str:
    approval = decided.approval
    what = f"*#{approval.id}* {_words(approval.plan.summary or approval.tool)}"
    steps = [f"proposed {date(approval.proposed_at)}"]
    if approval.decided_at:
        word = "rejected" if approval.state is ApprovalState.REJECTED else "approved"
        by = f" by *{_words(decided.by, NAME)}*" if decided.by else ""
        steps.append(f"{word}{by} {date(approval.decided_at)}")
    if approval.state not in (ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED):
        steps.append(WORDS[approval.state].lower())
    reason = f" ({_words(approval.reason)})" if approval.reason else ""
    verdict = f" · {_words(approval.verdict.partition(chr(10))[0])}" if approval.verdict else ""
    return f"{what} · {', '.join(steps)}{reason}{verdict}"


def _wait(wait: Wait) -> str:
    since = f" since {date(wait.since)}" if wait.since else ""
    until = f" until {date(wait.until)}" if wait.until else ""
    return f"{_words(wait.what)}{since}{until}"
