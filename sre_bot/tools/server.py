"""The tools over MCP on stdin and stdout; read-only unless `--allow-changes` says who approves changes.

The SDK's low-level server is used, not its MCPServer: that one would derive schemas a third larger, send every result
twice, advertise resources and prompts, accept unknown arguments and hide the words of errors; each would have to be
undone, where here a tool is passed on as its spec says.
"""

import argparse
import asyncio
import base64
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from sre_bot import __version__
from sre_bot.errors import SreBotError
from sre_bot.settings import ToolSettings, load_ledger_settings, load_tool_settings, read_environment
from sre_bot.tools.approval import TOOL_USE_ID, Gate
from sre_bot.tools.offer import SERVER_NAME, open_tools
from sre_bot.tools.spec import Access, Answer, Tool, ToolSpec

_log = logging.getLogger(__name__)

_READ_ONLY = "this server is read-only, as it was started without --allow-changes. Nothing was executed."


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stdin ends; 2 for settings or configuration that cannot be used, said on stderr."""
    mode = _parser().parse_args(arguments).allow_changes
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        environ = read_environment()
        asyncio.run(_serve(load_tool_settings(environ), _gate(mode, environ)))
    except SreBotError as error:
        sys.stderr.write(f"sre_mcp_server: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sre_mcp_server.py", description="The SRE tools over MCP on stdio.", allow_abbrev=False
    )
    parser.add_argument(
        "--allow-changes",
        choices=("client", "approved"),
        help="offer the tools that change something too: `client` runs every call, as the MCP client has asked its "
        "person; `approved` runs only what is approved in the bot's ledger (DATABASE_URL). Default: read-only",
    )
    return parser


def _gate(mode: str | None, environ: Mapping[str, str]) -> Gate | None:
    if mode is None:
        return None
    return Gate(load_ledger_settings(environ).database_url if mode == "approved" else None)


async def _serve(settings: ToolSettings, gate: Gate | None) -> None:
    async with open_tools(settings, changes=gate is not None) as (tools, instructions):
        if gate:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, gate.end)
        try:
            async with stdio_server() as (read_stream, write_stream):
                server = build_server(tools, instructions, gate)
                await server.run(read_stream, write_stream, server.create_initialization_options())
        except* BrokenPipeError:
            _log.warning("the client is gone")
        finally:
            if gate:
                await gate.close()


def build_server(tools: tuple[Tool, ...], instructions: str, gate: Gate | None) -> Server[Any]:
    """A server that offers those of `tools` that read, and with a gate all of them; nothing else."""
    by_name = {tool.spec.name: tool for tool in tools if gate or tool.spec.access is Access.READ}
    withheld = {tool.spec.name for tool in tools} - set(by_name)

    async def list_tools(_context: object, _params: object) -> types.ListToolsResult:
        if gate:
            gate.prepare()
        return types.ListToolsResult(tools=[_declare(tool.spec) for tool in by_name.values()])

    async def call_tool(_context: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        called = by_name.get(params.name)
        arguments = params.arguments or {}
        if called and gate and called.spec.access is not Access.READ:
            return _result(await gate.run(called, arguments, dict(params.meta or {}).get(TOOL_USE_ID)))
        if called:
            return _result(await called.call(arguments))
        if params.name in withheld:
            return _result(Answer(f"{params.name} is not offered: {_READ_ONLY}", is_error=True))
        return _result(Answer(f"There is no tool {params.name[:80]!r}. Tools: {', '.join(by_name)}.", is_error=True))

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
    content: list[types.ContentBlock] = [types.TextContent(text=answer.text)]
    if answer.image:
        image = base64.b64encode(answer.image).decode()
        content.append(types.ImageContent(data=image, mime_type="image/png"))
    return types.CallToolResult(content=content, is_error=answer.is_error)
