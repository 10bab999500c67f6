"""Faults that no deployment brings: what breaks a service while its settings stay as they were.

A fault changes how requests behave, never a metric, with two exceptions that are faults of the measuring: series that
are not shown, and a line that somebody writes into a log. Ordered over HTTP, and undone by ordering the ordinary value.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from random import Random
from typing import TYPE_CHECKING, Any

from prometheus_client.core import Metric

if TYPE_CHECKING:
    from sandbox.fleet.worker import Worker


class Struck(Exception):
    """A request that a fault ends; the message is what the log says."""


@dataclass
class ServiceFault:
    """What is wrong with one service.

    Attributes:
        extra_ms: what a request waits for something outside the fleet.
        cpu_ms: what it computes more: a processor that is throttled or shared.
        error_share: share of the requests that fail, with `error` in the log.
        held: connections of each worker's pool that nobody gives back.
        leak_mib: memory that each request keeps.
        dead: no worker runs.
    """

    extra_ms: float = 0.0
    cpu_ms: float = 0.0
    error_share: float = 0.0
    error: str = "upstream closed the connection"
    held: int = 0
    leak_mib: float = 0.0
    dead: bool = False
    _random: Random = field(default_factory=lambda: Random(1), repr=False)

    async def strike(self, worker: "Worker") -> None:
        """Do to one request what is wrong. Raises Struck."""
        worker.leaked_mib += self.leak_mib
        if self.cpu_ms:
            await worker.compute(self.cpu_ms / 1000)
        if self.extra_ms:
            await asyncio.sleep(self.extra_ms / 1000)
        if self.error_share and self._random.random() < self.error_share:
            raise Struck(self.error)


@dataclass
class Faults:
    """What is wrong with the fleet as a whole.

    Attributes:
        surge: times the usual load.
        database_factor: times that a query's work takes.
        hidden: series that are not shown: by metric, by `metric{service}`, or of a whole service by `{service}`.
    """

    surge: float = 1.0
    database_factor: float = 1.0
    hidden: tuple[str, ...] = ()

    def shown(self, metrics: Iterator[Metric]) -> Iterator[Metric]:
        """The metrics without the series that are hidden."""
        for metric in metrics:
            metric.samples = [
                sample for sample in metric.samples if not self._hides(sample.name, sample.labels.get("service", ""))
            ]
            yield metric

    def _hides(self, name: str, service: str) -> bool:
        return not {name, f"{name}{{{service}}}", f"{{{service}}}"}.isdisjoint(self.hidden)


def set_fields(target: ServiceFault | Faults, order: dict[str, Any]) -> None:
    """Change what an order names.

    Raises:
        ValueError: a field that there is not, or a value of another kind.
    """
    known = {each.name: getattr(target, each.name) for each in fields(target) if not each.name.startswith("_")}
    for name, value in order.items():
        if name not in known:
            raise ValueError(f"there is no fault {name[:40]!r}; there are {', '.join(known)}")
        given = tuple(value) if isinstance(value, list) else float(value) if isinstance(known[name], float) else value
        if type(given) is not type(known[name]):
            raise ValueError(f"{name} is {type(known[name]).__name__}, not {value!r}")
        setattr(target, name, given)
