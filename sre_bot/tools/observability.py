"""Metrics, health and alerts: what the model measures with."""

import re
import time
from typing import Annotated

from pydantic import Field

from sre_bot.catalog import Catalog
from sre_bot.clients.prometheus import Metric
from sre_bot.errors import BadRequest, TooLarge
from sre_bot.tools.alerts import report_alerts
from sre_bot.tools.health import report_health
from sre_bot.tools.moments import parse_moment
from sre_bot.tools.query import plan_window, query_instant, query_window
from sre_bot.tools.sources import AlertSource, MetricSource, RoutingSource
from sre_bot.tools.spec import Access, shorten, tool

_LISTED_METRICS = 60

ServiceName = Annotated[str | None, Field(description="Default: all services")]


class Observability:
    """Tools that ask Prometheus.

    Args:
        catalog: services and signals.
        metrics: answers PromQL.
        alerts: holds the alerting rules.
        routing: knows what is silenced or inhibited; None where there is no Alertmanager.
    """

    def __init__(
        self, catalog: Catalog, metrics: MetricSource, alerts: AlertSource, routing: RoutingSource | None = None
    ) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._alerts = alerts
        self._routing = routing

    @tool(Access.READ, title="Query metrics", progress="Querying metrics: {query}")
    async def query_metrics(
        self,
        query: Annotated[str, Field(description="PromQL, e.g. sum by (service) (rate(http_requests_total[1m]))")],
        start: Annotated[str | None, Field(description="-1h, 14:05Z, RFC 3339 or Unix: makes it a range")] = None,
        end: Annotated[str | None, Field(description="Default now")] = None,
        step: Annotated[str | None, Field(description="15s, 1m; default fits the range")] = None,
    ) -> str:
        """Run PromQL: the value now, or with start its course in buckets. Shows the 20 largest series."""
        now = time.time()
        if not query.strip():
            raise BadRequest("query is empty. Give PromQL; list_metrics shows the metrics there are.")
        if start is None and step is None:
            return await query_instant(self._metrics, query, parse_moment(end, now) if end else now, now)
        window, note = plan_window(start, end, step, now)
        return await query_window(self._metrics, query, window, now, note)

    @tool(Access.READ, title="List metrics", progress="Listing metrics {filter}")
    async def list_metrics(
        self,
        filter: Annotated[str, Field(description="Words that the name or help contains")] = "",  # noqa: A002
    ) -> str:
        """Find metric names with their type and meaning."""
        words = [word for word in re.split(r"[\s,*]+", filter.lower()) if word]
        try:
            described = await self._metrics.metadata()
        except TooLarge:
            described = {}
        names = await self._metrics.metric_names()
        known = [described.get(_family(name, described), Metric(name)) for name in names]
        found = [
            f"{name} {_explain(metric)}".strip()
            for name, metric in zip(names, known, strict=True)
            if all(word in f"{name} {metric.help}".lower() for word in words)
        ]
        if not names:
            return "NO DATA: Prometheus has no metrics at all: its targets are not scraped."
        if not found:
            return f"None of {len(names):,} metrics matches {shorten(filter, 80)!r}. Try one word, or no filter."
        if len(found) <= _LISTED_METRICS:
            return "\n".join([f"{len(found)} of {len(names):,} metrics", *found])
        header = f"{_LISTED_METRICS} of {len(found):,} matching metrics ({len(names):,} in all); narrow with filter"
        return "\n".join([header, *found[:_LISTED_METRICS]])

    @tool(Access.READ, title="Service health", progress="Checking the health of {service|all services}")
    async def get_service_health(self, service: ServiceName = None) -> str:
        """Verdict per service against its thresholds, worst first: errors, latency, DB connections, CPU, memory, up."""
        names = [service] if service else list(self._catalog.services)
        for name in names:
            self._catalog.service(name)
        return await report_health(self._catalog, self._metrics, names, time.time())

    @tool(Access.READ, title="Alerts", progress="Reading the alerts of {service|all services}")
    async def get_alerts(self, service: ServiceName = None) -> str:
        """Firing and pending alerts with severity, figure, silences, runbook and escalation."""
        if service:
            self._catalog.service(service)
        return await report_alerts(self._alerts, self._routing, service, time.time())


def _family(name: str, described: dict[str, Metric]) -> str:
    """The name under which a target describes `name`: OpenMetrics leaves the suffix of counters and histograms away."""
    family = re.sub(r"_(?:total|bucket|sum|count)$", "", name)
    return name if name in described or family not in described else family


def _explain(metric: Metric) -> str:
    return " ".join(filter(None, (metric.type, shorten(metric.help, 120))))
