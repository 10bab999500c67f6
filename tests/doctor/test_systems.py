"""Each thing that can be wrong with the systems that the bot calls, once."""

from typing import Any

import pytest

from sre_bot.doctor.finding import State
from tests.doctor.conftest import Installation, rule

NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("check", "row", "changes", "words"),
    [
        ("Prometheus", "", {"PROMETHEUS_URL": NOWHERE}, "UNREACHABLE: Prometheus at http://127.0.0.1:9"),
        ("Alertmanager", "", {"ALERTMANAGER_URL": NOWHERE}, "UNREACHABLE: Alertmanager"),
        ("Loki", "", {"LOKI_URL": NOWHERE}, "UNREACHABLE: Loki"),
        ("Loki", "", {"LOKI_BEARER_TOKEN": "wrong"}, "Loki answered 401"),
        ("Fleet", "", {"FLEET_URL": NOWHERE}, "UNREACHABLE: The log source"),
        ("Deployments", "", {"DEPLOYMENTS_URL": f"{NOWHERE}/feed"}, "DEPLOYMENTS_URL is right"),
        ("PagerDuty", "", {"PAGERDUTY_API_KEY": "pd-wrong"}, "check PAGERDUTY_API_KEY"),
        ("PagerDuty", "", {"PAGERDUTY_API_URL": NOWHERE}, "UNREACHABLE: PagerDuty"),
        ("PagerDuty", "PagerDuty writing", {"PAGERDUTY_API_KEY": "pd-sandbox-read-only-key"}, "may read only"),
        ("PagerDuty", "PagerDuty service", {"PAGERDUTY_SERVICE_ID": "PNONE"}, "sees no service PNONE"),
        ("PagerDuty", "PagerDuty user", {"PAGERDUTY_FROM_EMAIL": "a@example.com"}, "no user a@example.com"),
        ("Confluence", "", {"CONFLUENCE_API_TOKEN": "wrong-token"}, "Check that CONFLUENCE_API_TOKEN belongs"),
        ("Confluence", "", {"CONFLUENCE_SPACE_KEY": "OPS"}, "shows no space 'OPS'"),
        ("Confluence", "Confluence parent", {"CONFLUENCE_PARENT_PAGE_ID": "1"}, "sees no page 1"),
    ],
)
async def test_what_is_wrong_is_said_with_what_to_do(
    check: str, row: str, changes: dict[str, str], words: str, installation: Installation
) -> None:
    assert words in await installation.problem(check, row, **changes)
    assert await installation.pages() == []


@pytest.mark.parametrize(
    ("check", "variable"),
    [
        ("Alertmanager", "ALERTMANAGER_URL"),
        ("Loki", "LOKI_URL"),
        ("Fleet", "FLEET_URL"),
        ("Deployments", "DEPLOYMENTS_URL"),
    ],
)
async def test_half_a_group_is_skipped_and_a_whole_one_that_is_absent_is_said_to_be(
    check: str, variable: str, installation: Installation
) -> None:
    wrong = await installation.look(check, **{variable: "nonsense"})
    assert wrong[check].state is State.SKIPPED
    group = variable.partition("_")[0]
    others = {name: "" for name in installation.settings if name.startswith(group) and "WEBHOOK" not in name}
    assert (await installation.look(check, **others))[check].state is State.NOT_CONFIGURED


async def test_signals_without_samples_are_named(installation: Installation) -> None:
    installation.backends.empty = "http_requests_total"
    words = await installation.problem("Prometheus", "Signals")
    assert "No samples of error_rate, requests; 7 of 9" in words
    installation.backends.empty = "db_connections_waiting"
    assert (await installation.look("Prometheus"))["Signals"].state is State.OK, "it is context and decides nothing"


async def test_rules_that_are_not_loaded_or_fail_are_a_problem(installation: Installation) -> None:
    installation.backends.rules = []
    assert "none loaded" in await installation.problem("Prometheus", "Alerting rules")
    installation.backends.rules = [rule(), rule("err")]
    assert "1 of 2 cannot be evaluated: Down (bad)" in await installation.problem("Prometheus", "Alerting rules")


async def test_a_model_that_is_away_or_refuses_the_key_or_is_unknown(installation: Installation, model: Any) -> None:
    assert "UNREACHABLE: Anthropic's API" in await installation.problem("Model")
    here = {"ANTHROPIC_BASE_URL": model.url}
    assert (await installation.look("Model", **here))["Model"].state is State.OK
    assert "Check SRE_MODEL" in await installation.problem("Model", SRE_MODEL="claude-nonexistent", **here)
    await model.key("another")
    assert "Check ANTHROPIC_API_KEY" in await installation.problem("Model", **here)


async def test_a_user_that_does_not_exist_leaves_open_whether_the_key_may_write(installation: Installation) -> None:
    found = await installation.look("PagerDuty", PAGERDUTY_FROM_EMAIL="a@example.com")
    assert found["PagerDuty writing"].state is State.SKIPPED
