"""Prometheus' HTTP API v1: queries, alerting rules, alerts and names.

Prometheus' own words survive: a parse error tells more than a status. Durations and times are seconds since the epoch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2

from sre_bot.clients.http import MAX_BODY, HttpService, bearer
from sre_bot.errors import BadRequest
from sre_bot.settings import PrometheusSettings

EVALUATION_TIMEOUT = "15s"  # below a tool's deadline, so that Prometheus gives the reason itself


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: its labels and its points as (time, value), oldest first."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def value(self) -> float:
        """The newest value; NaN where there is none."""
        return self.points[-1][1] if self.points else float("nan")


@dataclass(frozen=True, slots=True)
class Metric:
    """What the targets say of a metric; type and help are empty where they say nothing (recording rules)."""

    name: str
    type: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One active alert: `state` is firing or pending, `since` the time it became active."""

    state: str
    value: float
    since: float
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alerting rule with its active alerts; `error` is why its last evaluation failed, else empty."""

    name: str
    evaluated: float
    error: str = ""
    alerts: Sequence[Alert] = field(default=())


class Prometheus:
    """A Prometheus server; every method raises the BackendErrors of `HttpService`."""

    def __init__(
        self,
        settings: PrometheusSettings,
        transport: httpx2.AsyncBaseTransport | None = None,
        max_body: int = MAX_BODY,
    ) -> None:
        token, password = settings.bearer_token, settings.password
        self._http = HttpService(
            "Prometheus",
            "PROMETHEUS_URL",
            settings.url,
            auth=(settings.username, password.get_secret_value()) if settings.username and password else None,
            headers=bearer(token.get_secret_value()) if token else None,
            transport=transport,
            max_body=max_body,
        )

    async def query(self, promql: str, at: float | None = None) -> list[Series]:
        """Evaluate at one time (default: now, by Prometheus' clock); a scalar is one series without labels."""
        form = {"query": promql, "time": at, "timeout": EVALUATION_TIMEOUT}
        return await self._evaluate("query", form)

    async def query_range(self, promql: str, start: float, end: float, step: float) -> list[Series]:
        """Evaluate every `step` seconds from `start` to `end`; Prometheus refuses more than 11,000 points."""
        form = {"query": promql, "start": start, "end": end, "step": step, "timeout": EVALUATION_TIMEOUT}
        return await self._evaluate("query_range", form)

    async def alert_rules(self) -> list[AlertRule]:
        """All alerting rules with the alerts they hold."""
        answer = await self._http.get_json("/api/v1/rules", {"type": "alert"})
        with self._http.reading():
            return [_rule(rule) for group in answer["data"]["groups"] for rule in group["rules"]]

    async def metric_names(self) -> list[str]:
        """Names of all metrics that have data, sorted."""
        return await self.label_values("__name__")

    async def label_values(self, label: str, selector: str | None = None) -> list[str]:
        """Values of `label` among the series that `selector` matches (default: all), sorted."""
        answer = await self._http.get_json(f"/api/v1/label/{label}/values", {"match[]": selector})
        with self._http.reading():
            return sorted(str(value) for value in answer["data"])

    async def metadata(self) -> dict[str, Metric]:
        """Type and help of the metrics that targets describe, by name."""
        answer = await self._http.get_json("/api/v1/metadata", {"limit_per_metric": 1})
        with self._http.reading():
            return {
                name: Metric(name, entries[0].get("type", ""), entries[0].get("help", ""))
                for name, entries in answer["data"].items()
                if entries
            }

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _evaluate(self, endpoint: str, form: Mapping[str, Any]) -> list[Series]:
        answer = await self._http.post_form(f"/api/v1/{endpoint}", form)
        with self._http.reading():
            return _series(answer["data"])


def _series(data: Mapping[str, Any]) -> list[Series]:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return [Series({}, (_point(result),))]
    if kind == "vector":
        return [Series(item["metric"], (_point(item["value"]),)) for item in result if "value" in item]
    if kind == "matrix":
        return [
            Series(item["metric"], [_point(pair) for pair in item["values"]]) for item in result if "values" in item
        ]
    raise BadRequest(f"The query's result is a {kind}, which has no figures. Ask for a vector.")


def _point(pair: Sequence[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])  # values are strings on the wire, "NaN" and "+Inf" among them


def _rule(rule: Mapping[str, Any]) -> AlertRule:
    alerts = [
        Alert(
            alert["state"],
            float(alert["value"]),
            _moment(alert["activeAt"]),
            alert["labels"],
            alert["annotations"],
        )
        for alert in rule.get("alerts", [])
    ]
    error = rule.get("lastError", "") if rule.get("health") == "err" else ""
    return AlertRule(rule["name"], _moment(rule["lastEvaluation"]), error, alerts)


def _moment(text: str) -> float:
    """Seconds since the epoch; a rule that was never evaluated carries Go's year 1."""
    return max(0.0, datetime.fromisoformat(text).timestamp())
