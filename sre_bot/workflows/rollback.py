"""The sealed way back, one click away where the figures have not recovered after an approved change.

It is an approval of its own, made by code from the plan of the act that it takes back, stored before its button is
shown, and decided like every other. No model is asked: the bot lets the call through, `approved → executing`, and
starts the tool process, which uses the approval up. Whatever the call comes to, an approval that nobody took is void
afterwards; one that was taken runs once in all processes, so that every step may be done again after a crash.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from sre_bot.errors import LedgerError, SreBotError, ToolsUnavailable
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState, IllegalMove, Proposal
from sre_bot.incidents.paging import Urgency
from sre_bot.incidents.plan import Way
from sre_bot.tools.planning import Planner
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.people import Attachments, Prompt
from sre_bot.workflows.turns import Turns

log = logging.getLogger(__name__)

ROLLBACK = "rollback"
"""Name of the workflow that carries a rollback out: `approval_id`."""
LOOK_EVERY = 1.0  # seconds between two looks at a call that another process carries out
LONGEST = timedelta(minutes=11)
"""Of a call that the tool process took, above the longest deadline of a tool: later nobody will say its outcome."""
UNKNOWN = (
    "The process that carried this out ended before it recorded how that went, so the outcome is unknown: it may have "
    "taken effect, wholly or in part. Look before you repeat it."
)

UNDER_WAY = frozenset({ApprovalState.APPROVED, ApprovalState.EXECUTING, ApprovalState.CONSUMED})
CHANGED = "No rollback is offered: the file was changed since, so that it would take back more than this."


class Hand(Protocol):
    """Calls a tool without a model."""

    async def call(self, tool: str, arguments: Mapping[str, Any], tool_use_id: str) -> str:
        """The answer in words; raises ToolsUnavailable."""


class Rollbacks:
    """Seals and carries out.

    Args:
        ledger: keeps the approvals.
        engine: runs the workflow; `define` must come before its `open`.
        planner: makes the plan of the way back.
        attachments: shows in full what no card can hold.
        hand: calls the tool.
        turns: tells the agent.
        expires: how long a rollback may be decided.
        act: name of the workflow that shows an approval and sees to what follows.
        team: id of the Slack workspace.
        longest: after which a call that was taken has no outcome any more.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        planner: Planner,
        attachments: Attachments,
        hand: Hand,
        turns: Turns,
        *,
        expires: timedelta,
        act: str,
        team: str,
        longest: timedelta = LONGEST,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._planner = planner
        self._attachments = attachments
        self._hand = hand
        self._turns = turns
        self._expires = expires
        self._act = act
        self._team = team
        self._longest = longest

    def define(self) -> None:
        """Make the workflow known to the engine."""
        self._engine.define(ROLLBACK, self.carry_out)

    async def offer(self, approval: Approval) -> str:
        """Seal the way back of an act, once, so that its card can show a button; gives why there is none, in words.

        Raises:
            BackendError, LedgerError: try again.
        """
        way = approval.plan.way_back
        if way is None or approval.rolls_back is not None:
            return ""  # the plan has said so already; and what is taken back is not brought again
        found = await self._ledger.approvals.rollback_of(approval.id)
        if found is None:
            proposal, why = await asyncio.to_thread(self._seal, approval, way)
            if proposal is None:
                return why
            found = await self._ledger.approvals.propose(proposal)
        if found.state is ApprovalState.PROPOSED:
            if why := await self._attachments.file_proposal(found):
                await self._ledger.approvals.move(found.tool_use_id, ApprovalState.EXPIRED, reason=why)
                return f"No rollback is offered: {why}"
            await self._ledger.approvals.move(found.tool_use_id, ApprovalState.PENDING)
        left = max(1.0, (found.expires_at - datetime.now(UTC)).total_seconds() + 1)
        key = f"act:{found.id}:expiry"
        await self._engine.start(self._act, found.id, key=key, partition=str(found.act), delay=left)
        return ""

    async def schedule(self, approval: Approval) -> None:
        """See that an approved rollback is carried out; raises LedgerError."""
        if approval.state in UNDER_WAY:
            await self._engine.start(ROLLBACK, approval.id, key=f"rollback:{approval.id}", partition=str(approval.id))

    async def carry_out(self, approval_id: int) -> None:
        """The workflow: both keys, then the outcome for people and for the model."""

        async def execute(_tried: int) -> None:
            await self._execute(approval_id)

        async def tell(_tried: int) -> None:
            approval = await self._get(approval_id)
            key = f"act:{approval_id}:outcome"
            await self._engine.start(self._act, approval_id, key=key, partition=str(approval.act))
            await self._turns.ask(self._prompt(approval), Urgency.HIGH)

        await self._engine.step("execute", execute)
        await self._engine.step("tell", tell)

    def _seal(self, approval: Approval, way: Way) -> tuple[Proposal | None, str]:
        """The rollback as a proposal, or why there can be none."""
        try:
            plan, file_hash = self._planner.plan(way.tool, way.arguments)
        except SreBotError as error:
            return None, f"No rollback is offered: {error}"
        if file_hash != way.file_hash:
            return None, CHANGED
        return Proposal(
            tool_use_id=f"rollback:{approval.id}",
            session_id=uuid4(),  # no conversation's: no model can call it
            tool=way.tool,
            arguments=way.arguments,
            expires_at=datetime.now(UTC) + self._expires,
            file_hash=file_hash,
            channel=approval.channel,
            thread_ts=approval.thread_ts,
            plan=replace(plan, summary=f"Roll back #{approval.id}: {plan.summary}"),
            rolls_back=approval.id,
        ), ""

    async def _execute(self, approval_id: int) -> None:
        approval = await self._get(approval_id)
        if approval.state is ApprovalState.APPROVED:
            approval = await self._let_through(approval)
        if approval.state is ApprovalState.EXECUTING:
            await self._call(approval)
            approval = await self._get(approval_id)
        while approval.state is ApprovalState.CONSUMED and not self._is_lost(approval):
            await asyncio.sleep(LOOK_EVERY)
            approval = await self._get(approval_id)
        if approval.state is ApprovalState.CONSUMED:
            with suppress(IllegalMove):  # it has just told how it went
                await self._ledger.approvals.move(approval.tool_use_id, ApprovalState.FAILED, outcome=UNKNOWN)

    def _is_lost(self, approval: Approval) -> bool:
        """Whether a call was taken so long ago that whoever took it is gone."""
        return approval.consumed_at is None or datetime.now(UTC) > approval.consumed_at + self._longest

    async def _let_through(self, approval: Approval) -> Approval:
        """The first key. Found turned already, by this workflow in an earlier process, it counts."""
        late = approval.expires_at <= datetime.now(UTC)
        to, why = (ApprovalState.EXPIRED, "too late to begin") if late else (ApprovalState.EXECUTING, "")
        await self._ledger.approvals.move(approval.tool_use_id, to, reason=why)
        return await self._get(approval.id)

    async def _call(self, approval: Approval) -> None:
        """The second key is the tool process's. What it has not taken by now, it must never take."""
        try:
            answer = await self._hand.call(approval.tool, approval.arguments, approval.tool_use_id)
        except ToolsUnavailable as error:
            answer = str(error)
        with suppress(IllegalMove):
            await self._ledger.approvals.move(approval.tool_use_id, ApprovalState.EXPIRED, reason=answer)

    async def _get(self, approval_id: int) -> Approval:
        approval = await self._ledger.approvals.get(approval_id)
        if approval is None:
            raise LedgerError(f"The ledger has no rollback #{approval_id}.")
        return approval

    def _prompt(self, approval: Approval) -> Prompt:
        became = approval.outcome or approval.reason or "Its outcome is unknown; verify with tools that read."
        text = (
            f"A person decided to roll back proposal #{approval.rolls_back} with a button, and code carried that out "
            f"as #{approval.id} ({approval.plan.summary}). It is {approval.state}: {became}\nSay in one sentence what "
            "stands now. Do not propose the same again."
        )
        return Prompt(self._team, approval.channel, approval.thread_ts, f"rollback:{approval.id}", "", text)
