"""What the tools ask of the systems behind them. A client satisfies a Protocol by having its methods."""

from collections.abc import Sequence
from typing import Protocol

from sre_bot.clients.deployments import Deployment
from sre_bot.clients.logs import LogPage
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


class LogSource(Protocol):
    """Keeps log lines."""

    async def read(self, service: str | None, level: str | None, since: float, limit: int) -> LogPage:
        """The newest `limit` lines since a time."""


class DeploymentSource(Protocol):
    """Knows what was deployed."""

    async def recent(self, service: str | None, since: float, limit: int) -> Sequence[Deployment]:
        """Newest first."""
