"""What surrounds turns: bounds, budgets, the replicas beside this one, and the cases whose threads they run in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sre_bot.errors import SreBotError
from sre_bot.incidents.paging import Urgency
from sre_bot.workflows.budgets import Budgets, BudgetSpent


async def _nothing(_channel: str, _thread_ts: str) -> str:
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
        changed: told of a thread in which a run has begun or ended; returns at once.
    """

    replica: str = "local"
    alone: bool = True
    concurrent: int = 5
    in_all: int = 10
    budgets: Budgets | None = None
    background: Callable[[str, str], Awaitable[str]] = _nothing
    changed: Callable[[str, str], None] = lambda _channel, _thread_ts: None

    async def check_budget(self, thread_id: int, urgency: Urgency) -> None:
        """Let a run begin; raises BudgetSpent where it may not."""
        if self.budgets:
            await self.budgets.check(thread_id, urgency)

    @staticmethod
    def is_bound(error: SreBotError) -> bool:
        """Whether an error is one of our bounds, and not a failure."""
        return isinstance(error, BudgetSpent)
