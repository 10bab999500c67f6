"""What monitoring says at this moment, in short: for people who look at the bot, not for the model.

Looked at when somebody asks, at most once in `REMEMBERED` seconds however many ask. What does not answer is said to be
unreachable, and is never taken for healthy.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sre_bot.catalog import Catalog, Severity
from sre_bot.clients.prometheus import AlertRule
from sre_bot.errors import SreBotError
from sre_bot.tools.health import Health, assess_health
from sre_bot.tools.sources import MetricSource

log = logging.getLogger(__name__)

REMEMBERED = 15.0  # seconds; the figures themselves are those of a minute
PATIENCE = 5.0  # seconds for one system
METRICS = "Prometheus"

Probe = Callable[[], Awaitable[object]]
"""Asks a system something cheap; raises SreBotError where it gives no usable answer."""


class Monitoring(MetricSource, Protocol):
    """Evaluates signals and alerting rules."""

    async def alert_rules(self) -> list[AlertRule]:
        """All rules with their active alerts."""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How a service stands.

    Attributes:
        name: as the catalog has it.
        severity: the worst of its signals.
        breached: titles of the signals beyond a threshold, the worst first; `NO DATA` ones where none is.
    """

    name: str
    severity: Severity
    breached: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fires; `service` is empty where it names none."""

    name: str
    service: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """One look.

    Attributes:
        services: worst first; empty where health is not known.
        alerts: what fires, each name and service once.
        systems: the systems behind the tools, and why one does not answer; empty text where it does.
    """

    services: tuple[ServiceState, ...]
    alerts: tuple[Firing, ...]
    systems: Mapping[str, str]

    @property
    def failing(self) -> tuple[ServiceState, ...]:
        """The services beyond a threshold."""
        return tuple(service for service in self.services if service.severity >= Severity.WARNING)


class Vigil:
    """Looks, and remembers for a moment.

    Args:
        catalog: services and signals.
        metrics: answers for them.
        others: the other systems, by name.
        remembered: seconds for which a look is good.
    """

    def __init__(
        self, catalog: Catalog, metrics: Monitoring, others: Mapping[str, Probe], remembered: float = REMEMBERED
    ) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._others = dict(others)
        self._remembered = remembered
        self._looking = asyncio.Lock()
        self._last: tuple[float, Outlook] | None = None

    async def look(self) -> Outlook:
        """What is true now, or was a moment ago; never raises for what does not answer."""
        async with self._looking:
            if self._last and time.monotonic() - self._last[0] < self._remembered:
                return self._last[1]
            (services, blind), (alerts, deaf), others = await asyncio.gather(
                self._services(), self._alerts(), self._systems()
            )
            outlook = Outlook(services, alerts, {METRICS: blind or deaf, **others})
            self._last = (time.monotonic(), outlook)
            return outlook

    async def _services(self) -> tuple[tuple[ServiceState, ...], str]:
        try:
            async with asyncio.timeout(PATIENCE):
                found = await assess_health(self._catalog, self._metrics, time.time())
        except (SreBotError, TimeoutError) as error:
            return (), _reason(METRICS, error)
        return tuple(map(_state, found)), ""

    async def _alerts(self) -> tuple[tuple[Firing, ...], str]:
        try:
            async with asyncio.timeout(PATIENCE):
                rules = await self._metrics.alert_rules()
        except (SreBotError, TimeoutError) as error:
            return (), _reason(METRICS, error)
        firing = (
            Firing(rule.name, alert.labels.get("service", ""))
            for rule in rules
            for alert in rule.alerts
            if alert.state == "firing"
        )
        return tuple(dict.fromkeys(firing)), ""

    async def _systems(self) -> dict[str, str]:
        answers = await asyncio.gather(*(_ask(name, probe) for name, probe in self._others.items()))
        return dict(zip(self._others, answers, strict=True))


async def _ask(name: str, probe: Probe) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await probe()
    except (SreBotError, TimeoutError) as error:
        return _reason(name, error)
    return ""


def _reason(name: str, error: SreBotError | TimeoutError) -> str:
    log.info("%s is not seen: %s", name, error)
    return str(error) or f"{name} did not answer within {PATIENCE:g} s."


def _state(health: Health) -> ServiceState:
    worst = sorted(health.readings, key=lambda reading: -reading.severity)
    found = [reading for reading in worst if reading.severity >= Severity.WARNING]
    unseen = [reading for reading in worst if reading.severity is Severity.NO_DATA]
    return ServiceState(health.name, health.severity, tuple(reading.signal.title for reading in found or unseen))
