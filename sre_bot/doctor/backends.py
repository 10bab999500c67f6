"""What the bot looks at: Prometheus, Alertmanager, Loki, deployments, the fleet. Each is asked what tools ask it."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing

from sre_bot.catalog import Signal, load_catalog
from sre_bot.clients.alertmanager import Alertmanager
from sre_bot.clients.deployments import DeploymentFeed
from sre_bot.clients.logs import FleetLogs, LogQuery
from sre_bot.clients.loki import Loki
from sre_bot.clients.prometheus import AlertRule, Prometheus
from sre_bot.doctor.finding import Finding, absent, ok, problem, skipped
from sre_bot.doctor.known import Known
from sre_bot.errors import CatalogError
from sre_bot.settings import (
    AlertmanagerSettings,
    DeploymentSettings,
    FleetSettings,
    LokiSettings,
    PrometheusSettings,
)

_RECENTLY = 900.0  # seconds back that logs are read
_DAY = 86_400.0


async def look_at_prometheus(known: Known) -> list[Finding]:
    """Whether it answers, has samples of every signal of the catalog, and evaluates alerting rules."""
    if broken := known.unusable(PrometheusSettings, "Prometheus"):
        return broken
    async with AsyncExitStack() as stack:
        prometheus = Prometheus(known.tools.prometheus)
        stack.push_async_callback(prometheus.aclose)
        rules = await prometheus.alert_rules()
        findings = [ok("Prometheus", f"{known.tools.prometheus.url.rpartition('@')[2]} answers.")]
        try:
            signals = load_catalog(known.tools.config_dir).signals
        except CatalogError:
            return [*findings, skipped("Signals", "The catalog cannot be used."), _rules(rules)]
        found = await asyncio.gather(*(prometheus.query(signal.query) for signal in signals.values()))
    counts = dict(zip(signals, map(len, found), strict=True))
    return [*findings, _signals(signals, counts), _rules(rules)]


def _signals(signals: Mapping[str, Signal], counts: Mapping[str, int]) -> Finding:
    empty = [name for name, count in counts.items() if not count]
    if not empty:
        return ok("Signals", f"All {len(signals)} of the catalog have samples.")
    seen = f"No samples of {', '.join(empty)}; {len(signals) - len(empty)} of {len(signals)} have some."
    advice = (
        "Correct the queries in services.yaml, or what Prometheus scrapes. A rate needs two scrapes, so that just "
        "after a start there is nothing yet."
    )
    if any(signals[name].decides for name in empty):
        return problem("Signals", seen, advice)
    return ok("Signals", f"{seen} These are context and decide nothing.")


def _rules(rules: list[AlertRule]) -> Finding:
    if not rules:
        advice = "Load config/alert_rules.yml as a rule file of Prometheus, or rules of your own."
        return problem("Alerting rules", "Prometheus has none loaded, so nothing can ever fire.", advice)
    if failing := [f"{rule.name} ({rule.error})" for rule in rules if rule.error]:
        seen = f"{len(failing)} of {len(rules)} cannot be evaluated: {'; '.join(failing[:3])}."
        return problem("Alerting rules", seen, "Correct their expressions.")
    firing = sum(alert.state == "firing" for rule in rules for alert in rule.alerts)
    return ok(
        "Alerting rules", f"{len(rules)} loaded, {firing or 'no'} {'alert fires' if firing < 2 else 'alerts fire'}."
    )


async def look_at_alertmanager(known: Known) -> list[Finding]:
    """Whether it gives its alerts and silences."""
    settings = known.tools.alertmanager
    if broken := known.unusable(AlertmanagerSettings, "Alertmanager"):
        return broken
    if settings is None:
        seen = "Alerts come from Prometheus' rules alone, without silences and inhibitions."
        return [absent("Alertmanager", seen, "Set ALERTMANAGER_URL where there is one.")]
    async with AsyncExitStack() as stack:
        client = Alertmanager(settings)
        stack.push_async_callback(client.aclose)
        routing = await client.routing()
    silences = {silence.id for alert in routing.alerts for silence in alert.silences}
    count = len(silences) + len(routing.idle_silences)
    return [ok("Alertmanager", f"It answers: {len(routing.alerts)} alerts, {count} silences.")]


async def look_at_loki(known: Known) -> list[Finding]:
    """Whether it gives lines under the label that names the service."""
    settings = known.tools.loki
    if broken := known.unusable(LokiSettings, "Loki"):
        return broken
    if settings is None:
        seen = "Logs are the fleet's." if known.tools.fleet else "There are no logs, so get_logs is not offered."
        return [absent("Loki", seen, "Set LOKI_URL where there is one.")]
    async with AsyncExitStack() as stack:
        client = Loki(settings)
        stack.push_async_callback(client.aclose)
        pages = await stack.enter_async_context(aclosing(client.read(LogQuery(time.time() - _RECENTLY))))
        lines = len((await anext(pages)).lines)
    if lines:
        return [ok("Loki", f"It answers: {lines:,} lines or more in the last {_RECENTLY / 60:.0f} minutes.")]
    hint = "If there should be some, check LOKI_SERVICE_LABEL: it must be a label of the streams."
    return [ok("Loki", f"It answers, with no line in the last {_RECENTLY / 60:.0f} minutes.", hint)]


async def look_at_deployments(known: Known) -> list[Finding]:
    """Whether the feed has the shape that is documented."""
    settings = known.tools.deployments
    if broken := known.unusable(DeploymentSettings, "Deployments"):
        return broken
    if settings is None:
        fleet = known.tools.fleet
        seen = "Deployments are the fleet's." if fleet else "get_recent_deployments is not offered."
        return [absent("Deployments", seen, "Set DEPLOYMENTS_URL; docs/integrations.md tells of the shape.")]
    return [ok("Deployments", f"The feed answers: {await _deployed(settings)}.")]


async def look_at_fleet(known: Known) -> list[Finding]:
    """The simulated fleet, as a source of logs and deployments."""
    settings = known.tools.fleet
    if broken := known.unusable(FleetSettings, "Fleet"):
        return broken
    if settings is None:
        return [absent("Fleet", "The simulated fleet is not used.", "")]
    async with AsyncExitStack() as stack:
        logs = FleetLogs(settings)
        stack.push_async_callback(logs.aclose)
        pages = await stack.enter_async_context(aclosing(logs.read(LogQuery(time.time() - _RECENTLY))))
        await anext(pages)
    return [ok("Fleet", f"It answers: {await _deployed(settings)}.")]


async def _deployed(settings: DeploymentSettings | FleetSettings) -> str:
    async with AsyncExitStack() as stack:
        feed = DeploymentFeed(settings)
        stack.push_async_callback(feed.aclose)
        count = len(await feed.recent(None, time.time() - _DAY, 100))
    return f"{count}{' or more' if count == 100 else ''} deployments in the last day"
