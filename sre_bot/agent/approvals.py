"""The bot's half of "no change without a person": the hook that Claude Code asks before each tool call.

A call that only reads goes on to the allow-list. Every other call is sealed with its plan, recorded, and deferred: the
run ends, and a person decides. When the session is resumed Claude Code asks about the very same call again, and the
hook lets it through exactly once, `approved → executing` in the ledger; the tool process then uses the approval up.
What the model says about approvals is never looked at.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from claude_agent_sdk import HookMatcher
from claude_agent_sdk.types import HookContext, HookEvent, HookInput, HookJSONOutput

from sre_bot.agent.records import Recorder
from sre_bot.errors import LedgerError, SreBotError
from sre_bot.incidents.approvals import hash_call
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState, IllegalMove, Proposal
from sre_bot.policy import Policy
from sre_bot.tools.offer import SERVER_NAME
from sre_bot.tools.planning import RECORDED, Planner

log = logging.getLogger(__name__)

PREFIX = f"mcp__{SERVER_NAME}__"
PATIENCE = 86_400.0  # seconds that Claude Code waits for the hook: longer than any proposal lives
LOOK_EVERY = 1.0  # seconds between two looks for a decision that was made in another process

POLICY = "policy.yaml"
"""Stands for the person where the policy lets a tool run."""
ONE_AT_A_TIME = (
    "Another action of this turn waits for a person already. Nothing was executed; propose this one again after the "
    "decision."
)
NOT_OFFERED = "This tool may not be used: it is not one that only reads, as policy.yaml says. Nothing was executed."


class Seal:
    """Seals and lets through.

    Args:
        ledger: keeps the proposals.
        planner: says what a call would do.
        policy: how long a proposal lives.
        gated: names of our tools that write: each call of them is sealed, and those that the policy does not free
            wait for a person.
        free: names of the tools that only read, as Claude Code names them.
        recorder: reads what some plans are made of; None where a call must say everything itself.
    """

    def __init__(
        self,
        ledger: Ledger,
        planner: Planner,
        policy: Policy,
        gated: frozenset[str],
        free: frozenset[str],
        recorder: Recorder | None = None,
    ) -> None:
        self._ledger = ledger
        self._planner = planner
        self._policy = policy
        self._gated = gated
        self._free = free
        self._recorder = recorder
        self._decided: dict[str, asyncio.Event] = {}
        self._released: set[UUID] = set()

    def hooks(self, session_id: UUID, *, waits: bool = False) -> dict[HookEvent, list[HookMatcher]]:
        """The hook of one process.

        Args:
            session_id: whose calls they are.
            waits: whether to wait for the decision, in a process that was resumed before it was made.
        """
        if waits:
            self._released.discard(session_id)  # what an earlier process of it was let go with is not for this one
        asked: set[str] = set()
        in_turn = asyncio.Lock()  # calls of one message are asked about side by side, and one of them may be deferred

        async def before(given: HookInput, tool_use_id: str | None, _context: HookContext) -> HookJSONOutput:
            call: Mapping[str, Any] = given
            name, arguments = str(call["tool_name"]), call["tool_input"]
            if name in self._free:
                return {}
            tool = name.removeprefix(PREFIX)
            if not name.startswith(PREFIX) or tool not in self._gated or not tool_use_id:
                return _deny(NOT_OFFERED)
            try:
                async with in_turn:
                    return await self._judge(session_id, tool_use_id, tool, arguments, asked, waits=waits)
            except LedgerError as error:
                log.error("the call %s could not be judged: %s", tool_use_id, error)
                return _deny(f"It could not be recorded, so it may not run: {error} Nothing was executed.")

        return {"PreToolUse": [HookMatcher(matcher="mcp__.*", hooks=[before], timeout=PATIENCE, on_failure="block")]}

    def decided(self, tool_use_id: str) -> None:
        """A decision was made in this process: whoever waits for it need not look."""
        if event := self._decided.get(tool_use_id):
            event.set()

    def release(self, session_id: UUID) -> None:
        """Let a process that waits for a decision end; the call stays deferred."""
        self._released.add(session_id)
        for event in self._decided.values():
            event.set()

    async def _judge(
        self,
        session_id: UUID,
        tool_use_id: str,
        tool: str,
        arguments: Mapping[str, Any],
        asked: set[str],
        *,
        waits: bool,
    ) -> HookJSONOutput:
        found = await self._ledger.approvals.find(tool_use_id)
        if found is None:
            if asked and tool not in self._policy.approval.free:
                return _deny(ONE_AT_A_TIME)
            return await self._propose(session_id, tool_use_id, tool, arguments, asked)
        if found.session_id != session_id:
            return _deny("This call belongs to another conversation. Nothing was executed.")
        if waits:
            found = await self._await_decision(session_id, found)
        return await self._decide(found, hash_call(tool, arguments))

    async def _decide(self, found: Approval, call_hash: str) -> HookJSONOutput:
        if found.state in (ApprovalState.PROPOSED, ApprovalState.PENDING):
            return _defer()
        if found.call_hash != call_hash:
            return _deny("This call differs from the one that was decided on. Nothing was executed.")
        if found.state is ApprovalState.APPROVED:
            return await self._let_through(found)
        if found.state is ApprovalState.EXECUTING:
            found = await self._void(found)
        return _deny(_refusal(found))

    async def _propose(
        self, session_id: UUID, tool_use_id: str, tool: str, arguments: Mapping[str, Any], asked: set[str]
    ) -> HookJSONOutput:
        thread = await self._ledger.thread_of(session_id)
        if thread is None:
            return _deny("This conversation has no thread in which a person could decide. Nothing was executed.")
        freed = tool in self._policy.approval.free
        if not freed:
            asked.add(tool_use_id)
        try:
            recorder = self._recorder if tool in RECORDED else None
            record = await recorder.read(thread.channel, thread.thread_ts) if recorder else None
            plan, file_hash = await asyncio.to_thread(self._planner.plan, tool, arguments, record)
        except SreBotError as error:
            asked.discard(tool_use_id)
            return _deny(f"{error} Nothing was executed, and nobody was asked.")
        proposal = Proposal(
            tool_use_id=tool_use_id,
            session_id=session_id,
            tool=tool,
            arguments=arguments,
            expires_at=datetime.now(UTC) + self._policy.expires,
            file_hash=file_hash,
            channel=thread.channel,
            thread_ts=thread.thread_ts,
            plan=plan,
        )
        sealed = await self._ledger.approvals.propose(proposal)
        if not freed:
            return _defer()
        await self._ledger.approvals.note(sealed.id, applied=True)  # there is no decision for the agent to read
        for state in (ApprovalState.PENDING, ApprovalState.APPROVED):
            await self._ledger.approvals.move(tool_use_id, state, by=POLICY)
        return await self._let_through(sealed)

    async def _let_through(self, found: Approval) -> HookJSONOutput:
        """The first key: of all processes that are asked about this call, one lets it through."""
        if found.expires_at <= datetime.now(UTC):
            await self._ledger.approvals.move(found.tool_use_id, ApprovalState.EXPIRED, reason="too late to begin")
            return _deny("The approval has expired before the call began. Nothing was executed; propose it again.")
        if await self._ledger.approvals.move(found.tool_use_id, ApprovalState.EXECUTING):
            return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow"}}
        return _deny("Another process executes this call already. Verify with tools that read.")

    async def _void(self, found: Approval) -> Approval:
        """A process died between letting the call through and the tool's taking it: it must never be taken now."""
        with contextlib.suppress(IllegalMove):  # the tool process took it meanwhile
            await self._ledger.approvals.move(
                found.tool_use_id, ApprovalState.EXPIRED, reason="the process ended before the call began"
            )
        return await self._ledger.approvals.find(found.tool_use_id) or found

    async def _await_decision(self, session_id: UUID, found: Approval) -> Approval:
        event = self._decided.setdefault(found.tool_use_id, asyncio.Event())
        try:
            while found.state in (ApprovalState.PROPOSED, ApprovalState.PENDING):
                if session_id in self._released or found.expires_at <= datetime.now(UTC):
                    break
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await event.wait()
                event.clear()
                found = await self._ledger.approvals.find(found.tool_use_id) or found
        finally:
            self._decided.pop(found.tool_use_id, None)
            self._released.discard(session_id)
        return found


def _refusal(found: Approval) -> str:
    """What the model is told of a call that will not run."""
    match found.state:
        case ApprovalState.REJECTED:
            return f"A person rejected this: {found.reason or 'no reason given'}. Nothing was executed."
        case ApprovalState.EXPIRED:
            return f"This proposal is void ({found.reason or 'nobody decided in time'}). Nothing was executed."
        case ApprovalState.SUCCEEDED | ApprovalState.FAILED:
            return f"This call was executed once already, and {found.state}. Its outcome was: {found.outcome}"
    return "This call was begun before, and its outcome is unknown. Verify with tools that read before you go on."


def _deny(reason: str) -> HookJSONOutput:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
    }


def _defer() -> HookJSONOutput:
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "defer"}}
