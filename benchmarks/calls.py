"""Calling a tool of any MCP server over stdio, and counting what of its answer enters a model's context.

Claude Code gives the model the structured content of a result where there is one, as compact JSON, and else its text;
of an error always the text (measured with its command line, version 2.1).
"""

import json
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent

from sandbox.stack import ROOT

OURS = [sys.executable, str(ROOT / "sre_mcp_server.py")]


@dataclass(frozen=True)
class Call:
    """A tool of a server and what it is given."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a model would read, whether it is an error, and after how many seconds it was there."""

    text: str
    failed: bool
    seconds: float


@asynccontextmanager
async def connect(command: Sequence[str], settings: Mapping[str, str], log: Path) -> AsyncIterator[Client]:
    """A client of a server of its own; what the server logs goes to a file."""
    parameters = StdioServerParameters(command=command[0], args=list(command[1:]), env=dict(settings), cwd=str(ROOT))
    with log.open("a", encoding="utf-8") as errors:
        async with Client(stdio_client(parameters, errlog=errors), mode="legacy") as client:
            yield client


async def ask(client: Client, call: Call) -> Outcome:
    """Make one call."""
    began = time.monotonic()
    result = await client.call_tool(call.tool, dict(call.arguments))
    return Outcome(visible(result), bool(result.is_error), time.monotonic() - began)


def visible(result: CallToolResult) -> str:
    """What of a result a model reads."""
    if result.structured_content is not None and not result.is_error:
        return json.dumps(result.structured_content, separators=(",", ":"), ensure_ascii=False)
    return "\n".join(content.text for content in result.content if isinstance(content, TextContent))
