"""Approvals: the ledger's side of "no change without a person".

A proposal is recorded before anybody sees it, decided once, begun once by the bot and consumed once by the tool
process, each by one UPDATE that names the state it must find. The rows are never pruned: they are the record of who
let which change happen. It refuses every move that the drawing in `model.py` does not have.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import Row, Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sre_bot.errors import LedgerError, NotApproved
from sre_bot.incidents.database import Database
from sre_bot.incidents.model import (
    APPROVAL_PREDECESSORS,
    UNDECIDED_OR_UNDONE,
    Approval,
    ApprovalState,
    IllegalMove,
    Proposal,
)
from sre_bot.incidents.plan import Plan
from sre_bot.incidents.tables import approvals

OUTCOME_LIMIT = 4_000  # characters
REASON_LIMIT = 2_000

_STAMPED = {
    ApprovalState.APPROVED: "decided_at",
    ApprovalState.REJECTED: "decided_at",
    ApprovalState.EXPIRED: "ended_at",
    ApprovalState.EXECUTING: "started_at",
    ApprovalState.SUCCEEDED: "ended_at",
    ApprovalState.FAILED: "ended_at",
}
"""The moment that each move sets."""


def hash_call(tool: str, arguments: Mapping[str, Any]) -> str:
    """SHA-256 of a call in canonical form (names sorted, no blanks): what was shown and what runs are the same call."""
    canonical = json.dumps([tool, arguments], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


class Approvals:
    """The approvals in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the approvals of a database that the bot has made; close them when the process ends.

        Raises:
            LedgerError: the URL cannot be used, or there is no such file.
        """
        database = Database(url)
        database.must_exist()
        return cls(database)

    async def close(self) -> None:
        """Close every connection."""
        await self._database.close()

    async def propose(self, proposal: Proposal) -> Approval:
        """Record a proposal; proposing the same tool-use id again gives the row that is there.

        Raises:
            LedgerError: that id was proposed with another call.
        """
        row = {
            "tool_use_id": proposal.tool_use_id,
            "session_id": proposal.session_id,
            "tool": proposal.tool,
            "arguments": dict(proposal.arguments),
            "call_hash": hash_call(proposal.tool, proposal.arguments),
            "file_hash": proposal.file_hash,
            "state": ApprovalState.PROPOSED,
            "proposed_at": _now(),
            "expires_at": proposal.expires_at,
            "decided_by": "",
            "reason": "",
            "outcome": "",
            "channel": proposal.channel,
            "thread_ts": proposal.thread_ts,
            "card_ts": "",
            "plan": proposal.plan.as_json(),
            "before": {},
            "verdict": "",
            "applied": proposal.rolls_back is not None,  # no conversation waits for it
            "rolls_back": proposal.rolls_back,
            "chart": "",
        }
        async with self._database.writing() as connection:
            await connection.execute(self._database.insert_or_ignore(approvals, "tool_use_id"), row)
        found = await self.find(proposal.tool_use_id)
        if found is None or found.call_hash != row["call_hash"]:
            raise LedgerError(f"The call {proposal.tool_use_id} was proposed before, with other arguments.")
        return found

    async def find(self, tool_use_id: str) -> Approval | None:
        """Give the approval of a call; None where it was never proposed."""
        async with self._database.reading() as connection:
            row = (await connection.execute(_row(tool_use_id))).one_or_none()
            return _approval(row) if row else None

    async def get(self, approval_id: int) -> Approval | None:
        """Give an approval by its number."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(approvals).where(approvals.c.id == approval_id))).one_or_none()
            return _approval(row) if row else None

    async def rollback_of(self, approval_id: int) -> Approval | None:
        """Give the approval that would take an act back, or did; None where none was ever sealed."""
        async with self._database.reading() as connection:
            query = select(approvals).where(approvals.c.rolls_back == approval_id)
            row = (await connection.execute(query)).one_or_none()
            return _approval(row) if row else None

    async def of_thread(self, channel: str, thread_ts: str) -> list[Approval]:
        """Give the approvals that were proposed in a thread, oldest first."""
        async with self._database.reading() as connection:
            return await approvals_at(connection, channel, thread_ts)

    async def note(self, approval_id: int, **values: Any) -> None:  # noqa: ANN401
        """Remember what is not a move: `card_ts`, `before`, `verdict`, `applied`, `chart`."""
        async with self._database.writing() as connection:
            await connection.execute(update(approvals).where(approvals.c.id == approval_id).values(values))

    async def unfinished(self) -> list[Approval]:
        """Give every approval that somebody still has to look at after a crash, oldest first.

        It is in no end state, or was rejected and the agent has not read it.
        """
        unread = (approvals.c.state == ApprovalState.REJECTED) & approvals.c.applied.is_(False)
        query = select(approvals).where(approvals.c.state.in_(UNDECIDED_OR_UNDONE) | unread).order_by(approvals.c.id)
        async with self._database.reading() as connection:
            return [_approval(row) for row in await connection.execute(query)]

    async def move(
        self,
        tool_use_id: str,
        to: ApprovalState,
        *,
        by: str = "",
        reason: str = "",
        outcome: str = "",
        only_from: ApprovalState | None = None,
    ) -> bool:
        """Move an approval; True for the one caller that did it, False where it stands there already.

        Args:
            tool_use_id: the call.
            to: any state but CONSUMED, which only `consume` gives.
            by: Slack's id of the person who decided.
            reason: why it was rejected or expired.
            outcome: what the tool answered.
            only_from: where it must stand; None for wherever the drawing has an arrow.

        Raises:
            IllegalMove: the drawing has no such arrow from where it stands.
            LedgerError: there is no such approval.
        """
        if to is ApprovalState.CONSUMED:
            raise IllegalMove("An approval is consumed with its call, by consume().")
        given = {"decided_by": by, "reason": reason[:REASON_LIMIT], "outcome": outcome[:OUTCOME_LIMIT]}
        values: dict[str, Any] = {name: text for name, text in given.items() if text}
        if to in _STAMPED:
            values[_STAMPED[to]] = _now()
        this = approvals.c.tool_use_id == tool_use_id
        fits = approvals.c.state.in_(APPROVAL_PREDECESSORS[to] if only_from is None else {only_from})
        async with self._database.writing() as connection:
            if (await connection.execute(update(approvals).where(this, fits).values(state=to, **values))).rowcount:
                return True
            state = await connection.scalar(select(approvals.c.state).where(this))
        if state is None:
            raise LedgerError(f"The ledger has no approval for the call {tool_use_id}.")
        if state != to:
            raise IllegalMove(f"The approval of {tool_use_id} is {state} and cannot become {to}; it stays {state}.")
        return False

    async def consume(self, tool_use_id: str, tool: str, arguments: Mapping[str, Any]) -> Approval:
        """Use an approval up: `executing → consumed`, once in all processes, for exactly the call that was approved.

        Raises:
            NotApproved: there is none, it is for another call, not begun, used already, or expired.
        """
        now = _now()
        fits = (
            (approvals.c.tool_use_id == tool_use_id)
            & (approvals.c.call_hash == hash_call(tool, arguments))
            & (approvals.c.state == ApprovalState.EXECUTING)
            & (approvals.c.expires_at > now)
        )
        use_up = update(approvals).where(fits).values(state=ApprovalState.CONSUMED, consumed_at=now)
        async with self._database.writing() as connection:
            consumed = (await connection.execute(use_up)).rowcount == 1
            row = (await connection.execute(_row(tool_use_id))).one_or_none()
        found = _approval(row) if row else None
        if not consumed or found is None:
            raise NotApproved(f"{_refusal(found, hash_call(tool, arguments), now)} Nothing was executed.")
        return found


