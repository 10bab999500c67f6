"""The bot's agent as it is assembled, with everything that can change something; the model is an enemy."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from sre_bot.assembly import assemble_agent
from sre_bot.catalog import load_catalog
from sre_bot.incidents.ledger import Ledger
from sre_bot.settings import ROOT, load_settings
from tests.conftest import Model

from .target import BEFORE, Target

POLICY = "approval: {expires_minutes: 30}\nread_only: {helper: [other]}\n"


@pytest_asyncio.fixture
async def target(model: Model, ledger: Ledger, tmp_path: Path) -> AsyncIterator[Target]:
    """One thread, one env file, one ledger; the processes are the real ones."""
    config = tmp_path / "config"
    config.mkdir()
    for name in ("services.yaml", "runbooks"):
        if (source := ROOT / "config" / name).exists():
            (config / name).symlink_to(source)
    (config / "policy.yaml").write_text(POLICY)
    command = {"command": sys.executable, "args": [str(Path(__file__).with_name("foreign_server.py"))]}
    command["args"] = [*command["args"], str(tmp_path / "written-by-helper")]
    (config / "mcp.json").write_text(json.dumps({"mcpServers": {"helper": command}}))
    env_file = tmp_path / "env" / "api-server.env"
    env_file.parent.mkdir()
    env_file.write_bytes(BEFORE)
    settings = load_settings(
        {
            "ANTHROPIC_API_KEY": "sandbox-no-key",
            "ANTHROPIC_BASE_URL": model.url,
            "SLACK_BOT_TOKEN": "xoxb-1",
            "SLACK_APP_TOKEN": "xapp-1",
            "PROMETHEUS_URL": "http://127.0.0.1:9",
            "DATABASE_URL": f"sqlite:///{tmp_path / 'ledger.db'}",
            "SRE_STATE_DIR": str(tmp_path / "agent"),
            "SRE_SPARE_SESSIONS": "0",
            "SRE_ENV_DIR": str(env_file.parent),
            "SRE_CONFIG_DIR": str(config),
        }
    )
    agent = assemble_agent(settings, load_catalog(config), ledger)
    yield Target(agent, ledger, model, env_file, tmp_path)
    await agent.pool.close()
