"""get_service_health and get_alerts: a verdict that never guesses."""

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sre_bot.catalog import Catalog
from sre_bot.clients.prometheus import Alert, AlertRule
from sre_bot.errors import Refused, Unreachable
from sre_bot.tools.observability import Observability
from sre_bot.tools.spec import Answer, Tool, specs_of
from tests.tools.conftest import Answer as Served
from tests.tools.conftest import FakeMetrics, one

SERVICES = ("api-server", "payment-svc", "auth-svc", "postgres")
HEALTHY = {
    "error_rate": 0.0,
    "latency_p99": 120.0,
    "db_connections": 0.07,
    "cpu": 0.3,
    "memory": 0.4,
    "up": 1.0,
    "requests": 120.0,
    "db_waiting": 0.0,
    "restarts": 0.0,
}


def fleet(catalog: Catalog, broken: Mapping[str, Any] | None = None, service: str = "api-server") -> FakeMetrics:
    """Every signal of every service; `broken` replaces those of one (None: absent, an error: fails for all)."""
    answers: dict[str, Served] = {}
    for name, value in HEALTHY.items():
        changed = (broken or {}).get(name, value)
        series = [one(each, value) for each in SERVICES if each != service]
        present = [] if changed is None else [one(service, changed)]
        answers[catalog.signals[name].query] = changed if isinstance(changed, Exception) else series + present
    return FakeMetrics(answers)


async def health(catalog: Catalog, metrics: FakeMetrics, **arguments: Any) -> Answer:
    return await _call(catalog, metrics, "get_service_health", arguments)


async def _call(catalog: Catalog, metrics: FakeMetrics, name: str, arguments: Mapping[str, Any]) -> Answer:
    spec = next(spec for spec in specs_of(Observability) if spec.name == name)
    return await Tool(spec, Observability(catalog, metrics, metrics)).call(arguments)


def block(text: str, service: str) -> list[str]:
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{service} "))
    rest = lines[start + 1 :]
    return [lines[start], *rest[: next((n for n, line in enumerate(rest) if not line.startswith("  ")), len(rest))]]


async def test_healthy_services_are_rows_with_all_their_figures(catalog: Catalog) -> None:
    absent = dict.fromkeys(("error_rate", "latency_p99", "requests", "db_waiting"))
    answer = await health(catalog, fleet(catalog, absent, "postgres"))
    assert not answer.is_error
    header, columns, *rows = answer.text.splitlines()
    assert header.startswith("OK: 0 of 4 services breach a threshold at ")
    assert columns == " | ".join(["OK (owner, purpose: ask with service)", *HEALTHY, "depends on"])
    assert rows[1:] == [
        "payment-svc OK | 0 % | 120 ms | 7 % | 30 % | 40 % | 1 | 120/s | 0 | 0 | postgres, auth-svc",
        "auth-svc OK | 0 % | 120 ms | 7 % | 30 % | 40 % | 1 | 120/s | 0 | 0 | postgres",
        "postgres OK | n/a | n/a | 7 % | 30 % | 40 % | 1 | n/a | n/a | 0 | nothing",
    ]


async def test_a_healthy_service_that_is_asked_for_comes_with_owner_and_neighbours(catalog: Catalog) -> None:
    metrics = fleet(catalog, {"error_rate": 0.5})
    assert block((await health(catalog, metrics, service="payment-svc")).text, "payment-svc") == [
        "payment-svc OK (Payment processing; Payments team, #payments-oncall)",
        "  OK: error_rate 0 %, latency_p99 120 ms, db_connections 7 %, cpu 30 %, memory 40 %, up 1, requests 120/s",
        "  context: db_waiting 0, restarts 0",
        "  depends on postgres OK, auth-svc OK; called by api-server CRITICAL",
    ]


async def test_absent_context_of_a_healthy_service_is_no_data_in_its_row(catalog: Catalog) -> None:
    text = (await health(catalog, fleet(catalog, {"restarts": None}))).text
    assert "\napi-server OK | 0 % | 120 ms | 7 % | 30 % | 40 % | 1 | 120/s | 0 | NO DATA | postgres, " in text


async def test_one_query_per_signal_is_asked_whatever_the_number_of_services(catalog: Catalog) -> None:
    metrics = fleet(catalog)
    await health(catalog, metrics)
    assert sorted(metrics.asked) == sorted(signal.query for signal in catalog.signals.values())


