"""What surrounds turns: bounds, budgets, the replicas beside this one, and the cases whose threads they run in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sre_bot.errors import LedgerError, SreBotError
from sre_bot.incidents.paging import Urgency
from sre_bot.workflows.budgets import Budgets, BudgetSpent


class Proposing(Protocol):
    """What a run has to do with proposals; see `approvals.Proposals`, which does it."""

    async def proposed(self, tool_use_id: str) -> None:
        """A run ended with this call deferred."""

    async def holds_up(self, channel: str, thread_ts: str) -> str:
        """Why a thread's conversation may not go on with something else now; empty where it may."""

    async def applied(self, approval_id: int, *, ran: bool) -> None:
        """The run that a decision began is over."""

    async def outcome(self, approval_id: int) -> str:
        """What became of a decided call."""


async def _nothing(_channel: str, _thread_ts: str) -> str:
    return ""


async def _nothing_like_it(_text: str) -> str:
    return ""


@dataclass
class Circumstances:
    """What turns have to respect and to tell.

    Attributes:
        replica: this process among those that share the database.
        alone: whether there are no others: then nothing has to be asked of the database about them.
        concurrent: runs at once in this process.
        in_all: runs at once in all replicas.
        budgets: what runs may cost; None for no bound.
        background: what monitoring said of the incident whose card begins a thread; the words of others.
        proposals: what is done about calls that wait for a person; None where none can be proposed.
        changed: told of a thread in which a run has begun or ended; returns at once.
        services: names of the services there are.
        describe: a tool's name and arguments as one line for people.
        past: earlier incidents that resemble what a text tells of, as leads; the words of others.
    """

    replica: str = "local"
    alone: bool = True
    concurrent: int = 5
    in_all: int = 10
    budgets: Budgets | None = None
    background: Callable[[str, str], Awaitable[str]] = _nothing
    proposals: Proposing | None = None
    changed: Callable[[str, str], None] = lambda _channel, _thread_ts: None
    services: Sequence[str] = ()
    describe: Callable[[str, Mapping[str, Any]], str] = lambda name, _arguments: f"`{name}`"
    past: Callable[[str], Awaitable[str]] = _nothing_like_it

    async def check_budget(self, thread_id: int, urgency: Urgency) -> None:
        """Let a run begin; raises BudgetSpent where it may not."""
        if self.budgets:
            await self.budgets.check(thread_id, urgency)

    async def proposed(self, tool_use_id: str) -> None:
        """A run ended with a call deferred; raises LedgerError."""
        if self.proposals:
            await self.proposals.proposed(tool_use_id)

    async def held_up(self, channel: str, thread_ts: str) -> str:
        """Why a conversation may not go on with words now; empty where it may."""
        if self.proposals is None:
            return ""
        try:
            return await self.proposals.holds_up(channel, thread_ts)
        except LedgerError as error:
            return f"I cannot look whether a proposal waits for its decision here: {error}"

    async def applied(self, approval_id: int, *, ran: bool) -> None:
        """The run that a decision began is over."""
        if self.proposals:
            await self.proposals.applied(approval_id, ran=ran)

    async def outcome(self, approval_id: int) -> str:
        """What became of a decided call."""
        return await self.proposals.outcome(approval_id) if self.proposals else ""

    @staticmethod
    def is_bound(error: SreBotError) -> bool:
        """Whether an error is one of our bounds, and not a failure."""
        return isinstance(error, BudgetSpent)
