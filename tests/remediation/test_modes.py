"""The three modes of the server, over real stdio: read-only, the client's own prompt, and the ledger's approvals."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE
from typing import Any
from uuid import uuid4

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent

from sre_bot.clients.env_files import EnvFiles
from sre_bot.incidents import ApprovalState, Ledger, Proposal
from sre_bot.settings import ROOT
from sre_bot.tools.approval import TOOL_USE_ID
from tests.remediation.conftest import FILE, FINE, listing

SERVER = ROOT / "sre_mcp_server.py"
CHANGES = {"update_service_config", "redeploy_service"}
CHANGE = {"service": "shop", "key": "POOL", "value": "20"}
REDEPLOYED = {**CHANGE, "redeploy": True}


def environment(folder: Path) -> dict[str, str]:
    return {
        "SRE_ENV_FILE": "",
        "PATH": os.environ["PATH"],
        "PROMETHEUS_URL": "http://127.0.0.1:9",
        "SRE_CONFIG_DIR": str(folder),
        "REDEPLOY_COMMAND": f"{FINE[0]} -c 'print(1)' {{service}}",
        "DATABASE_URL": f"sqlite:///{folder.parent / 'ledger.db'}",
    }


@asynccontextmanager
async def connected(folder: Path, *arguments: str, **settings: str) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(
        command=sys.executable, args=[str(SERVER), *arguments], env=environment(folder) | settings, cwd=str(folder)
    )
    async with Client(stdio_client(parameters)) as client:
        yield client


async def answer(client: Client, name: str, arguments: dict[str, Any], call: object = None) -> tuple[bool, str]:
    meta: Any = {TOOL_USE_ID: call} if call is not None else None
    result: CallToolResult = await client.call_tool(name, arguments, meta=meta)
    (content,) = result.content
    assert isinstance(content, TextContent)
    return bool(result.is_error), content.text


async def names(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


async def test_without_a_flag_changes_are_neither_offered_nor_executed(folder: Path) -> None:
    before = listing(folder)
    async with connected(folder) as client:
        assert not await names(client) & CHANGES
        assert "read_service_config" in await names(client)
        for name in CHANGES:
            failed, text = await answer(client, name, CHANGE, "toolu_1")
            assert failed
            assert text == (
                f"{name} is not offered: this server is read-only, as it was started without --allow-changes. "
                f"Nothing was executed."
            )
    assert listing(folder) == before


async def test_with_the_clients_prompt_a_call_runs_as_it_comes(folder: Path) -> None:
    async with connected(folder, "--allow-changes=client") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) >= CHANGES
        for name in CHANGES:
            hints = tools[name].annotations
            assert hints
            assert not hints.read_only_hint
            assert hints.destructive_hint is not False  # absent means destructive, and open to the world
        failed, text = await answer(client, "update_service_config", CHANGE)
        assert not failed
        assert "+POOL=20" in text
        assert not (await answer(client, "redeploy_service", {"service": "shop"}))[0]
    assert "POOL=20 " in (folder / "shop.env").read_text()


@pytest.fixture
async def ledger(folder: Path) -> AsyncIterator[Ledger]:
    ledger = await Ledger.open(f"sqlite:///{folder.parent / 'ledger.db'}")
    yield ledger
    await ledger.close()


async def approve(
    ledger: Ledger,
    call: str,
    arguments: dict[str, Any],
    *,
    tool: str = "update_service_config",
    file_hash: str | None = None,
    up_to: ApprovalState = ApprovalState.EXECUTING,
) -> None:
    expires = datetime.now(UTC) + timedelta(minutes=15)
    await ledger.approvals.propose(Proposal(call, uuid4(), tool, arguments, expires, file_hash))
    for state in (ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXECUTING):
        await ledger.approvals.move(call, state, by="U1")
        if state is up_to:
            return


async def state(ledger: Ledger, call: str) -> tuple[ApprovalState, str]:
    found = await ledger.approvals.find(call)
    assert found
    return found.state, found.outcome


async def test_an_approved_call_runs_once_and_its_outcome_is_recorded(folder: Path, ledger: Ledger) -> None:
    await approve(ledger, "toolu_1", CHANGE, file_hash=EnvFiles(folder).read("shop.env").hash)
    async with connected(folder, "--allow-changes=approved") as client:
        failed, text = await answer(client, "update_service_config", CHANGE, "toolu_1")
        assert not failed, text
        assert await state(ledger, "toolu_1") == (ApprovalState.SUCCEEDED, text)
        (folder / "shop.env").write_text(FILE)
        failed, text = await answer(client, "update_service_config", CHANGE, "toolu_1")
        assert failed
        assert "used already" in text
    assert (folder / "shop.env").read_text() == FILE


async def test_the_approval_may_be_in_a_database_that_bot_and_server_share(folder: Path, postgres_url: str) -> None:
    ledger = await Ledger.open(postgres_url)
    await approve(ledger, "toolu_1", CHANGE, file_hash=EnvFiles(folder).read("shop.env").hash)
    async with connected(folder, "--allow-changes=approved", DATABASE_URL=postgres_url) as client:
        failed, text = await answer(client, "update_service_config", CHANGE, "toolu_1")
        assert not failed, text
        assert await state(ledger, "toolu_1") == (ApprovalState.SUCCEEDED, text)
        assert "used already" in (await answer(client, "update_service_config", CHANGE, "toolu_1"))[1]
    await ledger.close()


async def test_without_its_database_the_server_lets_nothing_through(folder: Path) -> None:
    before = listing(folder)
    away = "postgresql://bot:hunter2@127.0.0.1:9/bot"
    async with connected(folder, "--allow-changes=approved", DATABASE_URL=away) as client:
        failed, text = await answer(client, "update_service_config", CHANGE, "toolu_1")
    assert failed
    assert "Check that it runs" in text
    assert text.endswith("Nothing was executed.")
    assert "hunter2" not in text
    assert listing(folder) == before


async def test_everything_else_is_refused_with_words_and_changes_nothing(folder: Path, ledger: Ledger) -> None:
    await approve(ledger, "toolu_1", CHANGE)
    await approve(ledger, "toolu_2", CHANGE, up_to=ApprovalState.APPROVED)
    await approve(ledger, "toolu_3", CHANGE, up_to=ApprovalState.PENDING)
    before = listing(folder)
    refused: list[tuple[str, dict[str, Any], object, str]] = [
        ("update_service_config", CHANGE, None, "the client sent no tool-use id"),
        ("update_service_config", CHANGE, "", "no tool-use id"),
        ("update_service_config", CHANGE, ["toolu_1"], "no tool-use id"),
        ("update_service_config", CHANGE, "toolu_9", "no approval in the ledger"),
        ("update_service_config", CHANGE, "' OR 1=1 --", "no approval in the ledger"),
        ("update_service_config", {**CHANGE, "value": "21"}, "toolu_1", "differs from the one that was approved"),
        ("update_service_config", {**CHANGE, "redeploy": True}, "toolu_1", "differs"),
        ("redeploy_service", {"service": "shop"}, "toolu_1", "differs"),
        ("update_service_config", CHANGE, "toolu_2", "This approval is approved, not begun by the bot"),
        ("update_service_config", CHANGE, "toolu_3", "This approval is pending"),
    ]
    async with connected(folder, "--allow-changes=approved") as client:
        for name, arguments, call, words in refused:
            failed, text = await answer(client, name, arguments, call)
            assert failed
            assert text.startswith(f"{name} needs an approval: ")
            assert words in text
            assert text.endswith("Nothing was executed.")
        assert not (await answer(client, "read_service_config", {"service": "shop"}))[0]
    assert listing(folder) == before
    assert await state(ledger, "toolu_1") == (ApprovalState.EXECUTING, "")


async def test_a_file_that_changed_since_the_proposal_voids_the_approval(folder: Path, ledger: Ledger) -> None:
    await approve(ledger, "toolu_1", CHANGE, file_hash=EnvFiles(folder).read("shop.env").hash)
    (folder / "shop.env").write_text(FILE + "# edited\n")
    async with connected(folder, "--allow-changes=approved") as client:
        failed, text = await answer(client, "update_service_config", CHANGE, "toolu_1")
    assert failed
    assert "is not the file that was seen" in text
    assert await state(ledger, "toolu_1") == (ApprovalState.FAILED, text)
    assert (folder / "shop.env").read_text() == FILE + "# edited\n"


async def test_an_approval_is_used_once_by_many_servers_at_once(folder: Path, ledger: Ledger) -> None:
    arguments = {**CHANGE, "redeploy": True}
    await approve(ledger, "toolu_1", arguments)
    async with (
        connected(folder, "--allow-changes=approved") as one,
        connected(folder, "--allow-changes=approved") as two,
        connected(folder, "--allow-changes=approved") as three,
    ):
        answers = await asyncio.gather(
            *(
                answer(client, "update_service_config", arguments, "toolu_1")
                for client in (one, two, three)
                for _ in range(3)
            )
        )
    assert sorted(failed for failed, _ in answers) == [False] + [True] * 8


async def test_a_ledger_that_is_not_there_lets_nothing_through(folder: Path) -> None:
    before = listing(folder)
    async with connected(folder, "--allow-changes=approved") as client:
        failed, text = await answer(client, "update_service_config", CHANGE, "toolu_1")
    assert failed
    assert "There is no ledger sqlite:///" in text
    assert text.endswith("Nothing was executed.")
    assert listing(folder) == before
    assert not (folder.parent / "ledger.db").exists()


@pytest.fixture
async def slow(folder: Path, ledger: Ledger) -> tuple[Path, Path, dict[str, str]]:
    """An approved change whose redeploy says that it began, waits for leave and fails; the server's environment."""
    await approve(ledger, "toolu_1", REDEPLOYED)
    started, go = folder.parent / "started", folder.parent / "go"
    script = folder.parent / "slow.py"
    script.write_text(
        f"import time\nfrom pathlib import Path\nPath({str(started)!r}).touch()\n"
        f"while not Path({str(go)!r}).exists(): time.sleep(0.01)\nraise SystemExit(1)\n"
    )
    return started, go, {**environment(folder), "REDEPLOY_COMMAND": f"{sys.executable} {script}"}


