"""query_metrics and list_metrics on made-up series: what is shown, what is left out, and how it is said."""

import math
import re
import time
from collections.abc import Sequence
from typing import Any

import pytest

from sre_bot.catalog import Catalog
from sre_bot.clients.prometheus import Series
from sre_bot.errors import Refused
from sre_bot.tools.observability import Observability
from sre_bot.tools.query import MAX_POINTS, plan_window
from sre_bot.tools.series import Window, largest, render_window
from sre_bot.tools.spec import Answer, Tool, specs_of
from tests.tools.conftest import FakeMetrics, one

NOW = 1_769_868_312.0


async def ask(catalog: Catalog, metrics: FakeMetrics, name: str = "query_metrics", **arguments: Any) -> Answer:
    group = Observability(catalog, metrics, metrics)
    spec = next(spec for spec in specs_of(Observability) if spec.name == name)
    return await Tool(spec, group).call(arguments)


def course(values: Sequence[float | None], window: Window) -> Series:
    points = [(window.start + i * window.step, value) for i, value in enumerate(values) if value is not None]
    return Series({"service": "api-server"}, points)


async def test_an_instant_answer_names_the_service_first_and_shared_labels_once(catalog: Catalog) -> None:
    series = [
        Series({"service": "auth-svc", "job": "fleet", "status": "500"}, [(NOW, 1.0)]),
        Series({"service": "api-server", "job": "fleet", "status": "502"}, [(NOW, 12.3456)]),
    ]
    answer = await ask(catalog, FakeMetrics({"errors": series}), query="rate(errors_total[1m])")
    header, *lines = answer.text.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\dZ: 2 series, per second", header)
    assert lines == ['all with job="fleet"', 'api-server status="502" 12.3', 'auth-svc status="500" 1']


async def test_only_the_20_largest_are_shown_and_the_rest_is_counted_with_the_way_to_it(catalog: Catalog) -> None:
    series = [one(f"svc-{number:03}", number) for number in range(100)] + [one("odd", math.nan)]
    lines = (await ask(catalog, FakeMetrics({"load": series}), query="load")).text.splitlines()
    assert ": 20 of 101 series, those with the largest values" in lines[0]
    assert lines[1] == "svc-099 99"
    assert len(lines) == 22
    assert lines[-1] == "81 series left out: add label matchers, aggregate, or ask for bottomk(20, load)"


async def test_a_range_is_asked_for_by_a_start(catalog: Catalog) -> None:
    point = time.time() - 5
    series = Series({"service": "api-server"}, [(point - 1, 1.0), (point, 2.0)])
    answer = await ask(catalog, FakeMetrics({"load": [series]}), query="load", start="-10m")
    header, legend, line = answer.text.splitlines()
    assert "Z, step 5 s: 1 series" in header
    assert legend.startswith("mean in buckets of 25 s; ")
    assert line.startswith("api-server last 2 mean 1.5 max 2 at ")


def test_a_spike_survives_in_its_bucket_and_gaps_stay_gaps() -> None:
    window = Window(NOW, NOW + 239, 1)
    values: list[float | None] = [1.0] * 240
    values[100] = 50.0
    values[160:176] = [None] * 16
    values[176:184] = [0.0] * 8
    (legend, line) = render_window([course(values, window)], window)
    assert legend == "mean in buckets of 8 s; mean^max where max > 1.2 x mean; - is no data; x*n repeats n times"
    assert line.endswith("| 1*12 7.12^50 1*7 -*2 0 1*7")
    assert "max 50 at " in line


def test_a_series_of_nan_only_says_so() -> None:
    window = Window(NOW, NOW + 3, 1)
    assert render_window([course([math.nan] * 4, window)], window) == ["api-server only NaN"]


def test_a_series_that_never_changes_is_said_to_be_so_unless_it_has_gaps() -> None:
    window = Window(NOW, NOW + 3, 1)
    assert render_window([course([-2.5] * 4, window)], window) == ["api-server -2.5 throughout"]
    assert render_window([course([-2.5, None, -2.5, -2.5], window)], window)[-1].endswith("| -2.5 - -2.5*2")
    assert render_window([course([0.0, 0.0, math.nan, 0.0], window)], window)[-1].endswith("| 0*2 - 0")


def test_only_the_signs_that_occur_are_explained() -> None:
    window = Window(NOW, NOW + 3, 1)
    legend, _, _ = render_window([course([-2.0, -1.0, 0.0, 1.0], window), course([1.0] * 4, window)], window)
    assert legend == "mean in buckets of 1 s"


def test_a_last_bucket_that_is_not_full_is_announced() -> None:
    for points, partial in ((61, True), (60, False)):
        window = Window(NOW, NOW + points - 1, 1)
        legend = render_window([course([float(n) for n in range(points)], window)], window)[0]
        assert ("the last one is partial" in legend) == partial


def test_nan_never_counts_as_largest() -> None:
    ranked = largest([one("a", math.nan), one("b", -1.0), one("c", math.inf)])
    assert [series.labels["service"] for series in ranked] == ["c", "b", "a"]


