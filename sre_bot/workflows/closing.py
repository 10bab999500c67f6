"""Closing an incident out: what is offered once the figures have recovered, and what the click on it asks the agent.

Nothing is published or resolved here. The click asks for a draft, which the agent proposes as one call; that call is
sealed, shown and decided on like every other, and the timeline in it is code's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sre_bot.errors import BadRequest
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import UNFINISHED, Approval, ApprovalState
from sre_bot.incidents.paging import Urgency
from sre_bot.incidents.record import Record
from sre_bot.tools.publishing import link_in
from sre_bot.tools.timeline import RECOVERED
from sre_bot.workflows.cases import Desk
from sre_bot.workflows.people import Prompt

CLOSE = "close"
"""Begins the name of the turns that a click asks for: `close:{approval}:{number}`."""
MOST = 10  # incidents that one click asks to resolve; a person has to read them

OPENING = "Close out this incident."
"""How every request to close out begins."""
WRITE = (
    "Call confluence_create_postmortem once, with title, summary, impact, root_cause, what_went_well and action_items "
    "from what was found in this thread. Leave timeline out: it is taken from the record, as are durations, who "
    "approved what, and the figures before and after; resolution may say in a sentence what put it right."
)
WRITE_AND_RESOLVE = f'{WRITE} Give resolve_incident="{{incidents}}": these are resolved after the page, with its link.'
RESOLVE = (
    'Call pagerduty_update_incident once, with incident="{incident}", action="resolve" and a note of one or two '
    "sentences: what broke, and what put it right."
)
ASKED = "It was asked for by {person}, with the button on proposal #{number}."
DECIDED = "A person decides on the call. Say before it, in one sentence, what you propose."
OFFER = (
    "Tell people of the button “{button}” on the card of proposal #{number}, with which they ask you to propose that; "
    "do not propose it unasked. Where a person asks for it in words: "
)


@dataclass(frozen=True, slots=True)
class Todo:
    """What is left to do: whether to publish, and which PagerDuty incidents to resolve."""

    publish: bool
    incidents: tuple[str, ...]

    @property
    def button(self) -> str:
        """What the button says; empty where nothing is left."""
        if self.publish:
            return "Write the post-mortem and resolve …" if self.incidents else "Write the post-mortem …"
        return "Resolve in PagerDuty …" if self.incidents else ""

    @property
    def order(self) -> str:
        """The call that does it, for the agent."""
        if self.publish and self.incidents:
            return WRITE_AND_RESOLVE.format(incidents=",".join(self.incidents))
        return WRITE if self.publish else RESOLVE.format(incident=self.incidents[0])


NOTHING = Todo(publish=False, incidents=())


class Closing:
    """Offers and asks.

    Args:
        ledger: knows what was proposed, published and paged.
        desk: asks the agent.
        team: id of the Slack workspace.
        publishes: whether Confluence is configured.
        resolves: whether PagerDuty is.
    """

    def __init__(self, ledger: Ledger, desk: Desk, team: str, *, publishes: bool, resolves: bool) -> None:
        self._ledger = ledger
        self._desk = desk
        self._team = team
        self._publishes = publishes
        self._resolves = resolves

    async def button(self, approval: Approval) -> str:
        """What the button on a proposal's card says; empty where none is to be there."""
        return (await self._todo(approval))[0].button

    async def words(self, approval: Approval) -> str:
        """What the agent is told of the offer, with the verdict; empty where nothing is offered."""
        todo, _ = await self._todo(approval)
        if not todo.button:
            return ""
        return OFFER.format(button=todo.button, number=approval.id) + todo.order

    async def close_out(self, approval_id: int, person: str) -> str:
        """Ask the agent to propose what closes the incident out; gives one sentence for the person who clicked.

        Raises:
            BadRequest: it cannot be asked; says why.
            LedgerError: it is not recorded.
        """
        approval = await self._ledger.approvals.get(approval_id)
        if approval is None or not approval.verdict:
            raise BadRequest(f"There is no proposal #{approval_id} whose figures were compared.")
        todo, record = await self._todo(approval)
        if not todo.button:
            link = link_in(record)
            return f"Nothing is left to close out here.{f' The post-mortem is {link}' if link else ''}"
        if waiting := _waiting(record):
            return f"Proposal #{waiting.id} comes first: see this thread."
        asked = [turn for turn in record.turns if turn.prompt_ts.startswith(f"{CLOSE}:")]
        if not any(turn.state in UNFINISHED for turn in asked):
            # Of two clicks at once both find the same number of turns, and one of them becomes a turn.
            text = " ".join([OPENING, ASKED.format(person=person, number=approval.id), todo.order, DECIDED])
            name = f"{CLOSE}:{approval.id}:{len(asked) + 1}"
            await self._desk.ask(Prompt(self._team, approval.channel, approval.thread_ts, name, "", text), Urgency.HIGH)
        return "I draft it: the proposal comes in the thread, and a person decides on it."

    async def _todo(self, approval: Approval) -> tuple[Todo, Record]:
        record = await self._ledger.records.of_thread(approval.channel, approval.thread_ts)
        judged = [each for each in record.approvals if each.verdict]
        # What was said last of the figures counts, whichever card somebody scrolls back to.
        if not judged or judged[-1].id != approval.id or not judged[-1].verdict.startswith(RECOVERED):
            return NOTHING, record
        incidents = record.case.incidents if record.case and self._resolves else ()
        waiting = tuple(each.key.removeprefix("pd:") for each in incidents if each.source == "pd" and each.open)
        return Todo(self._publishes and not link_in(record), waiting[:MOST]), record


def _waiting(record: Record) -> Approval | None:
    """A proposal of the thread that is undecided, or being carried out."""
    now = datetime.now(UTC)
    for each in record.approvals:
        undecided = each.state in (ApprovalState.PROPOSED, ApprovalState.PENDING) and each.expires_at > now
        under_way = each.state in (ApprovalState.APPROVED, ApprovalState.EXECUTING, ApprovalState.CONSUMED)
        if (undecided or under_way) and not each.applied:  # else no conversation waits for it
            return each
    return None
