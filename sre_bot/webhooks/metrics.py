"""What the listener counts, in Prometheus' format. No label takes its value from what somebody sent."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sre_bot.webhooks import alertmanager, pagerduty

CONTENT_TYPE = CONTENT_TYPE_LATEST

_KINDS = pagerduty.KINDS | alertmanager.KINDS
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters of one listener.

    Args:
        registry: where they are registered, and what is shown; other parts of the process may register theirs in it.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._deliveries = Counter(
            "sre_bot_webhook_deliveries",
            "Deliveries by what became of them; kind is empty where none was read.",
            ("source", "kind", "outcome"),
            registry=registry,
        )
        self._requests = Histogram(
            "sre_bot_http_request_duration_seconds",
            "Requests to the listener, from their headers to their answer.",
            ("route", "status"),
            buckets=_SECONDS,
            registry=registry,
        )

    def count(self, source: str, kind: str | None, outcome: str) -> None:
        """Count one delivery. `kind` is as its sender named it; one that we do not know is `other`."""
        known = "" if kind is None else kind if kind in _KINDS else "other"
        self._deliveries.labels(source, known, outcome).inc()

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Note one request."""
        self._requests.labels(route, str(status)).observe(seconds)

    def text(self) -> bytes:
        """Everything in the registry, in the format of `CONTENT_TYPE`."""
        return generate_latest(self._registry)