async def approvals_at(connection: AsyncConnection, channel: str, thread_ts: str) -> list[Approval]:
    """The approvals that were proposed in a thread, oldest first."""
    here = (approvals.c.channel == channel) & (approvals.c.thread_ts == thread_ts)
    rows = await connection.execute(select(approvals).where(here).order_by(approvals.c.id))
    return [_approval(row) for row in rows]


def _row(tool_use_id: str) -> Select[Any]:
    return select(approvals).where(approvals.c.tool_use_id == tool_use_id)


def _approval(row: Row[Any]) -> Approval:
    return Approval(**{**row._mapping, "plan": Plan.from_json(row.plan)})


def _refusal(found: Approval | None, call_hash: str, now: datetime) -> str:
    if found is None:
        return "This call has no approval in the ledger."
    if found.call_hash != call_hash:
        return "This call differs from the one that was approved."
    if found.state in (ApprovalState.CONSUMED, ApprovalState.SUCCEEDED, ApprovalState.FAILED):
        return "This approval was used already; what it did is in its outcome. Verify with read-only tools."
    if found.state is ApprovalState.EXECUTING and found.expires_at <= now:
        return "This approval has expired. Propose the change again."
    return f"This approval is {found.state}, not begun by the bot."


def _now() -> datetime:
    return datetime.now(UTC)
