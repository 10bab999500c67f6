"""The MCP Inspector's command line, which judges the server by an implementation that is not ours.

It is a Node program and no dependency of this project: docs/integrations.md says how to have it here.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sre_bot.settings import ROOT
from sre_bot.tools.offer import describe_tools
from tests.tools.every_tool import Surroundings, surroundings

INSTALLED = "MCP_INSPECTOR_DIR"
NODE = (22, 19)  # what the Inspector asks for
FAILED_CALL = 5  # its exit status where a tool's result is an error
TIMEOUT = 60.0  # seconds
SPECS = {spec.name: spec for spec in describe_tools()}
ERAS = ("legacy", "modern")


def path_of_node() -> str:
    """PATH with the Inspector and a Node that is new enough for it; skips where they are not here."""
    folder = Path(os.environ.get(INSTALLED, "/nonexistent"), "node_modules")
    path = os.pathsep.join([str(folder / ".bin"), str(folder / "node" / "bin"), os.environ["PATH"]])
    if not shutil.which("mcp-inspector", path=path):
        pytest.skip(f"no mcp-inspector on PATH nor below {INSTALLED} (docs/integrations.md: how to install it)")
    node = shutil.which("node", path=path)
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout if node else "none"
    if tuple(map(int, re.findall(r"\d+", said)[:2])) < NODE:
        pytest.skip(f"the MCP Inspector needs Node {NODE[0]}.{NODE[1]} or later; here is {said.strip()}")
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def around(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Surroundings]:
    path_of_node()
    prometheus = request.getfixturevalue("prometheus_url")
    async with surroundings(tmp_path_factory.mktemp("inspector"), prometheus) as running:
        yield running


async def inspect(around: Surroundings, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run the Inspector on our server: its exit status, its JSON, and what it complained of."""
    folder = around.env_dir.parent
    server = {
        "command": sys.executable,
        "args": [str(ROOT / "sre_mcp_server.py"), "--allow-changes=client"],
        "env": {"SRE_ENV_FILE": "", **around.environ},
    }
    config = folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"sre": server}}))
    process = await asyncio.create_subprocess_exec(
        *("mcp-inspector", "--cli", "-q", "--config", str(config), "--server", "sre", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": path_of_node(), "HOME": str(folder)},
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            out, complaints = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return process.returncode, json.loads(out or b"{}"), complaints.decode()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("era", ERAS)
async def test_the_list_of_all_tools_passes_its_strict_checks(around: Surroundings, era: str) -> None:
    status, listed, complaints = await inspect(around, "--method", "tools/list", "--strict", "--protocol-era", era)
    assert (status, complaints) == (0, "")
    assert [tool["name"] for tool in listed["tools"]] == list(SPECS)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", list(SPECS))
async def test_every_tool_can_be_called(around: Surroundings, name: str, era: str) -> None:
    given = json.dumps(around.ordinary(SPECS[name]))
    status, result, complaints = await inspect(
        around,
        *("--method", "tools/call", "--protocol-era", era),
        *("--tool-name", name, "--tool-args-json", given),
    )
    assert status == 0, result or complaints
    words, *pictures = result["content"]
    assert words["type"] == "text"
    assert [each["mimeType"] for each in pictures] == (["image/png"] if name == "plot_metrics" else [])
    assert not result.get("isError")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_call_that_fails_is_a_failed_call_with_our_words(around: Surroundings) -> None:
    status, result, _ = await inspect(
        around, "--method", "tools/call", "--tool-name", "get_logs", "--tool-args-json", '{"service": "nobody"}'
    )
    assert status == FAILED_CALL
    assert result["isError"]
    assert "'nobody'" in result["content"][0]["text"]
