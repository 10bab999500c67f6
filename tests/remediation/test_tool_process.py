"""The bot as the client of its own tool process: one call, both keys, and no more of its environment than is needed."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from sre_bot.agent.tool_process import ToolProcess
from sre_bot.errors import ToolsUnavailable
from sre_bot.incidents import ApprovalState, Ledger
from tests.remediation.conftest import FILE
from tests.remediation.test_modes import CHANGE, SERVER, approve, environment, ledger, state

__all__ = ["ledger"]  # the fixture

TOOL = "update_service_config"
EVERY_PROGRAM = {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"}


def process(folder: Path, **settings: str) -> ToolProcess:
    variables = environment(folder) | settings
    return ToolProcess({"command": sys.executable, "args": [str(SERVER), "--allow-changes=approved"], "env": variables})


async def test_an_approved_call_is_made_once(folder: Path, ledger: Ledger) -> None:
    await approve(ledger, "rollback:1", CHANGE)
    answer = await process(folder).call(TOOL, CHANGE, "rollback:1")
    assert "+POOL=20" in answer
    assert await state(ledger, "rollback:1") == (ApprovalState.SUCCEEDED, answer)
    assert "used already" in await process(folder).call(TOOL, CHANGE, "rollback:1")


@pytest.mark.parametrize(
    ("call", "arguments"), [("rollback:2", CHANGE), ("rollback:1", {**CHANGE, "value": "21"})], ids=["id", "value"]
)
async def test_any_other_call_is_refused_in_words(
    folder: Path, ledger: Ledger, call: str, arguments: dict[str, Any]
) -> None:
    await approve(ledger, "rollback:1", CHANGE)
    assert "Nothing was executed" in await process(folder).call(TOOL, arguments, call)
    assert (folder / "shop.env").read_text() == FILE


async def test_the_process_gets_the_environment_that_it_needs_and_no_secret_of_the_bot(
    folder: Path, ledger: Ledger
) -> None:
    seen = folder.parent / "seen"
    script = folder.parent / "look.py"
    script.write_text(
        "import os, pathlib\n"
        f"pathlib.Path({str(seen)!r}).write_bytes(pathlib.Path(f'/proc/{{os.getppid()}}/environ').read_bytes())\n"
    )
    arguments = {**CHANGE, "redeploy": True}
    await approve(ledger, "rollback:1", arguments)
    answer = await process(folder, REDEPLOY_COMMAND=f"{sys.executable} {script}").call(TOOL, arguments, "rollback:1")
    assert "REDEPLOYED" in answer
    given = {variable.partition("=")[0] for variable in seen.read_text().split("\0") if variable}
    assert {*environment(folder)} <= given <= {*environment(folder), *EVERY_PROGRAM}
    assert "PYTEST_CURRENT_TEST" in os.environ, "this process has more"


@pytest.mark.parametrize(
    "command",
    [
        {"command": "/no/such/program", "args": [], "env": {}},
        {"command": sys.executable, "args": ["-c", "raise SystemExit(2)"], "env": {}},
    ],
    ids=["absent", "ends"],
)
async def test_a_process_that_cannot_be_asked_is_said_to_be(command: dict[str, Any]) -> None:
    with pytest.raises(ToolsUnavailable, match="The tool process did not answer"):
        await ToolProcess(command).call(TOOL, CHANGE, "rollback:1")


async def test_a_change_goes_on_to_its_end_when_whoever_asked_for_it_is_stopped(folder: Path, ledger: Ledger) -> None:
    arguments = {**CHANGE, "redeploy": True}
    await approve(ledger, "rollback:1", arguments)
    started, go = folder.parent / "started", folder.parent / "go"
    script = folder.parent / "slow.py"
    script.write_text(
        f"import time\nfrom pathlib import Path\nPath({str(started)!r}).touch()\n"
        f"while not Path({str(go)!r}).exists(): time.sleep(0.01)\n"
    )
    tools = process(folder, REDEPLOY_COMMAND=f"{sys.executable} {script}")
    asking = asyncio.create_task(tools.call(TOOL, arguments, "rollback:1"))
    while not started.exists():
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    closing = asyncio.create_task(tools.close())
    await asyncio.sleep(0)
    assert not closing.done()
    go.touch()
    await closing
    assert (await state(ledger, "rollback:1"))[0] is ApprovalState.SUCCEEDED
