"""Prometheus' wire shapes, as its API documentation gives them, taken apart."""

import math
from typing import Any

import httpx2
import pytest

from sre_bot.clients.prometheus import Alert, AlertRule, Metric, Prometheus
from sre_bot.errors import BadRequest, Refused
from sre_bot.settings import PrometheusSettings


def prometheus(data: Any, seen: list[httpx2.Request] | None = None, **environ: str) -> Prometheus:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if seen is not None:
            seen.append(request)
        return httpx2.Response(200, json={"status": "success", "data": data})

    settings = PrometheusSettings.model_validate({"PROMETHEUS_URL": "http://prometheus.test", **environ})
    return Prometheus(settings, httpx2.MockTransport(answer))


async def test_a_vector_is_one_series_per_label_set() -> None:
    data = {"resultType": "vector", "result": [{"metric": {"service": "a"}, "value": [1700000000.5, "+Inf"]}]}
    (series,) = await prometheus(data).query("up")
    assert series.labels == {"service": "a"}
    assert series.points == ((1700000000.5, math.inf),)


async def test_a_scalar_is_one_series_without_labels() -> None:
    (series,) = await prometheus({"resultType": "scalar", "result": [1, "42"]}).query("42")
    assert (dict(series.labels), series.value) == ({}, 42.0)


async def test_a_matrix_keeps_every_point_and_native_histograms_are_left_out() -> None:
    result = [{"metric": {}, "values": [[1, "1"], [2, "NaN"]]}, {"metric": {}, "histograms": []}]
    (series,) = await prometheus({"resultType": "matrix", "result": result}).query_range("up", 1, 2, 1)
    assert series.points[0] == (1.0, 1.0)
    assert math.isnan(series.value)


async def test_a_string_has_no_figures_and_says_so() -> None:
    with pytest.raises(BadRequest, match="a string"):
        await prometheus({"resultType": "string", "result": [1, "x"]}).query('"x"')


@pytest.mark.parametrize(
    "data", [None, [], {"resultType": "vector"}, {"resultType": "vector", "result": [{"value": 3}]}]
)
async def test_another_system_behind_the_address_is_refused(data: Any) -> None:
    with pytest.raises(Refused, match="PROMETHEUS_URL"):
        await prometheus(data).query("up")


async def test_rules_carry_their_alerts_their_last_evaluation_and_their_error() -> None:
    alert: dict[str, Any] = {
        "labels": {"service": "a", "severity": "critical"},
        "annotations": {"summary": "bad"},
        "state": "firing",
        "activeAt": "2026-01-31T09:30:00.123456789Z",
        "value": "1.5e+00",
    }
    rules = [
        {
            "name": "Bad",
            "type": "alerting",
            "alerts": [alert],
            "health": "ok",
            "lastEvaluation": "2026-01-31T09:31:00Z",
        },
        {
            "name": "Broken",
            "type": "alerting",
            "alerts": [],
            "health": "err",
            "lastError": "many-to-many",
            "lastEvaluation": "0001-01-01T00:00:00Z",
        },
    ]
    bad, broken = await prometheus({"groups": [{"rules": rules}]}).alert_rules()
    assert bad == AlertRule(
        "Bad", 1769851860.0, "", [Alert("firing", 1.5, 1769851800.123456, alert["labels"], alert["annotations"])]
    )
    assert (broken.error, broken.evaluated) == ("many-to-many", 0.0)


async def test_metadata_gives_type_and_help_by_name() -> None:
    data = {"up": [{"type": "gauge", "help": "Up.", "unit": ""}], "odd": []}
    assert await prometheus(data).metadata() == {"up": Metric("up", "gauge", "Up.")}


async def test_queries_are_posted_so_that_they_may_be_long() -> None:
    seen: list[httpx2.Request] = []
    await prometheus({"resultType": "vector", "result": []}, seen).query("up " * 10_000)
    assert seen[0].method == "POST"
    assert seen[0].url.query == b""


@pytest.mark.parametrize(
    ("environ", "header"),
    [
        ({"PROMETHEUS_USERNAME": "ada", "PROMETHEUS_PASSWORD": "pw"}, "Basic YWRhOnB3"),
        ({"PROMETHEUS_BEARER_TOKEN": "t0ken"}, "Bearer t0ken"),
        ({}, None),
    ],
)
async def test_requests_carry_the_configured_authentication(environ: dict[str, str], header: str | None) -> None:
    seen: list[httpx2.Request] = []
    await prometheus([], seen, **environ).metric_names()
    assert seen[0].headers.get("Authorization") == header
