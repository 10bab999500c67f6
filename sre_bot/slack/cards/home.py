"""The app's Home tab: what is open, what runs, what waits for a decision, how the services are, what it cost; a hint.

Every member who may speak to the bot sees it. So it shows what the bot would answer any of them, and of somebody else's
conversation only that there is one. Moments are absolute, so that a home whose content is the same is the same view.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sre_bot.catalog import Severity
from sre_bot.incidents.model import Approval, Turn, TurnState
from sre_bot.incidents.paging import Case, IncidentStatus, Urgency
from sre_bot.slack.mrkdwn import link, literal
from sre_bot.slack.wording import date, one_line
from sre_bot.workflows.overview import Overview
from sre_bot.workflows.vigil import Outlook, ServiceState

Block = dict[str, Any]
Links = Mapping[tuple[str, str], str]
"""Addresses of messages, by channel and timestamp; those that Slack did not give are missing."""

TITLE = 60  # characters of somebody's words before they are escaped
NAME = 40
REASON = 200
SECTION = 2_900
SIGNS = {Severity.OK: "✅", Severity.NO_DATA: "❔", Severity.WARNING: "🟠", Severity.CRITICAL: "🔴"}
HINT = (
    "*How to begin:* mention me in a channel with what you see, or write to me in the Messages tab; no command is "
    "needed. In a thread of mine, write more to steer me, `stop` to end a run, and `catch up` for what happened so far."
)


def render(overview: Overview, reader: str, links: Links) -> Block:
    """The view for one person. Slack: at most 100 blocks; this has some fifteen."""
    lists = (
        ("Open incidents", list(_cases(overview, links))),
        ("Waits for a decision", [_proposal(each, links) for each in overview.waiting]),
        ("Investigations", [_run(turn, overview.cases, reader, links) for turn in overview.runs]),
        ("Services", list(_services(overview.outlook))),
        ("Systems behind the tools", list(_systems(overview.outlook))),
        ("Spent on runs", [_spent(overview)]),
    )
    blocks: list[Block] = [{"type": "header", "text": {"type": "plain_text", "text": _headline(overview)}}]
    for title, lines in lists:
        if lines:
            blocks.append(_section(title, lines))
    return _view([*blocks, {"type": "divider"}, _text(HINT)])


def render_words(words: str) -> Block:
    """A home with nothing but a sentence, in mrkdwn."""
    return _view([_text(words)])


def _view(blocks: list[Block]) -> Block:
    return {"type": "home", "blocks": blocks}


def _text(mrkdwn: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}}


def _section(title: str, lines: Sequence[str]) -> Block:
    """A list; what does not fit is counted."""
    shown, room = [f"*{title}*"], SECTION - len(title)
    for line in lines:
        room -= len(line) + 1
        if room >= 0:
            shown.append(line)
    missing = len(lines) + 1 - len(shown)
    return _text("\n".join([*shown, *([f"_and {missing} more_"] if missing else [])]))


def _words(text: str, limit: int = TITLE) -> str:
    return literal(one_line(text, limit))


def _headline(overview: Overview) -> str:
    failing = len(overview.outlook.failing)
    facts = []
    if overview.cases_open:
        facts.append(f"{_count(overview.cases_open, 'incident')} open")
    if failing:
        facts.append(f"{_count(failing, 'service')} beyond a threshold")
    if facts:
        return f"🔴 {', '.join(facts)}"
    return "✅ Nothing is open" if overview.outlook.services else "❔ No incident is open; health is not known"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _cases(overview: Overview, links: Links) -> Iterator[str]:
    for case in overview.cases:
        title = one_line(case.first.title, TITLE) if case.incidents else ""
        address = links.get((case.channel, case.thread_ts or ""), "")
        named = link(title or "an incident", address) if address else literal(title or "an incident")
        more = f" and {_count(len(case.incidents) - 1, 'page')} more" if len(case.incidents) > 1 else ""
        service = case.first.service or case.first.service_label if case.incidents else ""
        where = f" · {_words(service, NAME)}" if service else ""
        yield f"{_sign(case)} {named}{more}{where} · since {date(case.opened_at)}"
    if (rest := overview.cases_open - len(overview.cases)) > 0:
        yield f"_and {rest} more, in the incident channel_"


def _sign(case: Case) -> str:
    if any(each.status is IncidentStatus.TRIGGERED for each in case.incidents):
        return "🔴" if case.urgency is Urgency.HIGH else "🟠"
    return "🟡"


def _proposal(approval: Approval, links: Links) -> str:
    named = _open(f"#{approval.id}", links.get((approval.channel, approval.card_ts or approval.thread_ts), ""))
    return f"✋ *{named}* {_words(approval.plan.summary or approval.tool)} · until {date(approval.expires_at)}"


def _run(turn: Turn, cases: Sequence[Case], reader: str, links: Links) -> str:
    place = (turn.channel, turn.thread_ts)
    case = next((each for each in cases if (each.channel, each.thread_ts) == place and each.incidents), None)
    if case:
        what = _words(case.first.title)
    elif turn.author == reader:
        what = f"yours: {_words(turn.prompt)}"
    else:
        what = "in somebody's conversation"
    address = links.get(place, "") if case or turn.author == reader else ""
    if turn.state is TurnState.RUNNING:
        return f"🔎 {_open(what, address)} · since {date(turn.started_at or turn.created_at)}"
    return f"⏳ {_open(what, address)} · in line since {date(turn.created_at)}"


def _open(words: str, address: str) -> str:
    return f"{words} ({link('open', address)})" if address else words


def _services(outlook: Outlook) -> Iterator[str]:
    for service in outlook.services:
        if service.severity is not Severity.OK:
            yield f"{SIGNS[service.severity]} *{_words(service.name, NAME)}* {_state(service)}"
    if healthy := [service.name for service in outlook.services if service.severity is Severity.OK]:
        yield f"{SIGNS[Severity.OK]} {_words(', '.join(healthy), REASON)}"
    if not outlook.services:
        yield "❔ Not known: no signal of the catalog could be read."
    if outlook.alerts:
        names = ", ".join(dict.fromkeys(alert.name for alert in outlook.alerts))
        yield f"🔔 {_count(len(outlook.alerts), 'alert')} firing: {_words(names, REASON)}"


def _state(service: ServiceState) -> str:
    word = service.severity.name.replace("_", " ")
    return f"{word}: {_words(', '.join(service.breached), REASON)}"


def _systems(outlook: Outlook) -> Iterator[str]:
    if well := [name for name, why in outlook.systems.items() if not why]:
        yield f"✅ {', '.join(well)}: answering"
    for name, why in outlook.systems.items():
        if why:
            yield f"⚠️ *{name}*: {_words(why, REASON)}"


def _spent(overview: Overview) -> str:
    return " · ".join(f"${each.spent:.2f} of ${each.budget:.2f} in the {each.of}" for each in overview.spending)
