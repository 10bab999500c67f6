"""get_alerts on a real Alertmanager, with rules that a real Prometheus evaluates and silences that somebody made."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from sre_bot.catalog import load_catalog
from sre_bot.errors import BadRequest
from sre_bot.settings import ROOT
from sre_bot.tools.observability import Observability
from sre_bot.tools.spec import Tool, specs_of
from tests.alerts.conftest import Watch
from tests.tools.conftest import FakeMetrics

PATIENCE = 30.0  # seconds until what a rule evaluates has reached Alertmanager

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the target that Prometheus scrapes lives in that loop


@pytest_asyncio.fixture(loop_scope="session")
async def tool(watch: Watch) -> AsyncIterator[Tool]:
    rules, routing = watch.rules(), watch.routing()
    group = Observability(load_catalog(ROOT / "config"), FakeMetrics(), rules, routing)
    watch.target.figures.clear()
    yield Tool(next(spec for spec in specs_of(Observability) if spec.name == "get_alerts"), group)
    await rules.aclose()
    await routing.aclose()


async def alerts_with(tool: Tool, *words: str, without: str = "\x00", service: str | None = None) -> list[str]:
    """The lines, once each of `words` is in them and `without` is not."""
    text = ""
    try:
        async with asyncio.timeout(PATIENCE):
            while not text or not all(word in text for word in words) or without in text:
                answer = await tool.call({"service": service})
                assert not answer.is_error, answer.text
                text = answer.text
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"no {words} in:\n{text}")
    return text.splitlines()


def about(lines: list[str], start: str) -> str:
    (found,) = [line for line in lines if line.startswith(start)]
    return found


async def test_a_firing_rule_is_one_line_with_what_both_sides_know(watch: Watch, tool: Tool) -> None:
    watch.target.figures[("failing", "api-server")] = 0.33
    lines = await alerts_with(tool, "api-server CRITICAL firing", without="NOT IN")
    assert lines[0].startswith("1 firing, 0 pending (3 rules evaluated, last at ")
    assert "; with Alertmanager" in lines[0]
    line = about(lines, "api-server CRITICAL firing HighErrorRate since ")
    assert line.endswith(" value 0.33; HighErrorRate of api-server; runbook elevated-error-rates")


async def test_a_silence_says_until_when_by_whom_and_why(watch: Watch, tool: Tool) -> None:
    watch.target.figures[("failing", "auth-svc")] = 1
    watch.target.figures[("failing", "payment-svc")] = 1
    await alerts_with(tool, "auth-svc CRITICAL firing", "payment-svc CRITICAL firing", without="NOT IN ALERTM")
    await watch.silence({"alertname": "HighErrorRate", "service": "auth-svc"}, 3600, "ada", "planned move")
    lines = await alerts_with(
        tool, "payment-svc CRITICAL firing", "auth-svc CRITICAL firing", "SILENCED", without="NOT IN ALERTM"
    )
    assert " SILENCED until " in about(lines, "auth-svc ")
    assert "(59 m " in about(lines, "auth-svc ") or "(1 h left)" in about(lines, "auth-svc ")
    assert " left) by ada: planned move; " in about(lines, "auth-svc ")
    assert "SILENCED" not in about(lines, "payment-svc ")
    assert lines.index(about(lines, "payment-svc ")) < lines.index(about(lines, "auth-svc "))
    assert ", 1 of them silenced or inhibited, " in lines[0]


async def test_an_inhibited_alert_names_the_one_that_inhibits_it(watch: Watch, tool: Tool) -> None:
    watch.target.figures |= {("failing", "postgres"): 1, ("down", "postgres"): 1}
    lines = await alerts_with(tool, "INHIBITED", service="postgres", without="NOT IN")
    assert lines[1] == "postgres CRITICAL firing"
    assert "; INHIBITED by ServiceDown of postgres; " in about(lines, "  HighErrorRate")
    assert "INHIBITED" not in about(lines, "  ServiceDown")


async def test_a_pending_alert_is_prometheus_alone(watch: Watch, tool: Tool) -> None:
    watch.target.figures[("busy", "api-server")] = 1
    lines = await alerts_with(tool, "pending HighCpu", service="api-server")
    assert "NOT IN" not in about(lines, "api-server CRITICAL pending HighCpu")


async def test_a_silence_that_would_hide_the_next_alert_is_shown(watch: Watch, tool: Tool) -> None:
    await watch.silence({"alertname": "Nothing", "service": "api-server"}, 600, "bob", "")
    lines = await alerts_with(tool, "no alert matches")
    line = about(lines, 'no alert matches alertname="Nothing", service="api-server" SILENCED until ')
    assert line.endswith("by bob: no comment")


async def test_a_click_silences_one_alert_and_not_its_neighbour(watch: Watch, tool: Tool) -> None:
    watch.target.figures |= {("down", "redis"): 1, ("down", "worker"): 1}
    await alerts_with(tool, "redis CRITICAL firing", "worker CRITICAL firing", without="NOT IN ALERTM")
    routing = watch.routing()
    (fingerprint,) = await fingerprints(watch, "redis")
    await routing.silence(fingerprint, 3600, "Ada", "Silenced in Slack by Ada.")
    lines = await alerts_with(
        tool, "redis CRITICAL firing", "worker CRITICAL firing", "Silenced in Slack", without="NOT IN ALERTM"
    )
    assert " left) by Ada: Silenced in Slack by Ada.; " in about(lines, "redis ")
    assert "SILENCED" not in about(lines, "worker ")
    with pytest.raises(BadRequest, match="does not hold this alert"):
        await routing.silence("0123456789abcdef", 3600, "Ada", "")
    await routing.aclose()


async def fingerprints(watch: Watch, service: str) -> list[str]:
    """As Alertmanager's webhook names them."""
    async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(30):
        while True:  # an alert that Prometheus fires reaches Alertmanager a moment later
            asked = {"filter": f"service={service}"}
            answer = await client.get(f"{watch.alertmanager_url}/api/v2/alerts", params=asked)
            if found := [alert["fingerprint"] for alert in answer.json()]:
                return found
            await asyncio.sleep(0.1)