async def test_breaches_come_first_with_figure_threshold_and_unit(catalog: Catalog) -> None:
    metrics = fleet(catalog, {"error_rate": 0.331, "cpu": 0.8, "db_waiting": 45.0}, "auth-svc")
    text = (await health(catalog, metrics)).text
    assert text.startswith("CRITICAL: 1 of 4 services breaches a threshold at ")
    assert text.splitlines()[1].startswith("auth-svc CRITICAL (")
    assert block(text, "auth-svc") == [
        "auth-svc CRITICAL (Authentication; Identity team, #identity-oncall)",
        "  error_rate 33.1 % CRITICAL (> 5 %)",
        "  cpu 80 % WARNING (> 70 %; critical > 90 %)",
        "  OK: latency_p99 120 ms, db_connections 7 %, memory 40 %, up 1, requests 120/s",
        "  context: db_waiting 45, restarts 0",
        "  depends on postgres",
    ]
    (caller,) = block(text, "api-server")
    assert caller.endswith(" | postgres, payment-svc, auth-svc")


async def test_a_service_that_is_down_is_critical(catalog: Catalog) -> None:
    text = (await health(catalog, fleet(catalog, {"up": 0.0}))).text
    assert "  up 0 CRITICAL (< 1)" in block(text, "api-server")


@pytest.mark.parametrize("signal", ["up", "requests", "error_rate", "memory"])
async def test_an_absent_figure_that_decides_is_no_data_and_not_healthy(catalog: Catalog, signal: str) -> None:
    text = (await health(catalog, fleet(catalog, {signal: None}))).text
    assert text.startswith("NO DATA: 1 of 4 services cannot be judged, none breaches a threshold at ")
    assert block(text, "api-server")[0].startswith("api-server NO DATA (")
    assert f"  {signal} NO DATA" in block(text, "api-server")


async def test_nan_is_no_data(catalog: Catalog) -> None:
    text = (await health(catalog, fleet(catalog, {"error_rate": float("nan")}))).text
    assert "  error_rate NO DATA" in block(text, "api-server")


async def test_a_signal_that_a_service_does_not_have_is_not_missed(catalog: Catalog) -> None:
    metrics = fleet(catalog, dict.fromkeys(("error_rate", "latency_p99", "requests", "db_waiting")), "postgres")
    assert (await health(catalog, metrics, service="postgres")).text.startswith("OK: 0 of 1 service breach")


async def test_a_prometheus_without_any_series_is_no_data_everywhere(catalog: Catalog) -> None:
    text = (await health(catalog, FakeMetrics())).text
    assert text.startswith("NO DATA: 4 of 4 services cannot be judged")
    assert " OK" not in text


async def test_a_signal_whose_query_fails_is_said_and_the_others_are_judged(catalog: Catalog) -> None:
    broken = {"cpu": Refused("Prometheus answered 422: bad.", 422), "error_rate": 0.5}
    text = (await health(catalog, fleet(catalog, broken))).text
    assert text.splitlines()[1] == ("signal cpu FAILED, it is missing below: Prometheus answered 422: bad.")
    assert "api-server CRITICAL" in text
    assert "  cpu NO DATA" in block(text, "payment-svc")


async def test_an_unreachable_prometheus_is_an_error_and_no_verdict(catalog: Catalog) -> None:
    metrics = fleet(catalog, {"up": Unreachable("UNREACHABLE: Prometheus did not answer.")})
    assert await health(catalog, metrics) == Answer("UNREACHABLE: Prometheus did not answer.", is_error=True)


async def test_when_every_query_fails_health_is_unknown(catalog: Catalog) -> None:
    metrics = FakeMetrics({"": Refused("Prometheus answered 503: starting.", 503)})
    answer = await health(catalog, metrics)
    assert answer.is_error
    assert answer.text.startswith("UNREACHABLE: not one signal could be read, so health is unknown.")
    assert "503: starting" in answer.text


@pytest.mark.parametrize("tool", ["get_service_health", "get_alerts"])
async def test_an_unknown_service_is_answered_with_those_that_exist(catalog: Catalog, tool: str) -> None:
    answer = await _call(catalog, fleet(catalog), tool, {"service": "api"})
    assert answer == Answer(f"No service 'api' in the catalog. Services: {', '.join(SERVICES)}.", is_error=True)


