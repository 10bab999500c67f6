"""The real server process, over stdio, through the SDK's own client."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, ImageContent, TextContent

from sre_bot.settings import ROOT, load_tool_settings
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.spec import Access

SERVER = ROOT / "sre_mcp_server.py"
NOWHERE = "http://127.0.0.1:9"
READS = [  # without settings but FLEET_URL
    "query_metrics",
    "list_metrics",
    "get_service_health",
    "get_alerts",
    "rank_suspects",
    "plot_metrics",
    "execute_runbook",
    "read_service_config",
    "get_logs",
    "get_recent_deployments",
]


def environment(**variables: str) -> dict[str, str]:
    return {"SRE_ENV_FILE": "", "PATH": os.environ["PATH"], "PROMETHEUS_URL": NOWHERE, **variables}


@asynccontextmanager
async def connected(cwd: Path, mode: Literal["auto", "legacy"] = "auto", **variables: str) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(
        command=sys.executable, args=[str(SERVER)], env=environment(**variables), cwd=str(cwd)
    )
    async with Client(stdio_client(parameters), mode=mode) as client:
        yield client


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def finish(stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SERVER],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(**variables),
        cwd="/",
        check=False,
    )


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_tools_are_listed_within_their_budget(tmp_path: Path, mode: Literal["auto", "legacy"]) -> None:
    async with connected(tmp_path, mode, FLEET_URL=NOWHERE) as client:
        listed = await client.list_tools()
        wire = json.dumps(listed.model_dump(by_alias=True, exclude_none=True), separators=(",", ":"))
        assert [tool.name for tool in listed.tools] == READS
        assert len(wire) / len(READS) <= 455
        for tool in listed.tools:
            visible = json.dumps([tool.name, tool.description, tool.input_schema], separators=(",", ":"))
            assert len(visible) / 4 <= 140, tool.name
        visible = json.dumps(
            [[tool.name, tool.description, tool.input_schema] for tool in listed.tools], separators=(",", ":")
        )
        assert len(visible) / 4 / len(READS) <= 95
        assert client.instructions
        assert len(client.instructions) <= 500
        assert "api-server" in client.instructions
        assert "elevated-error-rates" in client.instructions


async def test_only_tools_are_advertised_and_reads_are_marked_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        capabilities = client.server_capabilities.model_dump(exclude_none=True)
        assert set(capabilities) == {"tools"}
        for tool in (await client.list_tools()).tools:
            assert tool.annotations
            assert tool.annotations.read_only_hint
            assert tool.output_schema is None
            assert '"title": "' not in json.dumps(tool.input_schema), "a parameter of that name is fine, a title is not"
        result = await client.call_tool("execute_runbook", {"name": "elevated-error-rates", "phase": "remediate"})
        assert not result.is_error
        assert result.structured_content is None
        assert text(result).startswith("Runbook elevated-error-rates")


async def test_failures_are_results_that_say_what_to_do_and_the_server_goes_on(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        for name, arguments, words in (
            ("get_service_health", {}, "UNREACHABLE: Prometheus at http://127.0.0.1:9 did not answer"),
            ("query_metrics", {"promql": "up"}, "there is no argument 'promql'; Arguments"),
            ("get_logs", {}, "There is no tool 'get_logs'. Tools: query_metrics"),
            ("query_metrics", {"query": "up", "start": "soon"}, "'soon' is not a time"),
        ):
            result = await client.call_tool(name, arguments)
            assert result.is_error
            assert all(part in text(result) for part in words.split("; "))
        assert len((await client.list_tools()).tools) == len(READS) - len(["get_logs", "get_recent_deployments"])


async def test_four_reads_run_at_the_same_time(tmp_path: Path) -> None:
    waiting, everybody = 0, asyncio.Event()

    async def hold(_: web.Request) -> web.Response:
        nonlocal waiting
        waiting += 1
        if waiting == 4:
            everybody.set()
        await everybody.wait()  # answers nobody before the fourth has asked
        return web.json_response({"status": "success", "data": {"groups": []}})

    app = web.Application()
    app.router.add_get("/api/v1/rules", hold)
    async with TestServer(app) as backend, connected(tmp_path, PROMETHEUS_URL=str(backend.make_url("/"))) as client:
        async with asyncio.timeout(60):
            results = await asyncio.gather(*(client.call_tool("get_alerts", {}) for _ in range(4)))
    assert [text(result)[:15] for result in results] == ["NO RULES LOADED"] * 4


async def test_a_chart_is_a_text_and_an_image(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        form = await request.post()
        values = [[float(str(form["start"])) + 15 * n, "0.02"] for n in range(200)]
        result = [{"metric": {"service": "api-server"}, "values": values}]
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})

    app = web.Application()
    app.router.add_post("/api/v1/query_range", answer)
    async with TestServer(app) as backend, connected(tmp_path, PROMETHEUS_URL=str(backend.make_url("/"))) as client:
        result = await client.call_tool("plot_metrics", {"query": "error_rate"})
    words, image = result.content
    assert isinstance(words, TextContent)
    assert words.text.startswith("Error rate (5xx), ")
    assert isinstance(image, ImageContent)
    assert image.mime_type == "image/png"
    assert base64.b64decode(image.data).startswith(b"\x89PNG")
    assert not result.is_error


def test_the_process_ends_by_itself_when_stdin_does() -> None:
    ended = finish()
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_bytes_that_are_no_protocol_do_not_end_the_server_with_a_traceback() -> None:
    ended = finish("this is not JSON\n{}\n[1,2]\n")
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


def test_calls_of_a_shape_that_is_no_call_are_answered_with_an_error_and_the_next_one_works() -> None:
    # Parameters that are no object make no message of the protocol: the SDK passes those over.
    wrongs: list[Any] = [[], ["x"], "x", 7, True]
    names: list[Any] = [7, None, [], {}, "", "x" * 100_000, "../list_metrics"]
    shapes = [
        *({"name": "list_metrics", "arguments": wrong} for wrong in wrongs),
        *({"name": name, "arguments": {}} for name in names),
        *({}, {"arguments": {}}),
    ]
    calls = [{"id": number, "method": "tools/call", "params": shape} for number, shape in enumerate(shapes, 1)]
    opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    process = subprocess.Popen(
        [sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), cwd="/"
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    assert process.stdin
    assert process.stdout

    def send(message: dict[str, Any]) -> None:
        assert process.stdin
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        process.stdin.flush()

    send({"id": 0, "method": "initialize", "params": opening})
    process.stdout.readline()
    send({"method": "notifications/initialized"})
    for number, params in enumerate(([], "x"), 100):
        send({"id": number, "method": "tools/call", "params": params})
    for call in calls:
        send(call)
        answer = json.loads(process.stdout.readline())
        assert answer["id"] == call["id"]
        assert "error" in answer or answer["result"]["isError"], call
        assert len(json.dumps(answer)) < 5_000
        assert "Traceback" not in json.dumps(answer)
    send({"id": 999, "method": "tools/list"})
    assert json.loads(process.stdout.readline())["result"]["tools"]
    process.stdin.close()
    assert process.wait() == 0
    watchdog.cancel()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"PROMETHEUS_URL": "prometheus:9090", "FLEET_URL": "fleet"},
            ["PROMETHEUS_URL: must start", "FLEET_URL: must"],
        ),
        ({"SRE_CONFIG_DIR": "/nonexistent"}, ["/nonexistent/services.yaml: cannot be read"]),
        ({"PROMETHEUS_USERNAME": "ada"}, ["PROMETHEUS_USERNAME", "belong together"]),
    ],
)
def test_settings_that_cannot_be_used_are_one_message_and_status_2(variables: Mapping[str, str], words: Any) -> None:
    ended = finish(**variables)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("sre_mcp_server: ")
    assert "Traceback" not in ended.stderr
    assert all(word in ended.stderr for word in words)


def test_the_tools_are_described_without_mcp_and_without_settings() -> None:
    code = (
        "import sys; from sre_bot.tools.offer import describe_tools; "
        "print(*(spec.name for spec in describe_tools()), 'mcp' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    *names, imported = shown.stdout.split()
    assert set(names) >= set(READS)
    assert imported == "False"


def test_a_group_whose_settings_are_absent_is_absent() -> None:
    absent = {"get_logs", "get_recent_deployments"}
    with_fleet = {spec.name for spec in describe_tools(load_tool_settings({"FLEET_URL": NOWHERE}))}
    without = {spec.name for spec in describe_tools(load_tool_settings({}))}
    assert with_fleet - without == absent
    assert {spec.name for spec in describe_tools() if spec.access is Access.CHANGE} == {
        "update_service_config",
        "redeploy_service",
    }
