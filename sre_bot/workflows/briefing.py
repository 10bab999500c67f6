"""`catch up`: what a thread comes to, for whoever joins late. Written by code from records; no model is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sre_bot.errors import BadRequest
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState, Turn, TurnState
from sre_bot.incidents.paging import Case, IncidentStatus
from sre_bot.workflows.cases import CaseWork
from sre_bot.workflows.findings import Findings, read_findings
from sre_bot.workflows.overview import waits
from sre_bot.workflows.people import Card

MOST = 5  # questions and proposals that are told of, the newest
NOTHING = (
    "I take no part here yet, so there is nothing to catch up on. Write `catch up` in the thread of an incident: my "
    "Home tab lists those that are open."
)
UNDER_WAY = frozenset({ApprovalState.APPROVED, ApprovalState.EXECUTING, ApprovalState.CONSUMED})


class Names(Protocol):
    """Knows who may decide, and what people are called."""

    async def words(self) -> str:
        """Who may decide; empty where nobody may."""

    async def name(self, person: str) -> str:
        """What a person is called."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, and what became of it; without `by` and `text` the bot asked itself, because it was paged."""

    by: str
    at: datetime
    text: str
    state: TurnState


@dataclass(frozen=True, slots=True)
class Decided:
    """One proposal, who decided on it, and when; `by` is empty where nobody did."""

    approval: Approval
    by: str


@dataclass(frozen=True, slots=True)
class Wait:
    """What waits, for whom; `until` and `since` are moments where they are known."""

    what: str
    until: datetime | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a thread comes to.

    Attributes:
        card: the incident whose card begins the thread; None in a thread that a person began.
        asked: the newest questions, oldest first; `asked_in_all` is how many there were.
        findings: what the answers come to.
        proposals: the newest proposals, oldest first.
        waiting: what waits, and for whom.
    """

    card: Card | None
    asked: Sequence[Asked]
    asked_in_all: int
    findings: Findings
    proposals: Sequence[Decided]
    waiting: Sequence[Wait]


class Briefings:
    """Writes them.

    Args:
        ledger: what was recorded.
        cases: describes an incident as its card does.
        names: what people are called.
    """

    def __init__(self, ledger: Ledger, cases: CaseWork, names: Names) -> None:
        self._ledger = ledger
        self._cases = cases
        self._names = names

    async def of(self, channel: str, thread_ts: str) -> Briefing:
        """The briefing of a thread.

        Raises:
            BadRequest: there is nothing to tell; says what to do.
            LedgerError: the ledger cannot be read.
        """
        case = await self._ledger.cases.at(channel, thread_ts)
        thread = await self._ledger.find_thread(channel, thread_ts)
        turns = await self._ledger.turns_of(thread.id) if thread else []
        approvals = await self._ledger.approvals.of_thread(channel, thread_ts)
        shown = [each for each in approvals if each.state is not ApprovalState.PROPOSED]
        if not (case or turns or shown):
            raise BadRequest(NOTHING)
        questions = [turn for turn in turns if is_question(turn)]
        decided = [Decided(each, await self._named(each.decided_by)) for each in shown[-MOST:]]
        return Briefing(
            card=await self._cases.describe(case) if case else None,
            asked=[await self._asked(turn) for turn in questions[-MOST:]],
            asked_in_all=len(questions),
            findings=read_findings(turns),
            proposals=decided,
            waiting=waiting(case, turns, shown, await self._names.words(), datetime.now(UTC)),
        )

    async def _asked(self, turn: Turn) -> Asked:
        by_itself = "with the button on the card" if turn.prompt_ts.startswith("click:") else ""
        text = turn.prompt if turn.author else by_itself
        return Asked(await self._named(turn.author), turn.created_at, text, turn.state)

    async def _named(self, person: str) -> str:
        return await self._names.name(person) if person else ""


def is_question(turn: Turn) -> bool:
    """Whether somebody asked: a person, in words or by a button, or the bot because it was paged."""
    return bool(turn.author) or turn.prompt_ts.startswith(("auto:", "click:"))


def waiting(
    case: Case | None, turns: Sequence[Turn], approvals: Sequence[Approval], approvers: str, now: datetime
) -> list[Wait]:
    """What waits, and for whom: decisions first, since people are waited for."""
    found = [
        Wait(f"Proposal #{each.id} waits for {approvers or 'somebody to be named in SLACK_APPROVERS'}", each.expires_at)
        for each in approvals
        if waits(each, now)
    ]
    found += [Wait(f"Proposal #{each.id} is being carried out") for each in approvals if each.state in UNDER_WAY]
    found += [
        Wait(f"The figures after proposal #{each.id} are still being compared", since=each.ended_at)
        for each in approvals
        if each.state is ApprovalState.SUCCEEDED and each.plan.watch and not each.verdict
    ]
    running = [turn for turn in turns if turn.state is TurnState.RUNNING]
    queued = [turn for turn in turns if turn.state is TurnState.QUEUED]
    if running:
        found.append(Wait("I am investigating", since=running[0].started_at))
    if queued:
        found.append(Wait(f"{_count(len(queued), 'question')} to me {'wait' if len(queued) > 1 else 'waits'} in line"))
    new = [each for each in case.incidents if each.status is IncidentStatus.TRIGGERED] if case else []
    if new:
        people = ", ".join(dict.fromkeys(person for each in new for person in each.assignees))
        what = f"{_count(len(new), 'page')} {'wait' if len(new) > 1 else 'waits'} to be acknowledged"
        found.append(Wait(what + (f" by {people}" if people else ""), since=min(each.opened_at for each in new)))
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
