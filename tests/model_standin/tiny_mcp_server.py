"""A stdio MCP server of two tools whose answers are files: what the playbook reads is what a test wrote."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp.server import MCPServer

ANSWERS = Path(sys.argv[1])
server = MCPServer("sre")


def answer(tool: str) -> str:
    path = ANSWERS / f"{tool}.txt"
    return path.read_text() if path.exists() else f"{tool}: nothing written"


@server.tool(structured_output=False)
def get_service_health() -> str:
    """Health of every service."""
    return answer("get_service_health")


@server.tool(structured_output=False)
def get_alerts() -> str:
    """Firing alerts."""
    return answer("get_alerts")


if __name__ == "__main__":
    server.run()
