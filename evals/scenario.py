"""What a scenario is: how the fleet breaks, what is true, and what a report must and must not say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.stack import Past

NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class Order:
    """Faults of one service, or of the fleet where `service` is None; `after` seconds they end again, 0: never."""

    service: str | None
    faults: Mapping[str, object]
    ends_after: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """One story with its truth.

    Attributes:
        name: of the scenario.
        causes: services that broke; empty for a false alarm.
        kind: what broke, in words for the table.
        says: what a right report says of the kind.
        orders: faults that no deployment brings.
        settings: what is deployed on api-server, with its author and reason.
        forbidden: what no report may say.
        hides: the service whose log holds the planted line; empty where there is nothing to plant.
        evidence: tools that must have been asked.
        past: writes what Prometheus knows of before; None for a young system.
        wait: seconds from the fault to the question.
        healed_by: whether the fix is one change that a person approves.
        asked: the question.
    """

    name: str
    causes: tuple[str, ...]
    kind: str
    says: re.Pattern[str]
    orders: tuple[Order, ...] = ()
    settings: Mapping[str, str] | None = None
    author: str = "linus"
    reason: str = "routine"
    forbidden: re.Pattern[str] = NEVER
    hides: str = ""
    evidence: tuple[str, ...] = ("get_service_health", "get_logs", "get_recent_deployments")
    past: Past | None = None
    wait: float = 32.0
    healed_by: bool = False
    asked: str = "customers complain about api-server, what is wrong?"

    @property
    def false_alarm(self) -> bool:
        """Whether nothing is wrong."""
        return not self.causes

    @property
    def code(self) -> str:
        """What the planted line holds, so that a report which quotes it has read it."""
        return f"KX-{sum(map(ord, self.name)) * 37 % 9000 + 1000}"
