"""The card of a case in the incident channel: what is wrong, where, who has it, how the investigation goes; buttons.

Whatever the case holds is the words of others: it is cut, stripped of what would disguise it, and shown literally.
A storm shows how many incidents there are and the newest of them, so that a card fits a phone and Slack's limits.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from sre_bot.errors import SreBotError
from sre_bot.incidents.paging import Case, Incident, IncidentStatus, Urgency
from sre_bot.slack.clicks import clicked, number_clicked
from sre_bot.slack.defusal import defuse
from sre_bot.slack.listeners import Door
from sre_bot.slack.mrkdwn import NOTIFICATION_LIMIT, link, literal, plain, to_mrkdwn
from sre_bot.slack.wording import cut, date, duration, one_line
from sre_bot.workflows.people import Card, Paging

log = logging.getLogger(__name__)

ACKNOWLEDGE = "case_acknowledge"
INVESTIGATE = "case_investigate"
SILENCE = "case_silence"

HEADER_LIMIT = 120  # characters, three lines on a phone; Slack: 150 of a header block
TITLE_LIMIT = 60  # characters of an incident's title in a list
NAME_LIMIT = 50  # characters of a service, a person, a team, a priority
PROGRESS_LIMIT = 500  # characters; one can become five when it is sent, and a section takes 3,000
ROW_LIMIT = 280  # characters of a row of the list as it is sent; ten of them fit a section
LINKS_LIMIT = 2_500  # characters of all links as they are sent
NAMES_SHOWN = 3  # services, people
ROWS_SHOWN = 10  # incidents of a storm

Block = dict[str, Any]


class Detail(Enum):
    """How much of a card is sent: less where Slack refuses more, so that a card is never lost."""

    FULL = "full"
    SHORT = "short"  # a line and the buttons
    WORDS = "words"  # no blocks


@dataclass(frozen=True, slots=True)
class Sheet:
    """A card as one message."""

    card: Card
    detail: Detail = Detail.FULL

    @property
    def running(self) -> bool:
        """Whether the case goes on; its end must not wait behind what only shows progress."""
        return self.card.case.open

    def content(self) -> dict[str, Any]:
        """The blocks, and a line for notifications, which is all there is without blocks."""
        text = notification(self.card.case)
        if self.detail is Detail.WORDS:
            return {"text": text}
        return {"text": text, "blocks": render(self.card) if self.detail is Detail.FULL else render_short(self.card)}


def render(card: Card) -> list[Block]:
    """The whole card: at most six blocks."""
    return [*describe(card), _actions(card)]


def describe(card: Card) -> list[Block]:
    """The card without its buttons."""
    case = card.case
    texts = ["\n".join(_facts(card)), _progress(card.progress), "\n".join(_storm(case)), _links(card)]
    return [
        {"type": "header", "text": _plain(_headline(case))},
        *({"type": "section", "text": _mrkdwn(text)} for text in texts if text.strip()),
    ]


def render_short(card: Card) -> list[Block]:
    """One line and the buttons, in which there is nothing that Slack could dislike."""
    return [{"type": "section", "text": _plain(_headline(card.case))}, _actions(card)]


def notification(case: Case) -> str:
    """One line for a phone's notification and for screen readers."""
    where = ", ".join(_names([_service(each) for each in case.incidents])) or "service unknown"
    return plain(f"{_headline(case)} · {where}", NOTIFICATION_LIMIT)


# --- What it says ----------------------------------------------------------------------------------------------------

UNTITLED = "an incident without a title"
_WORDS = {
    IncidentStatus.TRIGGERED: "Firing",
    IncidentStatus.ACKNOWLEDGED: "Acknowledged",
    IncidentStatus.RESOLVED: "Resolved",
}


def _headline(case: Case) -> str:
    """The state in a sign and a word, how many incidents, and what the first is called."""
    status, count = _status(case), len(case.incidents)
    word = _WORDS[status]
    if count > 1:
        word = f"{'Still firing' if status is IncidentStatus.TRIGGERED else word} ×{count}"  # noqa: RUF001
    title = one_line(case.first.title, HEADER_LIMIT) if case.incidents else ""
    return cut(defuse(f"{_sign(status, case.urgency)} {word}: {title or UNTITLED}"), HEADER_LIMIT)


def _sign(status: IncidentStatus, urgency: Urgency) -> str:
    if status is IncidentStatus.TRIGGERED:
        return "🔴" if urgency is Urgency.HIGH else "🟠"
    return "🟡" if status is IncidentStatus.ACKNOWLEDGED else "✅"


def _status(case: Case) -> IncidentStatus:
    """Firing while one incident is, acknowledged while somebody has all that are open."""
    found = {each.status for each in case.incidents}
    return next(status for status in IncidentStatus if status in found or status is IncidentStatus.RESOLVED)


def _facts(card: Card) -> Iterator[str]:
    case = card.case
    current = [each for each in case.incidents if each.open] or case.incidents
    where = literal(", ".join(_names([_service(each) for each in case.incidents]))) or "service unknown"
    urgency = "*high* urgency" if case.urgency is Urgency.HIGH else "low urgency"
    # PagerDuty's own priorities, P1 to P5, sort by weight.
    priority = min((name for each in current if (name := one_line(each.priority, NAME_LIMIT))), default="")
    yield " · ".join([f"*{where}*", urgency, *([literal(priority)] if priority else [])])
    people = _names([person for each in current for person in each.assignees])
    yield _times(case) + (f" · with {literal(', '.join(people))}" if people else "")
    if owner := one_line(card.owner, NAME_LIMIT):
        escalation = one_line(card.escalation, NAME_LIMIT)
        yield f"Owner {literal(owner)}" + (f" · {literal(escalation)}" if escalation else "")


