"""The real Claude Code CLI against the stand-in: the judge of the wire format."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    Message,
    ResultMessage,
    StreamEvent,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from sre_bot.agent.session import await_tools

from .conftest import TOOLS, Standin

MCP_SERVER = Path(__file__).parent / "observed_mcp_server.py"
HEALTH, ALERTS = "mcp__sre__get_service_health", "mcp__sre__get_alerts"


@pytest.fixture
def options(standin: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClaudeAgentOptions:
    for name in [name for name in os.environ if "proxy" in name.lower()]:
        monkeypatch.delenv(name)  # the CLI inherits this process's environment
    return ClaudeAgentOptions(
        system_prompt="You are an SRE bot.",
        tools=[],
        setting_sources=[],
        strict_mcp_config=True,
        permission_mode="dontAsk",
        allowed_tools=[str(tool["name"]) for tool in TOOLS],
        include_partial_messages=True,
        verbatim_prompts=True,
        mcp_servers={"sre": {"command": sys.executable, "args": [str(MCP_SERVER), str(tmp_path)]}},
        cwd=tmp_path,
        env={
            "ANTHROPIC_BASE_URL": standin.url,
            "ANTHROPIC_API_KEY": "sk-dummy",
            "CLAUDE_CONFIG_DIR": str(tmp_path / "claude"),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
        },
    )


async def ask(client: ClaudeSDKClient, text: str) -> list[Message]:
    await client.query(text)
    return [message async for message in client.receive_response()]


def ending(messages: list[Message]) -> ResultMessage:
    (result,) = [message for message in messages if isinstance(message, ResultMessage)]
    return result


async def test_the_cli_reads_text_and_parallel_calls_and_sends_back_a_valid_history(
    standin: Standin, options: ClaudeAgentOptions, tmp_path: Path
) -> None:
    (tmp_path / "get_service_health.txt").write_text("api-server fine")
    both = [{"text": "Looking at both."}, {"tool": HEALTH, "input": {}}, {"tool": ALERTS, "input": {}}]
    await standin.order("script", marker="outage-1", turns=[both, {"text": "Nothing is wrong."}])
    async with ClaudeSDKClient(options=options) as client:
        await await_tools(client)
        messages = await ask(client, "outage-1")
        follow_up = await ask(client, "and now?")
    blocks = [block for m in messages if isinstance(m, AssistantMessage) for block in m.content]
    assert [b.name for b in blocks if isinstance(b, ToolUseBlock)] == [HEALTH, ALERTS]
    assert [b.text for b in blocks if isinstance(b, TextBlock)] == ["Looking at both.", "Nothing is wrong."]
    read = [b for m in messages if isinstance(m, UserMessage) for b in m.content if isinstance(b, ToolResultBlock)]
    assert "api-server fine" in str(read[0].content)
    assert any(isinstance(message, StreamEvent) for message in messages)
    assert not ending(messages).is_error
    assert not ending(follow_up).is_error
    assert await standin.seen("violations") == []
    assert {HEALTH, ALERTS} <= set((await standin.seen("requests"))[0]["tools"])
    assert (await standin.seen("requests"))[-1]["last_user_text"] == "and now?"


async def test_the_playbook_finds_the_cause_through_the_cli_and_answers_a_follow_up(
    standin: Standin, options: ClaudeAgentOptions, tmp_path: Path
) -> None:
    shutil.copytree(Path(__file__).parent / "observed" / "broken", tmp_path, dirs_exist_ok=True)
    async with ClaudeSDKClient(options=options) as client:
        await await_tools(client)
        answer = ending(await ask(client, "500 errors spiking on api-server"))
        assert answer.result is not None
        assert "`DB_POOL_SIZE` changed 20 → 1" in answer.result
        recalled = ending(await ask(client, "what was the error rate?"))
        assert recalled.result is not None
        assert "api-server: error rate 46.3 %" in recalled.result
    assert await standin.seen("violations") == []


async def test_the_cli_reports_each_fault_and_the_same_session_goes_on(
    standin: Standin, options: ClaudeAgentOptions
) -> None:
    async with ClaudeSDKClient(options=options) as client:
        for status in (401, 400, 429, 500):
            # Without a count: after a 400 the CLI tries once more with other parameters.
            await standin.order("faults", kind="http", status=status)
            failed = ending(await ask(client, f"during {status}"))
            await standin.http.delete("/sandbox/faults")
            assert (failed.is_error, failed.api_error_status) == (True, status)
        for kind in ("reset_before", "reset"):
            await standin.order("faults", kind=kind)
            assert ending(await ask(client, f"during {kind}")).is_error
            await standin.http.delete("/sandbox/faults")
        await standin.order("faults", kind="stream_error", count=1)
        assert not ending(await ask(client, "during overload")).is_error  # the CLI asks once more by itself
        assert not ending(await ask(client, "how is it now?")).is_error
    assert await standin.seen("violations") == []


async def test_an_interrupted_reply_leaves_a_history_that_the_api_takes(
    standin: Standin, options: ClaudeAgentOptions
) -> None:
    await standin.order("script", marker="speak", turns=[{"text": "word " * 400}])
    await standin.order("faults", kind="hang_mid", count=1)
    async with ClaudeSDKClient(options=options) as client:
        await client.query("speak")
        stopped = []
        async for message in client.receive_response():
            stopped.append(message)
            if isinstance(message, StreamEvent) and message.event["type"] == "content_block_delta":
                await client.interrupt()
        await standin.http.delete("/sandbox/faults")
        await standin.http.delete("/sandbox/script")
        assert not ending(await ask(client, "how is it now?")).is_error
    assert "aborted_streaming" in str(ending(stopped))
    assert await standin.seen("violations") == []
