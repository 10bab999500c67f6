"""The MCP server: whether it starts and lists its tools, and which are not offered, and why."""

import tempfile
from collections.abc import Mapping
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from sre_bot.agent.options import tool_process
from sre_bot.doctor.finding import Finding, ok, problem
from sre_bot.doctor.known import Known
from sre_bot.tools.offer import describe_tools

_NAME = "MCP server"
_WORDS = 400  # characters of its last words that are shown

NEEDS: Mapping[str, str] = {
    "get_logs": "LOKI_URL or FLEET_URL",
    "get_recent_deployments": "DEPLOYMENTS_URL or FLEET_URL",
    "pagerduty_": "PAGERDUTY_API_KEY and its group",
    "confluence_": "CONFLUENCE_BASE_URL and its group",
}
"""What tools are not offered without, by the beginning of their names."""


async def look(known: Known) -> list[Finding]:
    """A row for the server as the bot starts it, and one for what it does not offer."""
    server = tool_process(known.tools)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        try:
            names = await _list(server, said)
        except Exception as error:  # noqa: BLE001  (the SDK raises groups of anything when the process ends early)
            said.seek(0)
            words = " ".join(said.read()[-_WORDS:].split()) or type(error).__name__
            advice = "Run `python sre_mcp_server.py` to see it; it ends when its input does."
            return [problem(_NAME, f"It does not start: {words}", advice)]
    return [ok(_NAME, f"It starts and lists {len(names)} tools."), *_not_offered(known, names)]


def _not_offered(known: Known, listed: list[str]) -> list[Finding]:
    allowed = {spec.name for spec in describe_tools(known.tools)}
    lines = explain_missing([spec.name for spec in describe_tools() if spec.name not in allowed])
    if withheld := sorted(allowed - set(listed)):
        lines.append(f"{', '.join(withheld)}: the bot starts the server read-only.")
    return [ok("Tools not offered", "\n".join(lines))] if lines else []


async def _list(server: Mapping[str, Any], said: Any) -> list[str]:  # noqa: ANN401  (what tempfile gives)
    parameters = StdioServerParameters(command=server["command"], args=server["args"], env=server["env"], cwd="/")
    async with Client(stdio_client(parameters, errlog=said)) as client:
        return [tool.name for tool in (await client.list_tools()).tools]


def explain_missing(missing: list[str]) -> list[str]:
    """A line for each reason, with the tools that are not offered for it."""
    lines = []
    for beginning, needed in NEEDS.items():
        if count := sum(name.startswith(beginning) for name in missing):
            lines.append(f"{f'{count} {beginning}…' if count > 1 else beginning}: without {needed}.")
    return lines
