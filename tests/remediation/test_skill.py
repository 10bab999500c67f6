"""The skill: what Claude Code reads in a clone, and what the bot's agent gets of it through the real CLI."""

import json
import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from claude_agent_sdk import ClaudeSDKClient, ResultMessage, ToolResultBlock, UserMessage

from sre_bot.agent.options import AgentOptions
from sre_bot.agent.session import await_tools
from sre_bot.incidents import Ledger
from sre_bot.settings import ROOT, load_settings
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.spec import Access
from tests.conftest import Model

PLUGIN = ROOT / ".claude"
SKILL = PLUGIN / "skills" / "runbook" / "SKILL.md"
READ = {f"mcp__sre__{spec.name}" for spec in describe_tools() if spec.access is Access.READ}
ALLOWED = ("mcp__sre__execute_runbook", "mcp__sre__get_service_health")


def front_matter() -> dict[str, str]:
    return dict(yaml.safe_load(SKILL.read_text().split("---\n")[1]))


def test_the_skill_allows_and_names_only_tools_that_there_are_and_that_read() -> None:
    assert set(front_matter()["allowed-tools"].split(", ")) <= READ
    named = set(re.findall(r"`((?:get|execute|read|query|list)_\w+)`", SKILL.read_text()))
    assert named
    assert {f"mcp__sre__{name}" for name in named} <= READ


def test_a_clone_offers_claude_code_the_read_only_server_and_lets_it_read_without_asking() -> None:
    server = json.loads((ROOT / ".mcp.json").read_text())["mcpServers"]["sre"]
    assert server["args"] == ["${CLAUDE_PROJECT_DIR:-.}/sre_mcp_server.py"]
    settings = json.loads((PLUGIN / "settings.json").read_text())
    assert set(settings["permissions"]["allow"]) <= READ


@pytest.fixture
async def options(model: Model, ledger: Ledger, tmp_path: Path) -> AsyncIterator[AgentOptions]:
    settings = load_settings(
        {
            "ANTHROPIC_API_KEY": "sandbox-no-key",
            "ANTHROPIC_BASE_URL": model.url,
            "SLACK_BOT_TOKEN": "xoxb",
            "SLACK_APP_TOKEN": "xapp",
            "PROMETHEUS_URL": "http://127.0.0.1:9",
            "SRE_STATE_DIR": str(tmp_path / "agent"),
        }
    )
    made = AgentOptions(settings, ALLOWED, ledger.transcripts)
    yield made
    made.close()


async def results(options: AgentOptions, model: Model, *calls: tuple[str, dict[str, Any]]) -> list[tuple[bool, str]]:
    """What the CLI answers to calls that the model makes one after the other."""
    await model.script("outage-7", *({"tool": name, "input": given} for name, given in calls), {"text": "Done."})
    session = replace(
        options.for_session(uuid4(), resume=False),
        plugins=[{"type": "local", "path": str(PLUGIN)}],
        tools=["Skill"],
        skills=[".claude:runbook"],
    )
    found = []
    async with ClaudeSDKClient(options=session) as client:
        await await_tools(client)
        await client.query("outage-7")
        async for message in client.receive_response():
            blocks = message.content if isinstance(message, UserMessage) and isinstance(message.content, list) else []
            found += [(bool(b.is_error), str(b.content)) for b in blocks if isinstance(b, ToolResultBlock)]
            assert not isinstance(message, ResultMessage) or not message.is_error
    return found


async def test_the_bots_agent_reads_the_skill_and_gains_no_other_power_by_it(
    options: AgentOptions, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    answers = await results(
        options,
        model,
        ("Skill", {"skill": ".claude:runbook"}),
        ("mcp__sre__execute_runbook", {"name": "none"}),
        ("mcp__sre__list_metrics", {}),
        ("mcp__sre__update_service_config", {"service": "api-server", "key": "DB_POOL_SIZE", "value": "20"}),
        ("Skill", {"skill": "update-config"}),
        ("Bash", {"command": "true"}),
    )
    failed = [is_error for is_error, _ in answers]
    assert failed == [False, True, True, True, True, True]
    assert answers[1][1].startswith("No runbook 'none'. Runbooks and their symptoms:\ndatabase-connection-exhaustion ")
    assert "UNREACHABLE" not in answers[2][1], "settings.json of the clone reached the bot's session"
    assert "o such tool available" in answers[3][1]
    requests = await model.requests()
    assert any("Runbooks are data" in request["last_user_text"] for request in requests)
    assert {name for name in requests[-1]["tools"] if not name.startswith("mcp__sre__")} == {"Skill"}