def test_eight_services_over_an_hour_fit_into_3_kb() -> None:
    window = Window(NOW, NOW + 3600, 15)
    series = [course([0.123 + i * math.sin(i * n) for i in range(241)], window) for n in range(8)]
    assert len("\n".join(render_window(series, window))) <= 3000


@pytest.mark.parametrize(
    ("start", "end", "length", "step", "points"),
    [
        ("-1h", None, 3600, 15, 241),
        ("-5m", None, 300, 2, 151),
        ("-6h", "-1h", 18000, 120, 151),
        ("-30d", None, 2592000, 21600, 121),
        (None, "-1h", 3600, 15, 241),
    ],
)
def test_the_step_fits_the_range_into_about_240_points(
    start: str | None, end: str | None, length: float, step: float, points: int
) -> None:
    window, note = plan_window(start, end, None, NOW)
    assert (window.end - window.start, window.step, window.points, note) == (length, step, points, "")


def test_a_step_that_prometheus_would_refuse_is_widened_and_that_is_said() -> None:
    window, note = plan_window("-7d", None, "1s", NOW)
    assert window.points <= MAX_POINTS
    assert note == "step widened from 1 s to 55 s: Prometheus answers at most 11,000 points."


async def test_a_start_after_the_end_is_refused(catalog: Catalog) -> None:
    answer = await ask(catalog, FakeMetrics(), query="up", start="-1h", end="-2h")
    assert answer.is_error
    assert "must be before end" in answer.text


async def test_no_data_names_the_unknown_metric_and_close_ones(catalog: Catalog) -> None:
    metrics = FakeMetrics(names=["http_requests_total", "up"])
    answer = await ask(catalog, metrics, query='sum by (service) (rate(http_request_total{status="500"}[1m]))')
    assert not answer.is_error
    assert answer.text.startswith("NO DATA: sum by (service)")
    assert "No metric is called http_request_total. Close: http_requests_total." in answer.text
    assert answer.text.count("No metric is called") == 1


async def test_no_data_names_the_label_that_matches_nothing_and_its_values(catalog: Catalog) -> None:
    metrics = FakeMetrics(names=["up"], values={"up": ["api-server", "auth-svc"]})
    answer = await ask(catalog, metrics, query='up{service="api{}"} offset 5m')
    assert 'up has no series with service="api{}"; values of service: api-server, auth-svc.' in answer.text


async def test_no_data_of_a_comparison_says_that_nothing_may_fulfil_it(catalog: Catalog) -> None:
    answer = await ask(catalog, FakeMetrics(names=["cpu"]), query="cpu > 0.8")
    assert "NO DATA may mean that nothing fulfils the comparison" in answer.text
    plain = await ask(catalog, FakeMetrics(names=["cpu"]), query='cpu{a!="b"}')
    assert "comparison" not in plain.text


async def test_a_parse_error_is_prometheus_own_with_advice(catalog: Catalog) -> None:
    refused = Refused("Prometheus answered 400: 1:5: parse error: unclosed left parenthesis.", 400)
    answer = await ask(catalog, FakeMetrics({"sum(": refused}), query="sum(")
    assert answer.is_error
    assert "1:5: parse error: unclosed left parenthesis. Nothing was queried. Correct the PromQL" in answer.text


@pytest.mark.parametrize(
    ("query", "unit"),
    [
        ('max by (service) (http_request_duration_milliseconds{quantile="0.99"})', ", unit ms"),
        ("container_cpu_usage_ratio", ", unit ratio, 1 is 100 %"),
        ("rate(http_requests_total[1m])", ", per second"),
        ("rate(x_milliseconds_sum[1m])", ""),
        ("a_seconds / b_seconds", ""),
        ("count(a_seconds)", ""),
        ("db_connections_active", ""),
    ],
)
async def test_a_unit_is_stated_only_beyond_doubt(catalog: Catalog, query: str, unit: str) -> None:
    answer = await ask(catalog, FakeMetrics({query: [one("a", 1)]}), query=query)
    assert answer.text.splitlines()[0].endswith("Z: 1 series" + unit)


async def test_metrics_are_listed_with_type_and_help_and_found_by_words(catalog: Catalog) -> None:
    metrics = FakeMetrics(names=["http_requests_total", "up"])
    listed = await ask(catalog, metrics, "list_metrics", filter="requests ANSWERED")
    assert listed.text.splitlines() == ["1 of 2 metrics", "http_requests_total counter Requests answered."]
    nothing = await ask(catalog, metrics, "list_metrics", filter="disk")
    assert nothing.text == "None of 2 metrics matches 'disk'. Try one word, or no filter."


async def test_a_long_list_of_metrics_is_cut_and_says_how_to_narrow_it(catalog: Catalog) -> None:
    listed = await ask(catalog, FakeMetrics(names=[f"m{n:05}" for n in range(10_000)]), "list_metrics")
    assert listed.text.startswith("60 of 10,000 matching metrics (10,000 in all); narrow with filter")
    assert len(listed.text.splitlines()) == 61


async def test_a_prometheus_without_metrics_says_that_nothing_is_scraped(catalog: Catalog) -> None:
    assert (await ask(catalog, FakeMetrics(), "list_metrics")).text.startswith("NO DATA: ")
