"""The life of a proposal: shown, decided once by a person who may, carried out, and its outcome shown.

The decision is one UPDATE in the ledger. What follows is a workflow that does what the row asks for: show the card, let
the agent's conversation go on, where the very call that was sealed is asked about again. Nothing here runs a tool. A
rollback has no conversation: it is offered on the card of the act that it takes back, and carried out by `rollback.py`.
"""

import contextlib
import logging
from datetime import UTC, datetime
from typing import Protocol

from sre_bot.agent.approvals import Seal
from sre_bot.errors import BadRequest, LedgerError, SreBotError
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState, IllegalMove
from sre_bot.incidents.paging import Urgency
from sre_bot.tools.planning import Planner
from sre_bot.workflows.closing import Closing
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.people import Attachments, Prompt, ProposalBoard, ProposalCard
from sre_bot.workflows.rollback import UNKNOWN
from sre_bot.workflows.turns import Turns

log = logging.getLogger(__name__)

ACT = "act"
"""Name of the workflow that does what a proposal asks for: `approval_id`."""

UNAPPLIED = frozenset({ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXECUTING, ApprovalState.CONSUMED})
DECIDED = frozenset({ApprovalState.APPROVED, ApprovalState.REJECTED})
ENDED = frozenset({ApprovalState.SUCCEEDED, ApprovalState.FAILED})

LOOK_EVERY = 15.0  # seconds between two looks at a change that goes on although the run that began it is over
LONGEST = 660.0  # seconds after which such a change is over, above every tool's own deadline


class Electorate(Protocol):
    """Who may decide."""

    async def words(self) -> str:
        """Who may, by name; empty where nobody may."""

    async def name(self, person: str) -> str:
        """What a person is called."""

    async def refuse(self, person: str) -> str:
        """Why a person may not decide; empty where they may."""


class Verification(Protocol):
    """Proves by figures what a change did."""

    async def sample(self, approval: Approval) -> dict[str, float]:
        """The figures that count, now, before the change; raises BackendError."""

    async def schedule(self, approval: Approval) -> None:
        """See that the figures are compared once the change has had its time; raises LedgerError."""


class Execution(Protocol):
    """Carries out what no conversation waits for."""

    async def schedule(self, approval: Approval) -> None:
        """See that an approved rollback is carried out; raises LedgerError."""


