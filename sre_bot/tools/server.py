"""The tools over MCP on stdin and stdout.

The SDK's low-level server is used, not its MCPServer: that one would derive schemas a third larger, send every result
twice, advertise resources and prompts, accept unknown arguments and hide the words of errors; each would have to be
undone, where here a tool is passed on as its spec says.
"""

import asyncio
import logging
import sys
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from sre_bot import __version__
from sre_bot.errors import SreBotError
from sre_bot.settings import ToolSettings, load_tool_settings, read_environment
from sre_bot.tools.offer import SERVER_NAME, open_tools
from sre_bot.tools.spec import Answer, Tool, ToolSpec


def main() -> int:
    """Serve until stdin ends; 2 for settings or configuration that cannot be used, said on stderr."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        asyncio.run(_serve(load_tool_settings(read_environment())))
    except SreBotError as error:
        sys.stderr.write(f"sre_mcp_server: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


async def _serve(settings: ToolSettings) -> None:
    async with open_tools(settings) as (tools, instructions), stdio_server() as (read_stream, write_stream):
        server = build_server(tools, instructions)
        await server.run(read_stream, write_stream, server.create_initialization_options())


def build_server(tools: tuple[Tool, ...], instructions: str) -> Server[Any]:
    """A server that offers `tools` and nothing else."""
    by_name = {tool.spec.name: tool for tool in tools}

    async def list_tools(_context: object, _params: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_declare(tool.spec) for tool in tools])

    async def call_tool(_context: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        called = by_name.get(params.name)
        if called is None:
            return _result(
                Answer(f"There is no tool {params.name[:80]!r}. Tools: {', '.join(by_name)}.", is_error=True)
            )
        return _result(await called.call(params.arguments or {}))

    return Server(
        SERVER_NAME,
        version=__version__,
        instructions=instructions,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _declare(spec: ToolSpec) -> types.Tool:
    return types.Tool(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        input_schema=dict(spec.schema),
        annotations=types.ToolAnnotations.model_validate(spec.annotations),
    )


def _result(answer: Answer) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=answer.text)], is_error=answer.is_error)
