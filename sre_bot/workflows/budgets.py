"""What investigations may cost: in one thread, in an hour, in a day.

A budget is looked at when a run begins; the run itself is bounded by SRE_MAX_COST_USD, so a budget is exceeded by what
runs at that moment at most. Low urgency may not touch the reserve of the hour and the day: a storm of warnings at
midnight must not leave nothing for the outage at three.
"""

from datetime import UTC, datetime, timedelta

from sre_bot.errors import SreBotError
from sre_bot.incidents.paging import Urgency
from sre_bot.incidents.runs import Runs
from sre_bot.settings import IncidentSettings


class BudgetSpent(SreBotError):
    """A run may not begin; says which budget ended and what to do."""


class Budgets:
    """Looks at what runs have cost.

    Args:
        runs: knows the costs.
        settings: the budgets.
    """

    def __init__(self, runs: Runs, settings: IncidentSettings) -> None:
        self._runs = runs
        self._settings = settings

    async def check(self, thread_id: int, urgency: Urgency) -> None:
        """Let a run begin.

        Raises:
            BudgetSpent: it may not.
        """
        bounds = self._settings
        now = datetime.now(UTC)
        share = 1.0 if urgency is Urgency.HIGH else 1.0 - bounds.reserve
        kept = "" if urgency is Urgency.HIGH else " The rest is kept for what is urgent."
        if await self._runs.spent(thread_id=thread_id) >= bounds.incident_budget_usd:
            raise BudgetSpent(_words("this thread", bounds.incident_budget_usd, "SRE_INCIDENT_BUDGET_USD"))
        if await self._runs.spent(now - timedelta(hours=1)) >= bounds.hour_budget_usd * share:
            raise BudgetSpent(_words("an hour", bounds.hour_budget_usd * share, "SRE_HOUR_BUDGET_USD") + kept)
        if await self._runs.spent(now - timedelta(days=1)) >= bounds.day_budget_usd * share:
            raise BudgetSpent(_words("a day", bounds.day_budget_usd * share, "SRE_DAY_BUDGET_USD") + kept)


def _words(of: str, dollars: float, setting: str) -> str:
    return f"The budget of {of} is spent (${dollars:.2f}, {setting}), so I do not investigate further."
