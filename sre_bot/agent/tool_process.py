"""The tool process without a model: one call of one tool, for an act that code has sealed and a person approved.

The bot is an ordinary MCP client here, of the very server that Claude Code starts, in the mode in which a change runs
only by using its approval up. The process gets the environment that it needs and lives for the one call. A call that
was begun goes on when whoever asked for it is stopped: closing the process in the middle would be half a change.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import TextContent

from sre_bot.errors import ToolsUnavailable
from sre_bot.tools.approval import TOOL_USE_ID

log = logging.getLogger(__name__)

START_WITHIN = 60.0  # seconds, as for a session: a start took up to 6 on two loaded cores
END_WITHIN = 660.0  # seconds, above the longest deadline of a tool


class ToolProcess:
    """Calls tools.

    Args:
        command: the server as `options.tool_process` describes it, with `--allow-changes=approved`.
    """

    def __init__(self, command: Mapping[str, Any]) -> None:
        self._server = StdioServerParameters(
            command=command["command"], args=list(command["args"]), env=dict(command["env"])
        )
        self._acts: set[asyncio.Task[str]] = set()

    async def call(self, tool: str, arguments: Mapping[str, Any], tool_use_id: str) -> str:
        """Call a tool, and give its answer in words, also where it refuses.

        Args:
            tool: its own name.
            arguments: exactly those that were approved.
            tool_use_id: names the approval that the tool process shall use up.

        Raises:
            ToolsUnavailable: the process could not be started or asked, or did not answer; the ledger knows whether it
                took the call.
        """
        act = asyncio.create_task(self._call(tool, arguments, tool_use_id), name=f"call {tool_use_id}")
        self._acts.add(act)
        act.add_done_callback(self._acts.discard)
        return await asyncio.shield(act)

    async def close(self) -> None:
        """Wait for what was begun. Should the bot end first, the process goes on to its end by itself."""
        await asyncio.gather(*self._acts, return_exceptions=True)

    async def _call(self, tool: str, arguments: Mapping[str, Any], tool_use_id: str) -> str:
        meta: Any = {TOOL_USE_ID: tool_use_id}  # the SDK's type knows only MCP's own names
        try:
            async with Client(stdio_client(self._server), read_timeout_seconds=START_WITHIN) as client:
                result = await client.call_tool(tool, dict(arguments), END_WITHIN, meta=meta)
        except (OSError, MCPError, ExceptionGroup) as error:
            log.warning("the tool process was not called: %r", error)
            raise ToolsUnavailable(
                f"The tool process did not answer ({_first(error)}). Whoever runs me: run `python sre_mcp_server.py` "
                "to see why."
            ) from error
        return "\n".join(each.text for each in result.content if isinstance(each, TextContent))


def _first(error: BaseException) -> str:
    """The words of what is in a group, not of the group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".splitlines()[0]
