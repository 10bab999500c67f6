"""What the tools ask of the systems behind them. A client satisfies a Protocol by having its methods."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from sre_bot.clients.alertmanager import Routing
from sre_bot.clients.deployments import Deployment
from sre_bot.clients.logs import LogPage, LogQuery
from sre_bot.clients.prometheus import AlertRule, Metric, Series


class MetricSource(Protocol):
    """Evaluates PromQL and knows the names that it may use."""

    async def query(self, promql: str, at: float | None = None) -> list[Series]:
        """Evaluate at one time, by default now."""

    async def query_range(self, promql: str, start: float, end: float, step: float) -> list[Series]:
        """Evaluate every `step` seconds."""

    async def metric_names(self) -> list[str]:
        """All names, sorted."""

    async def label_values(self, label: str, selector: str | None = None) -> list[str]:
        """Values of a label, sorted."""

    async def metadata(self) -> dict[str, Metric]:
        """Type and help by name."""


class AlertSource(Protocol):
    """Evaluates alerting rules."""

    async def alert_rules(self) -> list[AlertRule]:
        """All rules with their active alerts."""


class RoutingSource(Protocol):
    """Decides who is notified of which alert."""

    async def routing(self) -> Routing:
        """All alerts, quiet ones included."""


class LogSource(Protocol):
    """Keeps log lines."""

    def read(self, wanted: LogQuery) -> AsyncGenerator[LogPage, None]:
        """The matching lines, until the caller stops asking; what worries most comes first."""


class DeploymentSource(Protocol):
    """Knows what was deployed."""

    async def recent(self, service: str | None, since: float, limit: int) -> Sequence[Deployment]:
        """Newest first."""
