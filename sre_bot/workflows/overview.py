"""What is going on, read from the ledger and from monitoring: for the app's home, and for the prompts it suggests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState, Turn, TurnState
from sre_bot.incidents.paging import Case
from sre_bot.settings import IncidentSettings
from sre_bot.workflows.vigil import Outlook, Vigil

MOST = 10  # cases, runs and proposals that are read; a home is a page, not a list of everything
MOST_PROMPTS = 4  # Slack: assistant.threads.setSuggestedPrompts
MOST_SERVICES = 2  # that prompts ask about, so that other prompts have a place


@dataclass(frozen=True, slots=True)
class Spending:
    """US dollars that runs have cost, and what they may."""

    of: str
    spent: float
    budget: float


@dataclass(frozen=True, slots=True)
class Overview:
    """One look at everything.

    Attributes:
        cases: the newest that are open; `cases_open` is how many there are.
        runs: the turns that run, then those that wait for their turn.
        waiting: the proposals on which nobody has decided yet, in the order of their making.
        outlook: what monitoring says.
        spending: of the last hour and the last day.
    """

    cases: Sequence[Case]
    cases_open: int
    runs: Sequence[Turn]
    waiting: Sequence[Approval]
    outlook: Outlook
    spending: Sequence[Spending]


@dataclass(frozen=True, slots=True)
class SuggestedPrompt:
    """What a person may pick instead of typing: what it is called, and what it asks."""

    title: str
    message: str


class Overviews:
    """Looks.

    Args:
        ledger: cases, turns, proposals and costs; of all replicas.
        vigil: what monitoring says.
        settings: the budgets.
    """

    def __init__(self, ledger: Ledger, vigil: Vigil, settings: IncidentSettings) -> None:
        self._ledger = ledger
        self._vigil = vigil
        self._settings = settings

    async def look(self) -> Overview:
        """Everything, as it is now.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        now = datetime.now(UTC)
        unfinished = await self._ledger.unfinished_turns()
        running = [turn for turn in unfinished if turn.state is TurnState.RUNNING]
        runs = _one_of_each_thread([*running, *unfinished])
        waiting = [each for each in await self._ledger.approvals.unfinished() if waits(each, now)]
        spent = self._ledger.runs.spent
        return Overview(
            cases=await self._ledger.cases.newest_open(MOST),
            cases_open=await self._ledger.cases.count_open(),
            runs=runs,
            waiting=waiting,
            outlook=await self._vigil.look(),
            spending=(
                Spending("last hour", await spent(now - timedelta(hours=1)), self._settings.hour_budget_usd),
                Spending("last 24 hours", await spent(now - timedelta(days=1)), self._settings.day_budget_usd),
            ),
        )

    async def prompts(self) -> list[SuggestedPrompt]:
        """What one may want to ask now: of what is wrong first."""
        return suggest(await self._vigil.look())


def waits(approval: Approval, now: datetime) -> bool:
    """Whether a person can still decide on it."""
    return approval.state is ApprovalState.PENDING and approval.expires_at > now


def _one_of_each_thread(turns: Sequence[Turn]) -> list[Turn]:
    """What a run took in, and what waits behind it, is no investigation of its own."""
    return list({turn.thread_id: turn for turn in reversed(turns)}.values())[::-1]


ALWAYS = (
    SuggestedPrompt("How are the services?", "How are the services right now?"),
    SuggestedPrompt("What fires?", "Which alerts fire, since when, and who is called for them?"),
    SuggestedPrompt("What changed?", "What was deployed in the last two hours, and did any figure change after it?"),
)
"""As in config/slack-manifest.json, which Slack shows until the first of these arrive."""


def suggest(outlook: Outlook) -> list[SuggestedPrompt]:
    """Prompts for what monitoring says: services that fail, then alerts of others, then what is always worth asking."""
    failing = [service.name for service in outlook.failing][:MOST_SERVICES]
    found = [SuggestedPrompt(f"Why is {name} failing?", f"Why is {name} failing, and since when?") for name in failing]
    other = [alert for alert in outlook.alerts if alert.service not in failing]
    found += [
        SuggestedPrompt(
            f"What does {alert.name} mean?",
            f"The alert {alert.name} fires{f' for {alert.service}' if alert.service else ''}. Is something wrong?",
        )
        for alert in other[:1]
    ]
    return [*found, *ALWAYS][:MOST_PROMPTS]