FIRING = Alert(
    "firing",
    0.331,
    0.0,
    {"service": "api-server", "severity": "critical"},
    {"summary": "api-server fails 33% of its\nrequests", "runbook": "elevated-error-rates", "escalation": "#platform"},
)


async def alerts(catalog: Catalog, *rules: AlertRule, **arguments: Any) -> list[str]:
    return (await _call(catalog, FakeMetrics(rules=rules), "get_alerts", arguments)).text.splitlines()


async def test_alerts_show_firing_before_pending_and_critical_before_warning(catalog: Catalog) -> None:
    now = time.time()
    firing = replace(FIRING, since=now - 240)
    warning = replace(firing, labels={"service": "auth-svc", "severity": "warning"})
    pending = replace(firing, state="pending", labels={"service": "postgres", "severity": "critical"})
    header, *lines = await alerts(catalog, AlertRule("HighErrorRate", now, "", [pending, warning, firing]))
    assert header.startswith("2 firing, 1 pending (1 rules evaluated, last at ")
    assert [line.split()[:3] for line in lines] == [
        ["api-server", "CRITICAL", "firing"],
        ["auth-svc", "WARNING", "firing"],
        ["postgres", "CRITICAL", "pending"],
    ]
    assert re.search(r"\(4 m( \d s)?\) value 0.331; api-server fails 33% of its requests; ", lines[0])
    assert lines[0].endswith("; runbook elevated-error-rates; escalation #platform")


async def test_what_alerts_of_one_service_share_is_said_once_above_them(catalog: Catalog) -> None:
    now = time.time()
    early, late = replace(FIRING, since=now - 240), replace(FIRING, since=now - 60)
    other = replace(FIRING, labels={"service": "auth-svc", "severity": "critical"}, since=now - 120)
    elsewhere = replace(late, annotations={"escalation": "#somebody-else"})
    rules = [
        AlertRule("A", now, "", [early, other]),
        AlertRule("B", now, "", [late]),
        AlertRule("C", now, "", [elsewhere]),
    ]
    _, *lines = await alerts(catalog, *rules)
    assert lines[0] == "api-server CRITICAL firing; escalation #platform"
    assert lines[1].startswith("  A since ")
    assert lines[2].startswith("  B since ")
    assert re.search(r" \(1 m( \d s)?\) value 0.331; api-server fails ", lines[2])
    assert lines[2].endswith(" of its requests; runbook elevated-error-rates")
    assert lines[3].startswith("auth-svc CRITICAL firing A since ")
    assert lines[3].endswith("; escalation #platform")
    assert lines[4].startswith("api-server CRITICAL firing C since ")
    assert lines[4].endswith("; escalation #somebody-else")


async def test_alerts_of_one_service_leave_the_others_out(catalog: Catalog) -> None:
    rule = AlertRule("Any", time.time(), "", [FIRING, replace(FIRING, labels={"service": "auth-svc"})])
    assert len(await alerts(catalog, rule, service="auth-svc")) == 2


async def test_no_alert_says_how_many_rules_were_evaluated(catalog: Catalog) -> None:
    (line,) = await alerts(catalog, AlertRule("A", time.time()), AlertRule("B", time.time()))
    assert line.startswith("No alert is firing (2 rules evaluated, last at ")


async def test_no_rules_at_all_is_not_taken_for_no_alerts(catalog: Catalog) -> None:
    (line,) = await alerts(catalog)
    assert line.startswith("NO RULES LOADED: ")


async def test_rules_that_never_ran_or_failed_are_said(catalog: Catalog) -> None:
    header, line = await alerts(catalog, AlertRule("Odd", 0.0, "many-to-many matching"))
    assert header == "No alert is firing (1 rules, none yet evaluated)."
    assert line == "rule Odd FAILED to evaluate: many-to-many matching"


async def test_a_storm_of_alerts_is_bounded(catalog: Catalog) -> None:
    storm = [replace(FIRING, labels={"service": f"svc-{n}"}) for n in range(1000)]
    lines = await alerts(catalog, AlertRule("Storm", time.time(), "", storm))
    assert "30 of 1000 shown" in lines[0]
    assert len(lines) == 31
