"""Starting a session: what fails at first is started again, after the two tries of the CLI itself; then it is said."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sre_bot.agent.events import Outcome, RunEnded
from sre_bot.agent.pool import SessionPool
from sre_bot.errors import ToolsUnavailable
from tests.light_tools import SERVER


@pytest.fixture
def tool_server(tmp_path: Path, failing: int) -> dict[str, Any]:
    """The first so many starts fail; the lines of a file count them."""
    left = tmp_path / "failures"
    left.write_text("again\n" * failing)
    start = f"[ -s {left} ] && sed -i 1d {left} && exit 1; exec {sys.executable} {' '.join(SERVER['args'])}"
    return SERVER | {"command": "/bin/sh", "args": ["-c", start]}


@pytest.mark.parametrize("failing", [2])
async def test_a_tool_process_that_fails_at_first_is_started_again(
    model, make_pool: Callable[..., SessionPool], caplog: pytest.LogCaptureFixture
):
    session = await make_pool().take(None)
    assert "is started once more" in caplog.text
    await model.script("QUESTION", {"text": "All is well."})
    end = [event async for event in session.ask("QUESTION", uuid4())][-1]
    assert isinstance(end, RunEnded)
    assert end.outcome is Outcome.ANSWERED


@pytest.mark.parametrize("failing", [50])
async def test_a_tool_process_that_goes_on_failing_is_said(make_pool: Callable[..., SessionPool]):
    with pytest.raises(ToolsUnavailable, match="My tools are not available"):
        await make_pool().take(None)
