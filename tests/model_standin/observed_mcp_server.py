"""A stdio MCP server with the investigation tools, whose answers are files: what the playbook reads is on disk."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.types import ToolAnnotations

ANSWERS = Path(sys.argv[1])
READ = ToolAnnotations(read_only_hint=True)
server = MCPServer("sre")


def answer(name: str) -> str:
    path = ANSWERS / f"{name}.txt"
    return path.read_text() if path.exists() else f"NO DATA: {name}"


@server.tool(structured_output=False, annotations=READ)
def get_service_health() -> str:
    """Health of every service."""
    return answer("get_service_health")


@server.tool(structured_output=False, annotations=READ)
def get_alerts() -> str:
    """Firing alerts."""
    return answer("get_alerts")


@server.tool(structured_output=False, annotations=READ)
def get_logs(service: str = "", level: str = "") -> str:
    """Log lines."""
    return answer("get_logs")


@server.tool(structured_output=False, annotations=READ)
def get_recent_deployments() -> str:
    """What was deployed."""
    return answer("get_recent_deployments")


@server.tool(structured_output=False, annotations=READ)
def query_metrics(query: str, start: str = "") -> str:
    """PromQL."""
    return answer("query_metrics.pool" if "db_connections" in query else "query_metrics.errors")


@server.tool(structured_output=False, annotations=READ)
def execute_runbook(name: str, phase: str = "", service: str = "") -> str:
    """A runbook."""
    return answer("execute_runbook")


if __name__ == "__main__":
    server.run()
