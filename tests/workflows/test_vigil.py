"""A short look at monitoring: what does not answer is never healthy, and many who ask make one look."""

import asyncio

import pytest

from sre_bot.catalog import Severity, load_catalog
from sre_bot.clients.prometheus import Alert, AlertRule, Series
from sre_bot.errors import Unreachable
from sre_bot.settings import ROOT
from sre_bot.workflows.vigil import Firing, Vigil
from tests.tools.conftest import FakeMetrics

CATALOG = load_catalog(ROOT / "config")


def figures(**failing: float) -> FakeMetrics:
    """Every signal of every service well within its thresholds, but for the error rate of some."""
    metrics = FakeMetrics()
    metrics.answers = {
        signal.query: [
            Series({"service": name}, [(0.0, failing.get(name.replace("-", "_"), _well(signal_name)))])
            if signal_name == "error_rate"
            else Series({"service": name}, [(0.0, _well(signal_name))])
            for name in CATALOG.services
        ]
        for signal_name, signal in CATALOG.signals.items()
    }
    return metrics


def _well(signal: str) -> float:
    limit = CATALOG.signals[signal].critical_below
    return 0.0 if limit is None else limit * 2 + 1


def firing(name: str, service: str, state: str = "firing") -> AlertRule:
    return AlertRule(name, 0.0, alerts=[Alert(state, 1.0, 0.0, {"service": service}, {})])


async def test_a_look_says_what_is_breached_and_what_fires() -> None:
    metrics = figures(api_server=0.5)
    metrics.rules = [firing("HighErrorRate", "api-server"), firing("Slow", "auth-svc", "pending")]
    outlook = await Vigil(CATALOG, metrics, {}).look()
    assert [(each.name, each.severity) for each in outlook.failing] == [("api-server", Severity.CRITICAL)]
    assert outlook.failing[0].breached == (CATALOG.signals["error_rate"].title,)
    assert outlook.services[0].name == "api-server", "the worst comes first"
    assert outlook.alerts == (Firing("HighErrorRate", "api-server"),)
    assert outlook.systems == {"Prometheus": ""}


async def test_a_prometheus_that_does_not_answer_leaves_health_unknown() -> None:
    metrics = FakeMetrics({"": Unreachable("Prometheus did not answer.")})
    outlook = await Vigil(CATALOG, metrics, {}).look()
    assert outlook.services == ()
    assert outlook.systems == {"Prometheus": "Prometheus did not answer."}


async def test_absent_figures_are_no_data_and_not_healthy() -> None:
    outlook = await Vigil(CATALOG, FakeMetrics(), {}).look()
    assert {each.severity for each in outlook.services} == {Severity.NO_DATA}
    assert outlook.failing == ()


async def test_the_other_systems_are_asked_and_named_where_they_fail() -> None:
    async def well() -> str:
        return "fine"

    async def broken() -> None:
        raise Unreachable("PagerDuty did not answer.")

    outlook = await Vigil(CATALOG, figures(), {"Alertmanager": well, "PagerDuty": broken}).look()
    assert outlook.systems == {"Prometheus": "", "Alertmanager": "", "PagerDuty": "PagerDuty did not answer."}


@pytest.mark.parametrize(("remembered", "looks"), [(60.0, 1), (0.0, 20)])
async def test_many_who_ask_at_once_make_one_look(remembered: float, looks: int) -> None:
    metrics = figures()
    vigil = Vigil(CATALOG, metrics, {}, remembered)
    outlooks = await asyncio.gather(*(vigil.look() for _ in range(20)))
    assert len(metrics.asked) == looks * len(CATALOG.signals)
    assert len({id(each) for each in outlooks}) == looks
