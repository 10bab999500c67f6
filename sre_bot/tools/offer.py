"""Which groups of tools there are, what each needs, and the tools that the given settings allow."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sre_bot.catalog import load_catalog
from sre_bot.clients.deployments import FleetDeployments
from sre_bot.clients.logs import FleetLogs
from sre_bot.clients.prometheus import Prometheus
from sre_bot.settings import ToolSettings
from sre_bot.tools.observability import Observability
from sre_bot.tools.records import Deployments, Logs
from sre_bot.tools.runbook_files import load_runbooks
from sre_bot.tools.runbooks import Runbooks
from sre_bot.tools.spec import Tool, ToolSpec, specs_of

SERVER_NAME = "sre"

_INSTRUCTIONS_LIMIT = 500  # characters; every conversation carries them


def describe_tools(settings: ToolSettings | None = None) -> tuple[ToolSpec, ...]:
    """The tools that `settings` allow, or all; nothing is connected, no file is read."""
    groups: list[type] = [Observability, Runbooks]
    if settings is None or settings.fleet:
        groups += [Logs, Deployments]
    return tuple(spec for group in groups for spec in specs_of(group))


@asynccontextmanager
async def open_tools(settings: ToolSettings) -> AsyncIterator[tuple[tuple[Tool, ...], str]]:
    """The same tools, callable, and the server's instructions; clients connect on the first call.

    Raises:
        CatalogError: services.yaml or a runbook cannot be used.
    """
    catalog = load_catalog(settings.config_dir)
    runbooks = load_runbooks(settings.config_dir / "runbooks")
    async with AsyncExitStack() as clients:
        prometheus = Prometheus(settings.prometheus)
        clients.push_async_callback(prometheus.aclose)
        groups: list[object] = [
            Observability(catalog, prometheus, prometheus),
            Runbooks(catalog, prometheus, runbooks),
        ]
        if settings.fleet:
            logs, deployments = FleetLogs(settings.fleet), FleetDeployments(settings.fleet)
            clients.push_async_callback(logs.aclose)
            clients.push_async_callback(deployments.aclose)
            groups += [Logs(catalog, logs), Deployments(catalog, deployments)]
        tools = tuple(Tool(spec, group) for group in groups for spec in specs_of(type(group)))
        yield tools, _instruct(list(catalog.services), list(runbooks))


def _instruct(services: list[str], runbooks: list[str]) -> str:
    text = (
        "Investigate services with live figures. Start with get_service_health. NO DATA and UNREACHABLE never mean "
        f"healthy. Times are UTC. Services: {', '.join(services)}. Runbooks: {', '.join(runbooks)}."
    )
    return text if len(text) <= _INSTRUCTIONS_LIMIT else text[: _INSTRUCTIONS_LIMIT - 1] + "…"
