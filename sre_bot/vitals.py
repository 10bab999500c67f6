"""What the process says of itself to those who watch over it: what is not ready, and a few figures."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from sre_bot.errors import LedgerError
from sre_bot.incidents.ledger import Ledger
from sre_bot.settings import Settings
from sre_bot.slack.sockets import Sockets
from sre_bot.workflows.cases import CaseWork
from sre_bot.workflows.intake import Intake
from sre_bot.workflows.ratings import Ratings
from sre_bot.workflows.turns import Turns


class Readiness:
    """Looks at what the bot needs to do its work.

    Args:
        settings: what it is meant to do.
        ledger: where it records.
        sockets: how it hears Slack.
        work: shows cards.
    """

    def __init__(self, settings: Settings, ledger: Ledger, sockets: Sockets, work: CaseWork) -> None:
        self._settings = settings
        self._ledger = ledger
        self._sockets = sockets
        self._work = work

    async def missing(self) -> Mapping[str, str]:
        """What keeps deliveries from being recorded, with a sentence for each; nothing where nothing does.

        Only that: a load balancer that sends nothing to a bot which cannot speak would hold up pages it could keep.
        """
        try:
            await self._ledger.deliveries.backlog()
        except LedgerError as error:
            return {"database": str(error)}
        return {}

    async def warnings(self) -> Mapping[str, str]:
        """What else is not as it should be."""
        found: dict[str, str] = {}
        if not await self._sockets.connected():
            found["slack"] = "No socket to Slack is connected, so nothing that people write is heard."
        if self._work.refusal:
            found["cards"] = f"The last incident card is not shown. {self._work.refusal}"
        webhooks = self._settings.webhooks
        paged = webhooks.pagerduty_secrets or webhooks.alertmanager_token or webhooks.alertmanager_username
        if paged and not self._settings.slack.incident_channel:
            found["incident_channel"] = (
                "Deliveries are recorded, but no card is posted: set SLACK_INCIDENT_CHANNEL to a channel's id."
            )
        return found


def vital_signs(turns: Turns, intake: Intake, sockets: Sockets, ratings: Ratings) -> CollectorRegistry:
    """A registry with the figures of this process; other parts add theirs."""
    registry = CollectorRegistry()
    runs = Gauge("sre_bot_runs", "Runs of the agent in this process, those in line included.", registry=registry)
    runs.set_function(lambda: turns.running)
    behind = Gauge("sre_bot_cases_behind", "Incident cards of which not all is shown yet.", registry=registry)
    behind.set_function(lambda: intake.behind)
    count = Gauge("sre_bot_slack_sockets", "Sockets to Slack that were connected at the last look.", registry=registry)
    count.set_function(lambda: sockets.alive)
    registry.register(_Rated(ratings))
    return registry


class _Rated(Collector):
    """Counts what people think of answers."""

    def __init__(self, ratings: Ratings) -> None:
        self._ratings = ratings

    def collect(self) -> Iterable[Metric]:
        """The counts of this moment."""
        told = "Answers that people rated in this process; who changes their mind is counted again."
        family = CounterMetricFamily("sre_bot_answer_ratings", told, labels=["rating"])
        for rating, count in self._ratings.given.items():
            family.add_metric([rating.value], count)
        yield family