async def test_a_change_goes_on_to_its_end_when_the_client_waits_no_longer(
    folder: Path, ledger: Ledger, slow: tuple[Path, Path, dict[str, str]]
) -> None:
    started, go, variables = slow
    parameters = StdioServerParameters(
        command=sys.executable, args=[str(SERVER), "--allow-changes=approved"], env=variables, cwd=str(folder)
    )
    async with Client(stdio_client(parameters)) as client:
        calling = asyncio.create_task(answer(client, "update_service_config", REDEPLOYED, "toolu_1"))
        while not started.exists():
            await asyncio.sleep(0.01)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        assert not (await answer(client, "list_metrics", {}))[1].startswith("There is no")  # it serves on
        go.touch()
        while (await state(ledger, "toolu_1"))[0] is ApprovalState.CONSUMED:
            await asyncio.sleep(0.01)
    await assert_it_came_to_its_end(folder, ledger)


@pytest.mark.parametrize("how", ["its client is gone", "it is told to end"])
async def test_a_server_that_has_to_end_brings_a_change_to_its_end_first(
    folder: Path, ledger: Ledger, slow: tuple[Path, Path, dict[str, str]], how: str
) -> None:
    started, go, variables = slow
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    call = {"name": "update_service_config", "arguments": REDEPLOYED, "_meta": {TOOL_USE_ID: "toolu_1"}}
    server = start_server(
        variables,
        {"id": 1, "method": "initialize", "params": client},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": call},
    )
    assert server.stdin
    assert server.stdout
    while not started.exists():
        await asyncio.sleep(0.01)
    if how == "it is told to end":
        server.terminate()
    else:
        server.stdin.close()
        server.stdout.close()
    await asyncio.sleep(0.5)  # it had the time to end too early
    assert (await state(ledger, "toolu_1"))[0] is ApprovalState.CONSUMED
    go.touch()
    await asyncio.to_thread(server.wait, 60)
    for pipe in (server.stdin, server.stdout):
        pipe.close()
    await assert_it_came_to_its_end(folder, ledger)


