"""The fleet's metrics in Prometheus' format, read from the measurements at each scrape.

A custom collector, because the library's Summary has no quantiles. A figure that does not exist now
(no request lately, no worker running) has no series: absent is not zero.
"""

from collections.abc import Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from sandbox.fleet.database import MAX_CONNECTIONS, Database
from sandbox.fleet.fleet import Fleet
from sandbox.fleet.measurements import Measurements, Total
from sandbox.fleet.service import Service

QUANTILES = (0.5, 0.9, 0.99)


class FleetCollector(Collector):
    """Collects everything that /metrics shows."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[Metric]:
        """All metric families of one scrape, but what is hidden."""
        return self._fleet.faults.shown(self._everything())

    def _everything(self) -> Iterator[Metric]:
        services = list(self._fleet.services.values())
        yield from _requests(services)
        yield from _calls({"clients": self._fleet.clients} | {s.name: s.measurements for s in services})
        yield from _database_time(services)
        yield from self._connections(services)
        yield from self._containers(services)
        yield self._build_info()

    def _connections(self, services: list[Service]) -> Iterator[Metric]:
        database = self._fleet.database
        pools = {s.name: [worker.pool for worker in s.workers] for s in services if s.workers}
        active = {name: sum(pool.active for pool in each) for name, each in pools.items()}
        waiting = {name: sum(pool.waiting for pool in each) for name, each in pools.items()}
        limit = {name: sum(pool.size for pool in each) for name, each in pools.items()}
        yield _gauge(
            "db_connections_active",
            "Database connections in use; on postgres, by everybody.",
            active | {database.name: database.active},
        )
        yield _gauge("db_connections_waiting", "Requests that wait for a connection of a pool.", waiting)
        yield _gauge(
            "db_connections_max",
            "Connections allowed: the pools of the running workers; on postgres, max_connections.",
            limit | {database.name: MAX_CONNECTIONS},
        )

    def _containers(self, services: list[Service]) -> Iterator[Metric]:
        database = self._fleet.database
        cpu = {s.name: s.measurements.cpu.ratio() for s in services}
        memory = {s.name: ratio for s in services if (ratio := s.memory_ratio()) is not None}
        up = {s.name: int(bool(s.workers)) for s in services}
        yield _gauge(
            "container_cpu_usage_ratio",
            "CPU in use, as a share of the limit.",
            cpu | {database.name: database.measurements.cpu.ratio()},
        )
        yield _gauge(
            "container_memory_usage_ratio",
            "Memory in use by the fullest worker, as a share of its limit.",
            memory | {database.name: database.memory_ratio()},
        )
        yield self._restarts()
        yield _gauge(
            "service_up",
            "1 while at least one worker takes requests.",
            up | {database.name: int(database.up)},
        )

    def _restarts(self) -> Metric:
        restarts = CounterMetricFamily(
            "container_restarts", "Workers that died and were restarted; a deploy is not one.", labels=("service",)
        )
        containers: list[Service | Database] = [*self._fleet.services.values(), self._fleet.database]
        for service in containers:
            restarts.add_metric((service.name,), service.measurements.restarts)
        return restarts

    def _build_info(self) -> Metric:
        info = GaugeMetricFamily(
            "service_build_info", "The version deployed. All of it is simulated.", labels=("service", "version")
        )
        for name, version in self._fleet.versions.items():
            info.add_metric((name, version), 1)
        return info


def _requests(services: list[Service]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "http_requests", "Requests answered, by status; 499: the caller went away.", labels=("service", "status")
    )
    durations = SummaryMetricFamily(
        "http_request_duration_milliseconds",
        "Time to answer; the quantiles are over the last 30 s.",
        labels=("service",),
    )
    for service in services:
        for status, number in sorted(service.measurements.requests.items()):
            requests.add_metric((service.name, status), number)
        _add_total(durations, (service.name,), service.measurements.durations)
        values = service.measurements.recent.quantiles_ms(*QUANTILES)
        for quantile, value in zip(QUANTILES, values, strict=False):
            durations.add_sample(durations.name, {"service": service.name, "quantile": str(quantile)}, value)
    yield requests
    yield durations


def _calls(callers: dict[str, Measurements]) -> Iterator[Metric]:
    labels = ("service", "target")
    times = SummaryMetricFamily(
        "http_client_request_duration_milliseconds", "Time that a caller waited for a target.", labels=labels
    )
    failures = CounterMetricFamily(
        "http_client_request_failures", "Calls that ended with a 5xx or no answer.", labels=labels
    )
    for caller, measured in callers.items():
        for target, total in measured.calls.items():
            _add_total(times, (caller, target), total)
            failures.add_metric((caller, target), measured.failed_calls[target])
    yield times
    yield failures


def _database_time(services: list[Service]) -> Iterator[Metric]:
    times = SummaryMetricFamily(
        "db_query_duration_milliseconds",
        "Time that a service's queries ran in the database, without the wait for a connection.",
        labels=("service",),
    )
    for service in services:
        _add_total(times, (service.name,), service.measurements.queries)
    yield times


def _add_total(family: SummaryMetricFamily, labels: tuple[str, ...], total: Total) -> None:
    family.add_metric(labels, count_value=total.count, sum_value=total.sum_ms)


def _gauge(name: str, text: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=("service",))
    for service, value in values.items():
        family.add_metric((service,), value)
    return family
