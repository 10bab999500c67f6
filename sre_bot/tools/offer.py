"""Which groups of tools there are, what each needs, and the tools that the given settings allow."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sre_bot.catalog import Catalog, load_catalog
from sre_bot.clients.alertmanager import Alertmanager
from sre_bot.clients.confluence import Confluence
from sre_bot.clients.deployments import DeploymentFeed
from sre_bot.clients.env_files import EnvFiles
from sre_bot.clients.logs import FleetLogs
from sre_bot.clients.loki import Loki
from sre_bot.clients.pagerduty import PagerDuty
from sre_bot.clients.prometheus import Prometheus
from sre_bot.clients.redeployment import Redeployer
from sre_bot.policy import OWN_SERVER
from sre_bot.settings import ROOT, ToolSettings
from sre_bot.tools.charts import Charts
from sre_bot.tools.confluence import Postmortems
from sre_bot.tools.observability import Observability
from sre_bot.tools.pagerduty import PagerDutyIncidents
from sre_bot.tools.records import Deployments, Logs
from sre_bot.tools.remediation import Remediation
from sre_bot.tools.runbook_files import load_runbooks
from sre_bot.tools.runbooks import Runbooks
from sre_bot.tools.spec import Tool, ToolSpec, specs_of
from sre_bot.tools.suspects import RootCauses

SERVER_NAME = OWN_SERVER

_INSTRUCTIONS_LIMIT = 500  # characters; every conversation carries them


def describe_tools(settings: ToolSettings | None = None) -> tuple[ToolSpec, ...]:
    """The tools that `settings` allow, or all; nothing is connected, no file is read."""
    groups: list[type] = [Observability, RootCauses, Charts, Runbooks, Remediation]
    if settings is None or settings.fleet or settings.loki:
        groups.append(Logs)
    if settings is None or settings.fleet or settings.deployments:
        groups.append(Deployments)
    if settings is None or settings.pagerduty:
        groups.append(PagerDutyIncidents)
    if settings is None or settings.confluence:
        groups.append(Postmortems)
    return tuple(spec for group in groups for spec in specs_of(group))


@asynccontextmanager
async def open_tools(settings: ToolSettings, *, changes: bool) -> AsyncIterator[tuple[tuple[Tool, ...], str]]:
    """The same tools, callable, and the server's instructions; clients connect on the first call.

    Args:
        settings: which groups there are, and where their systems.
        changes: whether the caller lets the model make changes, so that runbooks can say so.

    Raises:
        CatalogError: services.yaml or a runbook cannot be used.
    """
    catalog = load_catalog(settings.config_dir)
    runbooks = load_runbooks(settings.config_dir / "runbooks")
    async with AsyncExitStack() as clients:
        prometheus = Prometheus(settings.prometheus)
        clients.push_async_callback(prometheus.aclose)
        routing = Alertmanager(settings.alertmanager) if settings.alertmanager else None
        if routing:
            clients.push_async_callback(routing.aclose)
        feed = settings.deployments or settings.fleet
        deployments = DeploymentFeed(feed) if feed else None
        if deployments:
            clients.push_async_callback(deployments.aclose)
        groups: list[object] = [
            Observability(catalog, prometheus, prometheus, routing),
            RootCauses(catalog, prometheus),
            Charts(catalog, prometheus, deployments),
            Runbooks(catalog, prometheus, runbooks, changes=changes),
            _remediation(settings, catalog),
        ]
        if logs := _log_source(settings):
            clients.push_async_callback(logs.aclose)
            groups.append(Logs(catalog, logs))
        if deployments:
            groups.append(Deployments(catalog, deployments))
        pagerduty = PagerDuty(settings.pagerduty) if settings.pagerduty else None
        if pagerduty:
            clients.push_async_callback(pagerduty.aclose)
            groups.append(PagerDutyIncidents(pagerduty))
        if settings.confluence:
            confluence = Confluence(settings.confluence)
            clients.push_async_callback(confluence.aclose)
            groups.append(Postmortems(confluence, pagerduty))
        tools = tuple(Tool(spec, group) for group in groups for spec in specs_of(type(group)))
        yield tools, _instruct(list(catalog.services), list(runbooks))


def _log_source(settings: ToolSettings) -> Loki | FleetLogs | None:
    if settings.loki:
        return Loki(settings.loki)
    return FleetLogs(settings.fleet) if settings.fleet else None


def _remediation(settings: ToolSettings, catalog: Catalog) -> Remediation:
    own = settings.remediation
    files = EnvFiles(own.env_dir or settings.config_dir)
    return Remediation(catalog, files, Redeployer(own.redeploy_command, own.redeploy_timeout, ROOT))


def _instruct(services: list[str], runbooks: list[str]) -> str:
    text = (
        "Investigate services with live figures. Start with get_service_health. NO DATA and UNREACHABLE never mean "
        f"healthy. Times are UTC. Services: {', '.join(services)}. Runbooks: {', '.join(runbooks)}."
    )
    return text if len(text) <= _INSTRUCTIONS_LIMIT else text[: _INSTRUCTIONS_LIMIT - 1] + "…"