def start_server(variables: dict[str, str], *messages: dict[str, Any]) -> subprocess.Popen[str]:
    """A server with a client that has sent messages, and whose pipes the test holds."""
    command = [sys.executable, str(SERVER), "--allow-changes=approved"]
    server = subprocess.Popen(command, env=variables, stdin=PIPE, stdout=PIPE, text=True)
    assert server.stdin
    server.stdin.writelines(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)
    server.stdin.flush()
    return server


async def assert_it_came_to_its_end(folder: Path, ledger: Ledger) -> None:
    found, outcome = await state(ledger, "toolu_1")
    assert found is ApprovalState.FAILED
    assert "shop.env is again as it was" in outcome
    assert (folder / "shop.env").read_text() == FILE


def test_only_the_mode_that_needs_the_ledger_imports_sqlalchemy() -> None:
    code = "import sys; import sre_bot.tools.server, sre_bot.tools.offer; print('sqlalchemy' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert shown.stdout == "False\n"


PREPARED = """
import asyncio, sys
from sre_bot.tools.approval import Gate

async def main():
    gate = Gate("sqlite:////no/such.db")
    gate.prepare()
    print("sqlalchemy" in sys.modules)
    while "sqlalchemy" not in sys.modules:
        await asyncio.sleep(0.01)
    await gate.close()

asyncio.run(main())
"""


def test_a_while_after_its_tools_were_listed_the_server_is_ready_for_an_approval() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", PREPARED], capture_output=True, text=True, cwd=ROOT, check=True, timeout=100
    )
    assert (shown.stdout, shown.stderr) == ("False\n", "")


@pytest.mark.parametrize("flag", ["--allow-changes", "--allow-changes=yes", "--allow-change=client", "--yes"])
def test_a_flag_that_is_not_known_starts_nothing(flag: str) -> None:
    ended = subprocess.run(
        [sys.executable, SERVER, flag], capture_output=True, text=True, input="", check=False, timeout=60
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
