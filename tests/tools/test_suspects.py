"""`rank_suspects` on a Prometheus double: what is asked, how long it takes, what a thousand characters say."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sre_bot.catalog import Catalog, Service
from sre_bot.clients.prometheus import Series
from sre_bot.errors import Refused, Unreachable
from sre_bot.tools.spec import Tool, specs_of
from sre_bot.tools.suspects import RootCauses
from sre_bot.tools.suspects_report import ANSWER_LIMIT
from tests.tools.conftest import FakeMetrics

PAST = 45 * 60.0  # seconds that the double remembers
AGO = 8 * 60.0  # seconds since it got bad


@dataclass
class Shop(FakeMetrics):
    """A Prometheus of the catalog's services: each 100 requests a second, the database's time grown by `factor`.

    Attributes:
        factor: of the database's time.
        ago: seconds since it grew.
        past: seconds of which it has samples.
        scrapes: in the last minute.
        broken: what happens to queries that contain the key.
    """

    factor: float = 10.0
    ago: float = AGO
    past: float = PAST
    scrapes: float = 4.0
    broken: dict[str, Exception | float] = field(default_factory=dict)
    now: float = field(default_factory=time.time)
    steps: set[float] = field(default_factory=set)

    async def query(self, promql: str, at: float | None = None) -> list[Series]:
        self.asked.append(promql)
        return [Series({}, [(self.now, self.scrapes)])] if self.scrapes else []

    async def query_range(self, promql: str, start: float, end: float, step: float) -> list[Series]:
        self.asked.append(promql)
        for part, trouble in self.broken.items():
            if part in promql:
                if isinstance(trouble, Exception):
                    raise trouble
                await asyncio.sleep(trouble)
        if promql.startswith("count("):
            return self._series({}, lambda _: 3.0, start, end, step)
        self.steps.add(step)
        return [
            series
            for labels, value in self._figures(promql)
            for series in self._series(labels, value, start, end, step)
        ]

    def _figures(self, promql: str) -> list[tuple[dict[str, str], Callable[[float], float]]]:
        queries = {"api-server": 0.06, "payment-svc": 0.02, "auth-svc": 0.008}
        own = {"api-server": 0.02, "payment-svc": 0.02, "auth-svc": 0.01}
        services = list(own)

        def query(name: str, moment: float) -> float:
            return queries[name] * (self.factor if moment > self.now - self.ago else 1.0) * 100.0

        def spent(name: str, moment: float) -> float:
            return own[name] * 100.0 + query(name, moment)

        of = {
            "http_request_duration_milliseconds_sum": spent,
            "db_query_duration_milliseconds_sum": query,
            "db_query_duration_milliseconds_count": lambda *_: 100.0,
            "http_requests_total[": lambda *_: 100.0,
        }
        for part, figure in of.items():
            if part in promql:
                target = {"target": "postgres"} if part.startswith("db_query") else {}
                return [
                    ({"service": name, **target}, lambda moment, name=name, figure=figure: figure(name, moment))  # type: ignore[misc]
                    for name in services
                ]
        return []

    def _series(
        self, labels: dict[str, str], value: Callable[[float], float], start: float, end: float, step: float
    ) -> list[Series]:
        moments = [start + step * number for number in range(int((end - start) / step + 1e-6) + 1)]
        points = [(moment, value(moment)) for moment in moments if moment >= self.now - self.past]
        return [Series(labels, points)] if points else []


async def ask(catalog: Catalog, source: FakeMetrics, patience: float = 5.0, **arguments: Any) -> tuple[str, bool]:
    group = RootCauses(catalog, source, patience)
    (spec,) = specs_of(RootCauses)
    answer = await Tool(spec, group).call(arguments)
    assert len(answer.text) <= ANSWER_LIMIT
    return answer.text, answer.is_error


async def test_a_slow_database_is_named_with_its_figures(catalog: Catalog):
    source = Shop()
    text, failed = await ask(catalog, source)
    first, symptom, suspect = text.splitlines()[:3]
    assert not failed
    assert first == "CLEAR: postgres broke first, by the figures. A lead: verify it"
    assert symptom.startswith("symptom: api-server latency 80 ms to 620 ms (z ")
    assert suspect.startswith("1. postgres: score ")
    assert "path api-server > postgres" in suspect
    assert len(source.asked) <= 13


async def test_an_incident_of_forty_minutes_ago_is_found_without_being_told(catalog: Catalog):
    text, _ = await ask(catalog, Shop(past=90 * 60.0, ago=40 * 60.0))
    assert text.startswith("CLEAR: postgres")


@pytest.mark.parametrize("ago", ["-8m", "-5m", "now"])
async def test_the_onset_is_found_from_a_time_that_is_late(catalog: Catalog, ago: str):
    text, _ = await ask(catalog, Shop(), at=ago, service="api-server", symptom="latency")
    assert text.startswith("CLEAR: postgres")


async def test_where_nothing_moved_it_says_so(catalog: Catalog):
    text, failed = await ask(catalog, Shop(factor=1.0))
    assert not failed
    assert text.startswith("NOT SIGNIFICANT: no symptom beyond what is usual")


async def test_a_young_prometheus_is_read_in_finer_rows(catalog: Catalog):
    source = Shop(past=1.5 * AGO, scrapes=60.0)
    text, _ = await ask(catalog, source)
    assert text.startswith("CLEAR: postgres")
    assert source.steps == {9.0}


async def test_rare_scrapes_get_a_longer_window(catalog: Catalog):
    source = Shop(scrapes=1.0)
    await ask(catalog, source)
    assert any("[240s]" in query for query in source.asked)


@pytest.mark.parametrize(
    ("part", "trouble", "words"),
    [
        (
            "db_query",
            Refused("Prometheus refused: bad_data", 400),
            "MISSING call_requests, call_seconds: Prometheus refused",
        ),
        ("container_cpu", 60.0, "cpu: no answer within 0.5 s"),
    ],
    ids=["refused", "too slow"],
)
async def test_a_missing_figure_is_named(catalog: Catalog, part: str, trouble: Exception | float, words: str):
    async with asyncio.timeout(30):
        text, failed = await ask(catalog, Shop(broken={part: trouble}), patience=0.5)
    assert not failed
    assert words in text


async def test_no_request_anywhere_is_no_data(catalog: Catalog):
    text, failed = await ask(catalog, FakeMetrics())
    assert not failed
    assert text.startswith("NO DATA: nothing could be ranked.\nMISSING requests, failures, ")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Shop(broken={"http_requests_total[": Unreachable("Prometheus is UNREACHABLE at x")}), "UNREACHABLE"),
        (Shop(broken={"": 60.0}), "Prometheus did not answer within 0.5 s"),
    ],
    ids=["unreachable", "hanging"],
)
async def test_a_prometheus_that_does_not_answer_is_an_error(catalog: Catalog, source: Shop, words: str):
    text, failed = await ask(catalog, source, patience=0.5)
    assert failed
    assert words in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"service": "nope"}, "No service 'nope' in the catalog"),
        ({"at": "soonish"}, "'soonish' is not a time"),
        ({"symptom": "smell"}, "symptom"),
    ],
)
async def test_arguments_that_make_no_sense_are_refused(catalog: Catalog, arguments: dict[str, Any], words: str):
    text, failed = await ask(catalog, Shop(), **arguments)
    assert failed
    assert words in text


async def test_without_its_section_the_catalog_says_what_is_missing(catalog: Catalog):
    text, failed = await ask(catalog.model_copy(update={"root_cause": None}), Shop())
    assert failed
    assert text.startswith("NOT CONFIGURED: services.yaml has no section root_cause")


async def test_two_hundred_services_take_as_many_queries_and_little_time(catalog: Catalog):
    extra = {
        f"svc-{number:03}": Service(purpose="x", owner="x", escalation="#x", depends_on=("postgres",))
        for number in range(200)
    }
    large = catalog.model_copy(update={"services": {**catalog.services, **extra}})
    source = Shop()
    text, failed = await ask(large, source)
    assert not failed
    assert len(source.asked) <= 13
    assert "not measured for latency: svc-000" in text


def test_its_description_and_schema_are_small():
    (spec,) = specs_of(RootCauses)
    assert len(spec.description) + len(str(spec.schema)) < 500
