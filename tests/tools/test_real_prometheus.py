"""The tools on a real Prometheus that holds 10,000 series: bounded, and its own words kept."""

import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from sre_bot.catalog import Catalog
from sre_bot.clients.http import MAX_BODY
from sre_bot.clients.prometheus import Prometheus
from sre_bot.settings import PrometheusSettings
from sre_bot.tools.charts import LARGEST_IMAGE, Charts
from sre_bot.tools.observability import Observability
from sre_bot.tools.spec import SOFT_LIMIT, Answer, Tool, specs_of
from tests.tools.conftest import MANY


@asynccontextmanager
async def connected(catalog: Catalog, url: str, max_body: int = MAX_BODY) -> AsyncIterator[dict[str, Tool]]:
    client = Prometheus(PrometheusSettings.model_validate({"PROMETHEUS_URL": url}), max_body=max_body)
    groups: list[object] = [Observability(catalog, client, client), Charts(catalog, client)]
    yield {spec.name: Tool(spec, group) for group in groups for spec in specs_of(type(group))}
    await client.aclose()


@pytest_asyncio.fixture
async def tools(catalog: Catalog, prometheus_url: str) -> AsyncIterator[dict[str, Tool]]:
    async with connected(catalog, prometheus_url) as opened:
        yield opened


async def query(tools: dict[str, Tool], query: str, **arguments: Any) -> Answer:
    answer = await tools["query_metrics"].call({"query": query, **arguments})
    assert len(answer.text) <= SOFT_LIMIT
    return answer


async def test_10000_series_at_one_time_are_answered_by_the_20_largest(tools: dict[str, Tool]) -> None:
    answer = await query(tools, "load")
    assert not answer.is_error
    lines = answer.text.splitlines()
    assert f"20 of {MANY:,} series, those with the largest values" in lines[0]
    assert lines[2] == 'svc-3 series="09999" 9999'
    assert "9,980 series left out" in lines[-1]


async def test_10000_series_over_an_hour_are_answered_by_the_20_largest(tools: dict[str, Tool]) -> None:
    answer = await query(tools, "load # all of them", start="-1h", step="1s")
    assert not answer.is_error, answer.text
    lines = answer.text.splitlines()
    assert f"20 of {MANY:,} series, those with the largest values" in lines[0]
    assert lines[3].startswith('svc-3 series="09999" last 9999 mean 9999 max 9999 at ')
    assert len(lines) == 24


async def test_more_than_the_body_limit_is_chosen_from_by_prometheus_and_memory_stays_bounded(
    catalog: Catalog, prometheus_url: str
) -> None:
    # The target was scraped for seconds only; a smaller limit stands for hours of samples.
    async with connected(catalog, prometheus_url, max_body=100_000) as tools:
        tracemalloc.start()
        try:
            for arguments in ({}, {"start": "-5m"}):
                answer = await query(tools, "load", **arguments)
                assert not answer.is_error, answer.text
                assert f"20 of {MANY:,} series, those with the largest values" in answer.text.splitlines()[0]
                assert 'svc-3 series="09999"' in answer.text
            assert tracemalloc.get_traced_memory()[1] < 10 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("max_body", [MAX_BODY, 100_000])
async def test_a_chart_of_10000_series_draws_the_8_largest_and_says_what_it_leaves_out(
    catalog: Catalog, prometheus_url: str, max_body: int
) -> None:
    async with connected(catalog, prometheus_url, max_body) as tools:
        answer = await tools["plot_metrics"].call({"query": "load", "start": "-5m"})
    assert not answer.is_error, answer.text
    assert answer.image.startswith(b"\x89PNG")
    assert len(answer.image) < LARGEST_IMAGE
    lines = answer.text.splitlines()
    assert lines[2].startswith('svc-3 series="09999" ')
    assert lines[9].startswith('svc-0 series="09992" ')
    assert lines[10].startswith('not drawn, as their maxima are smaller: svc-3 series="09991", ')
    assert "and 9,980 more" in lines[10]


async def test_a_chart_keeps_prometheus_own_words_and_finds_the_cause_of_no_data(tools: dict[str, Tool]) -> None:
    plot = tools["plot_metrics"]
    refused = await plot.call({"query": "sum(rate(load[1m])"})
    assert refused.is_error
    assert "parse error: unclosed left parenthesis" in refused.text
    absent = await plot.call({"query": 'load{service="svc-9"}'})
    assert (absent.is_error, absent.image) == (False, b"")
    assert "values of service: svc-0, svc-1, svc-2, svc-3." in absent.text


async def test_what_prometheus_cannot_choose_from_either_is_refused_with_advice(
    catalog: Catalog, prometheus_url: str
) -> None:
    async with connected(catalog, prometheus_url, max_body=1_000) as tools:
        answer = await query(tools, "load", start="-5m")
    assert answer.is_error
    assert "Aggregate it" in answer.text


async def test_a_parse_error_keeps_prometheus_own_words(tools: dict[str, Tool]) -> None:
    answer = await query(tools, "sum(rate(load[1m])")
    assert answer.is_error
    assert "parse error: unclosed left parenthesis" in answer.text
    assert "Correct the PromQL" in answer.text


@pytest.mark.parametrize(
    ("promql", "first"),
    [
        ("42", "value 42"),
        ("sum(load)", "value 5e7"),
        ('label_replace(sum(load), "service", "x", "", "")', "x 5e7"),
        ("count by (service) (load)", "svc-0 2500"),
    ],
)
async def test_every_kind_of_result_has_a_line(tools: dict[str, Tool], promql: str, first: str) -> None:
    answer = await query(tools, promql)
    assert answer.text.splitlines()[1] == first


async def test_raw_samples_are_shown_by_their_newest(tools: dict[str, Tool]) -> None:
    answer = await query(tools, 'load{series="00007"}[1m]')
    assert answer.text.splitlines()[-1].endswith(" 7")


async def test_a_string_is_refused_as_such(tools: dict[str, Tool]) -> None:
    assert "which has no figures" in (await query(tools, '"text"')).text


async def test_no_data_finds_its_cause_in_the_real_names(tools: dict[str, Tool]) -> None:
    assert "No metric is called loads. Close: load." in (await query(tools, "sum(loads)")).text
    text = (await query(tools, 'load{service="svc-9"}')).text
    assert 'load has no series with service="svc-9"; values of service: svc-0, svc-1, svc-2, svc-3.' in text
    assert "load has no label 'region'." in (await query(tools, 'load{region="eu"}')).text


async def test_a_step_below_what_prometheus_answers_is_widened(tools: dict[str, Tool]) -> None:
    answer = await query(tools, 'sum(load{series="00007"})', start="-7d", step="1s")
    assert not answer.is_error
    assert "step widened from 1 s to 55 s" in answer.text


async def test_the_fleets_absence_is_no_data_and_no_health(tools: dict[str, Tool]) -> None:
    answer = await tools["get_service_health"].call({})
    assert answer.text.startswith("NO DATA: 4 of 4 services cannot be judged")
    alerts = await tools["get_alerts"].call({})
    assert alerts.text.startswith("NO RULES LOADED")


async def test_metrics_are_listed_with_what_the_target_says(tools: dict[str, Tool]) -> None:
    answer = await tools["list_metrics"].call({"filter": "load"})
    assert answer.text.splitlines()[1].startswith("load gauge")