class Proposals:
    """Shows, decides and follows up.

    Args:
        ledger: keeps the proposals.
        engine: runs the workflow; `define` must come before its `open`.
        board: shows cards.
        turns: lets conversations go on.
        seal: waits for decisions.
        planner: makes the plan again, to see whether it would still be the same.
        electorate: who may decide.
        verification: compares figures; None where nothing is verified.
        attachments: shows in full what no card can hold.
        rollbacks: carries rollbacks out.
        team: id of the Slack workspace.
        boot: names this process's life.
        look_every: seconds between two looks at a change that goes on by itself.
        longest: seconds after which none goes on any more.
        closing: says what is offered after a recovery; None where nothing is.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        board: ProposalBoard,
        turns: Turns,
        seal: Seal,
        planner: Planner,
        electorate: Electorate,
        verification: Verification | None,
        attachments: Attachments,
        rollbacks: Execution,
        *,
        team: str,
        boot: str,
        look_every: float = LOOK_EVERY,
        longest: float = LONGEST,
        closing: Closing | None = None,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._board = board
        self._turns = turns
        self._seal = seal
        self._planner = planner
        self._electorate = electorate
        self._verification = verification
        self._attachments = attachments
        self._rollbacks = rollbacks
        self._team = team
        self._boot = boot
        self._look_every = look_every
        self._longest = longest
        self._closing = closing

    def define(self) -> None:
        """Make the workflow known to the engine."""
        self._engine.define(ACT, self.advance)

    async def open(self) -> None:
        """See to what was pending or decided when the process before this one ended.

        Raises:
            LedgerError: not all of it could be looked at.
        """
        for approval in await self._ledger.approvals.unfinished():
            if approval.state is not ApprovalState.PROPOSED:
                await self._see_to(approval, f"again:{self._boot}")
            if approval.state is ApprovalState.PENDING:
                await self._await_expiry(approval)

    async def proposed(self, tool_use_id: str) -> None:
        """A run ended with this call deferred: only now may people see it.

        Raises:
            LedgerError: it is not recorded, and will never be shown; the model is asked again.
        """
        await self._ledger.approvals.move(tool_use_id, ApprovalState.PENDING)
        approval = await self._ledger.approvals.find(tool_use_id)
        if approval:
            await self._see_to(approval, "card")
            await self._await_expiry(approval)

    async def holds_up(self, channel: str, thread_ts: str) -> str:
        """Why a thread's conversation may not go on with something else now; empty where it may."""
        for approval in await self._ledger.approvals.of_thread(channel, thread_ts):
            if approval.rolls_back is not None:
                continue
            undecided = approval.state is ApprovalState.PENDING and approval.expires_at > datetime.now(UTC)
            unread = not approval.applied and approval.state in (UNAPPLIED | DECIDED) - {ApprovalState.PENDING}
            if undecided or unread:
                return f"I answer this when proposal #{approval.id} above is decided; rejecting it is enough."
        return ""

    async def decide(
        self, approval_id: int, person: str, *, approve: bool, reason: str = "", thread: str = "", card: str = ""
    ) -> str:
        """Take a person's decision; gives one sentence for them.

        Args:
            approval_id: the number on the card.
            person: Slack's id.
            approve: yes or no.
            reason: why not; the model reads it.
            thread: `channel/timestamp` where it was typed or clicked: it counts in the proposal's own thread only.
            card: timestamp of the message whose button was clicked: it counts on the proposal's own card only.

        Raises:
            BadRequest: it is not taken; says why.
            LedgerError: it is not recorded, so it does not count.
        """
        approval = await self._ledger.approvals.get(approval_id)
        if approval is None or (thread and thread != f"{approval.channel}/{approval.thread_ts}"):
            raise BadRequest(f"There is no proposal #{approval_id} here.")
        if card and not await self._hangs_on(approval, card):
            raise BadRequest(f"That is not the card of proposal #{approval_id}, so nothing was decided. Use its card.")
        if why := await self._electorate.refuse(person):
            log.warning("proposal %d: a decision of %s was refused", approval_id, person)
            raise BadRequest(why)
        await self._check_in_time(approval)
        before: dict[str, float] = {}
        if approve and approval.state is ApprovalState.PENDING:
            await self._check_unchanged(approval)
            before = await self._sample(approval)
        to = ApprovalState.APPROVED if approve else ApprovalState.REJECTED
        try:
            first = await self._ledger.approvals.move(approval.tool_use_id, to, by=person, reason=reason)
        except IllegalMove as error:
            now = await self._ledger.approvals.get(approval_id) or approval
            raise BadRequest(f"Proposal #{approval_id} is {now.state} already; nothing was changed by this.") from error
        log.info("proposal %d was %s by %s", approval_id, to, person)
        if first and before:  # whoever comes second may have sampled after the change
            await self._keep(approval_id, before)
        # The workflow is what makes sure; whoever clicked need not wait until the engine looks at its queue.
        await self._engine.start(ACT, approval_id, key=f"act:{approval_id}", partition=str(approval.act))
        self._seal.decided(approval.tool_use_id)
        await self._go_on(await self._get(approval_id))
        done = "approved; it runs now" if approve else "rejected"
        return f"Proposal #{approval_id} is {done}." if first else f"Proposal #{approval_id} was {to} already."

    async def _hangs_on(self, approval: Approval, card: str) -> bool:
        """Whether a message is the card of a proposal, or of the act that it takes back; yes, while none is known."""
        acts = [approval, *([await self._get(approval.rolls_back)] if approval.rolls_back is not None else [])]
        known = {act.card_ts for act in acts} - {""}
        return not known or card in known

    async def advance(self, approval_id: int) -> None:
        """The workflow: whatever the proposal asks for by now."""
        boot = await self._engine.remember("intent", self._boot)
        shown: ApprovalState | None = None

        async def show(tried: int) -> None:
            nonlocal shown
            shown = (await self._get(approval_id)).state
            await self._show(approval_id, search=tried > 0 or boot != self._boot)

        async def go_on(_tried: int) -> None:
            approval = await self._get(approval_id)
            await self._go_on(approval)
            if approval.state in ENDED and shown not in ENDED:  # it ended meanwhile: who comes back for that card?
                await self._see_to(approval, "ended")

        await self._engine.step("show", show)
        await self._engine.step("go on", go_on)

    async def applied(self, approval_id: int, *, ran: bool) -> None:
        """The run that a decision began is over; `ran` is False where the agent could not even be asked.

        Raises:
            LedgerError: not all of it is recorded; it may be told once more.
        """
        approval = await self._get(approval_id)
        if not ran and approval.state is ApprovalState.APPROVED:
            # It would else be let through by whatever resumes the conversation next, when nobody expects it.
            await self._void(approval, "the agent could not be resumed")
        elif approval.state is ApprovalState.EXECUTING:
            # What the tool process has not taken by now it must never take: nobody would see to its outcome.
            await self._void(approval, "the run ended before the call began")
        await self._ledger.approvals.note(approval_id, applied=True)
        await self._see_to(approval, "outcome")
        await self.offer_anew(approval.channel, approval.thread_ts, str(approval.id))

    async def _void(self, approval: Approval, reason: str) -> None:
        with contextlib.suppress(IllegalMove):  # the call has begun at this moment: its outcome is looked for
            await self._ledger.approvals.move(approval.tool_use_id, ApprovalState.EXPIRED, reason=reason)

    async def offer_anew(self, channel: str, thread_ts: str, after: str) -> None:
        """Show once more what cards of a thread offer: it may be done by now.

        Raises:
            LedgerError: not all of them will be.
        """
        for each in await self._ledger.approvals.of_thread(channel, thread_ts):
            if each.verdict:
                await self._see_to(each, f"after:{after}")

    async def outcome(self, approval_id: int) -> str:
        """What became of a decided call, for a conversation that was interrupted while it ran."""
        approval = await self._get(approval_id)
        recorded = f" Its recorded outcome: {approval.outcome}" if approval.outcome else ""
        return f"Proposal #{approval.id} ({approval.plan.summary}) is {approval.state}.{recorded}"

    async def _show(self, approval_id: int, *, search: bool) -> None:
        approval = await self._get(approval_id)
        if approval.state is ApprovalState.PENDING and approval.expires_at <= datetime.now(UTC):
            await self._expire(approval, "nobody decided in time")
        if approval.rolls_back is not None:
            await self._show_card(await self._get(approval.rolls_back), search=search)
            if not approval.decided_by or approval.state is ApprovalState.REJECTED:
                return  # it has no card of its own before somebody wants it
        elif approval.state is ApprovalState.PENDING and not approval.card_ts:
            await self._show_whole(approval)
        await self._show_card(approval, search=search)

    async def _show_whole(self, approval: Approval) -> None:
        """Before a card that has to cut something is there, a file has all of it; or nobody may decide on it."""
        if why := await self._attachments.file_proposal(approval):
            await self._expire(approval, f"{why} What nobody can read whole nobody may approve")

    async def _show_card(self, approval: Approval, *, search: bool) -> None:
        shown = await self._board.show_proposal(lambda: self._card(approval.id), search=search)
        if shown != approval.card_ts:
            await self._ledger.approvals.note(approval.id, card_ts=shown)

    async def _go_on(self, approval: Approval) -> None:
        """After a decision, let the conversation go on, or roll back; after a change, see that it is verified."""
        if approval.rolls_back is not None:
            await self._rollbacks.schedule(approval)
        elif approval.state in DECIDED | {ApprovalState.EXECUTING} and not approval.applied:
            prompt = Prompt(self._team, approval.channel, approval.thread_ts, f"act:{approval.id}", "", "")
            await self._turns.ask(prompt, Urgency.HIGH)
        if self._verification and approval.state is ApprovalState.SUCCEEDED and not approval.verdict:
            await self._verification.schedule(approval)
        if approval.state is ApprovalState.CONSUMED and approval.consumed_at and approval.rolls_back is None:
            await self._look_later(approval, (datetime.now(UTC) - approval.consumed_at).total_seconds())

    async def _look_later(self, approval: Approval, age: float) -> None:
        """See to a change whose outcome nobody waits for any more: the client gave up, or the bot died meanwhile."""
        if age > self._longest:
            with contextlib.suppress(IllegalMove):  # it has just told how it went
                await self._ledger.approvals.move(approval.tool_use_id, ApprovalState.FAILED, outcome=UNKNOWN)
            await self._see_to(approval, "unknown")
            return
        key = f"act:{approval.id}:look:{int(age / self._look_every)}"
        await self._engine.start(ACT, approval.id, key=key, partition=str(approval.act), delay=self._look_every)

    async def _get(self, approval_id: int) -> Approval:
        approval = await self._ledger.approvals.get(approval_id)
        if approval is None:
            raise BadRequest(f"There is no proposal #{approval_id}.")
        return approval

    async def _card(self, approval_id: int) -> ProposalCard:
        approval = await self._get(approval_id)
        decider = await self._electorate.name(approval.decided_by) if approval.decided_by else ""
        way_back = await self._ledger.approvals.rollback_of(approval_id)
        offer = await self._closing.button(approval) if self._closing and approval.verdict else ""
        return ProposalCard(approval, await self._electorate.words(), decider, way_back, offer)

    async def _await_expiry(self, approval: Approval) -> None:
        """See to it when its time is up; a second time this changes nothing."""
        left = (approval.expires_at - datetime.now(UTC)).total_seconds() + 1
        key = f"act:{approval.id}:expiry"
        await self._engine.start(ACT, approval.id, key=key, partition=str(approval.act), delay=max(1.0, left))

    async def _see_to(self, approval: Approval, why: str) -> None:
        await self._engine.start(ACT, approval.id, key=f"act:{approval.id}:{why}", partition=str(approval.act))

    async def _expire(self, approval: Approval, reason: str) -> bool:
        """Void what nobody has decided; False where somebody has meanwhile: that stands."""
        call, void = approval.tool_use_id, ApprovalState.EXPIRED
        try:
            if await self._ledger.approvals.move(call, void, reason=reason, only_from=ApprovalState.PENDING):
                await self._see_to(approval, "expired")
        except IllegalMove:
            log.info("proposal %d was decided while it expired", approval.id)
            return False
        return True

    async def _check_in_time(self, approval: Approval) -> None:
        late = approval.state is ApprovalState.PENDING and approval.expires_at <= datetime.now(UTC)
        if late and await self._expire(approval, "nobody decided in time"):
            raise BadRequest(f"Proposal #{approval.id} has expired. Nothing was executed; ask me to propose it again.")

    async def _check_unchanged(self, approval: Approval) -> None:
        """A file that is another by now voids the proposal: what was shown is not what would happen."""
        if approval.file_hash is None:
            return
        try:
            plan, file_hash = self._planner.plan(approval.tool, approval.arguments)
        except SreBotError as error:
            if not await self._expire(approval, f"it could not be carried out any more: {error}"):
                return
            raise BadRequest(f"Proposal #{approval.id} is void: {error} Nothing was executed.") from error
        changed = file_hash != approval.file_hash or plan.diff != approval.plan.diff
        if changed and await self._expire(approval, "the file was changed after the proposal was shown"):
            raise BadRequest(
                f"Proposal #{approval.id} is void: the file is another than the one that was shown. Nothing was "
                "executed; ask me to propose it again."
            )

    async def _sample(self, approval: Approval) -> dict[str, float]:
        if self._verification is None or not approval.plan.watch:
            return {}
        try:
            return await self._verification.sample(approval)
        except SreBotError as error:
            log.warning("proposal %d: no figures from before: %s", approval.id, error)
            return {}

    async def _keep(self, approval_id: int, before: dict[str, float]) -> None:
        try:
            await self._ledger.approvals.note(approval_id, before=before)
        except LedgerError as error:
            log.warning("proposal %d: the figures from before are not kept: %s", approval_id, error)