def _times(case: Case) -> str:
    """Since when, or until when and for how long."""
    opened = [each.opened_at for each in case.incidents if each.open or not case.open]
    begun = min(opened, default=case.opened_at)
    if case.open:
        return f"Since {date(begun)}"
    ended = max((each.resolved_at for each in case.incidents if each.resolved_at), default=case.closed_at or begun)
    return f"Resolved {date(ended)} after *{duration(ended - begun)}*"


def _progress(text: str) -> str:
    words = to_mrkdwn(one_line(text, PROGRESS_LIMIT))
    return f"🔎 {words}" if words.strip() else ""


def _storm(case: Case) -> Iterator[str]:
    """The incidents of a storm, newest last; the open ones first, should there be more than are shown."""
    count = len(case.incidents)
    if count < 2:
        return
    still_open = sum(each.open for each in case.incidents)
    yield f"*{still_open} of {count} pages still open*" if still_open else f"*All {count} pages resolved*"
    by_weight = sorted(range(count), key=lambda number: (case.incidents[number].open, number))
    shown = sorted(by_weight[-ROWS_SHOWN:])
    yield from (_row(case.incidents[number]) for number in shown)
    if count > len(shown):
        yield f"_and {count - len(shown)} more_"


def _row(incident: Incident) -> str:
    """An incident of a storm; without its address, or shorter, where it would not fit."""
    sign, word = _sign(incident.status, incident.urgency), _WORDS[incident.status].lower()
    title = one_line(incident.title, TITLE_LIMIT) or UNTITLED
    services = [name for name in _names([_service(incident)]) if name not in title]  # a phone's line is short
    tail = " · ".join([*map(literal, services), word])
    linked = link(title, incident.url) if _is_web(incident.url) else literal(title)
    rows = [f"{sign} {text} · {tail}" for text in (linked, literal(title), literal(one_line(title, TITLE_LIMIT // 4)))]
    return next((row for row in rows if len(row) <= ROW_LIMIT), f"{sign} {word}")


def _links(card: Card) -> str:
    """What can be opened; an address that would not fit is left out, since half of one leads nowhere."""
    links = ""
    for label, address in card.links.items():
        more = link(one_line(label, NAME_LIMIT) or "Open", address) if _is_web(address) else ""
        longer = f"{links} · {more}" if links else more
        links = longer if more and len(longer) <= LINKS_LIMIT else links
    return links


def _actions(card: Card) -> Block:
    case = card.case
    buttons = [_button(case, INVESTIGATE, "Investigate", "Ask the bot to investigate these incidents now")]
    if card.can_acknowledge and _status(case) is IncidentStatus.TRIGGERED:
        told = _button(case, ACKNOWLEDGE, "Acknowledge", "Acknowledge these incidents in PagerDuty")
        buttons.insert(0, {**told, "style": "primary"})
    if card.can_silence and case.open:
        quiet = _button(case, SILENCE, "Silence for an hour", "Silence whoever pages for these incidents for an hour")
        buttons.append({**quiet, "confirm": _CONFIRM})
    return {"type": "actions", "elements": buttons}


def _button(case: Case, action: str, text: str, label: str) -> Block:
    return {
        "type": "button",
        "action_id": action,
        "value": str(case.id),
        "text": {"type": "plain_text", "text": text},
        "accessibility_label": label,
    }


_CONFIRM = {
    "title": {"type": "plain_text", "text": "Silence for an hour?"},
    "text": {"type": "plain_text", "text": "Nobody is paged again for what is on this card until then."},
    "confirm": {"type": "plain_text", "text": "Silence"},
    "deny": {"type": "plain_text", "text": "Cancel"},
}


def _service(incident: Incident) -> str:
    return incident.service or incident.service_label


def _names(names: Sequence[str]) -> list[str]:
    """Different names in the order of their coming, and how many more there are."""
    different = list(dict.fromkeys(line for name in names if (line := one_line(name, NAME_LIMIT))))
    rest = len(different) - NAMES_SHOWN
    return different[:NAMES_SHOWN] + ([f"{rest} more"] if rest > 0 else [])


def _is_web(address: str) -> bool:
    return address.strip().lower().startswith(("https://", "http://"))


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def _mrkdwn(text: str) -> Block:
    """Mrkdwn in which Slack makes no links and mentions of its own."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


# --- What its buttons do ---------------------------------------------------------------------------------------------


def register(app: AsyncApp, paging: Paging, door: Door) -> None:
    """Bind the buttons. Whoever may speak to the bot may use them; the answer is seen by that person alone.

    Args:
        app: the Bolt app.
        paging: does what is asked.
        door: keeps out who may not speak.
    """
    _bind(app, ACKNOWLEDGE, paging.acknowledge, door)
    _bind(app, INVESTIGATE, paging.investigate, door)
    _bind(app, SILENCE, paging.silence, door)


def _bind(app: AsyncApp, action: str, do: Callable[[int, str], Awaitable[str]], door: Door) -> None:
    @app.action(action)
    async def on_click(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        # Not in the card's thread: Slack shows such a message in a thread only where others have written in it.
        event = clicked(body)
        sentence = await door.refuse(event, {"team_id": body["team"]["id"]})
        if not sentence:
            sentence = await _do(do, number_clicked(body), event["user"])
        await door.tell(event, to_mrkdwn(sentence))


async def _do(do: Callable[[int, str], Awaitable[str]], case_id: int, person: str) -> str:
    try:
        return await do(case_id, person)
    except SreBotError as error:
        log.warning("case %s: what %s clicked was not done: %s", case_id, person, error)
        return str(error)
