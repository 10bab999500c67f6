"""`ClaudeAgentOptions` from settings and tool specs: the one place that decides what the agent's process may do.

The model gets our MCP tools and one skill: no other built-in tools, no settings from disk, no other MCP servers, and
prompts taken verbatim (so that `@/etc/passwd` in a message is text). Read tools run without asking; in `dontAsk` mode
every other call is refused, also when hooks are missing.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import claude_agent_sdk
from claude_agent_sdk import ClaudeAgentOptions, HookMatcher
from claude_agent_sdk.types import HookEvent, SessionStore

from sre_bot.agent.approvals import Seal
from sre_bot.agent.exhibits import Keeper
from sre_bot.agent.scratch import Scratch
from sre_bot.settings import ROOT, Settings, ToolSettings
from sre_bot.tools.offer import SERVER_NAME

log = logging.getLogger(__name__)


PROMPT = Path(__file__).with_name("prompt.md")
LAUNCHER = Path(__file__).with_name("claude.sh")
CLI = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"

# What a child process may inherit: where programs are, the language, and how this network is reached.
INHERITED = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "SHELL"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)

# Bounds of the CLI, milliseconds where they are times. Its own defaults retry for three minutes, and let a stream that
# has stalled hang for ten (measured with CLI 2.1.330).
CLI_BOUNDS: Mapping[str, str] = {
    "CLAUDE_CODE_MAX_RETRIES": "3",
    "API_TIMEOUT_MS": "60000",
    "CLAUDE_ENABLE_BYTE_WATCHDOG": "1",
    "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "15000",
    "MCP_TIMEOUT": "30000",
    "MCP_TOOL_TIMEOUT": "60000",
}

CLI_QUIET: Mapping[str, str] = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",  # it would make the prompt's first bytes differ in every thread
    "CLAUDE_CODE_MCP_ALLOWLIST_ENV": "1",  # the tool process gets its own variables only
    "ENABLE_TOOL_SEARCH": "false",
}


class AgentOptions:
    """Makes the options of each session; owns the folders and the MCP file that they point to.

    Args:
        settings: the bot's settings.
        free: the tools that run without asking, as Claude Code names them.
        store: where transcripts are kept, so that any process can resume a thread.
        seal: is asked before every other call; without one the tools that change something are not offered at all.
        further: other MCP servers, in the standard shape of `mcpServers`.
        keeper: keeps what tools answer, so that it can be cited; without one there is no evidence.
        server: how the MCP server of our tools is started; without one as `tool_process` says.
    """

    def __init__(
        self,
        settings: Settings,
        free: Sequence[str],
        store: SessionStore,
        seal: Seal | None = None,
        further: Mapping[str, Any] | None = None,
        keeper: Keeper | None = None,
        server: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._seal = seal
        self._keeper = keeper
        self._allowed = sorted(free)
        self.scratch = scratch_of(settings)
        settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_left_over(settings.state_dir)
        self._mcp_file = settings.state_dir / f"mcp-{os.getpid()}.json"
        server = server or tool_process(settings.tools, settings.database_url if seal else None)
        servers = {**(further or {}), SERVER_NAME: server}
        _write_private(self._mcp_file, json.dumps({"mcpServers": servers}))

    def for_session(self, session_id: UUID, *, resume: bool, waits: bool = False) -> ClaudeAgentOptions:
        """Options of one process: of a new session with this id, or of a stored one that goes on.

        `waits` is for one that is resumed before a person has decided on the call with which its last run ended.
        """
        run = self._settings.run
        return ClaudeAgentOptions(
            session_id=None if resume else str(session_id),
            resume=str(session_id) if resume else None,
            model=self._settings.model.model,
            # Not part of the session's snapshot: a new prompt reaches old threads too.
            system_prompt={"type": "custom", "prompt": PROMPT.read_text(encoding="utf-8"), "snapshot": False},
            tools=["Skill"],  # the only built-in tool; it reads nothing but the skill below
            plugins=[{"type": "local", "path": str(ROOT / ".claude")}],
            skills=[".claude:runbook"],
            allowed_tools=self._allowed,
            permission_mode="dontAsk",
            hooks=self._hooks(session_id, waits=waits) or None,
            mcp_servers=self._mcp_file,
            strict_mcp_config=True,
            setting_sources=[],
            verbatim_prompts=True,
            include_partial_messages=True,
            max_turns=run.max_turns,
            max_budget_usd=run.max_cost_usd,
            max_buffer_size=16 << 20,  # one line carries an image twice; the default of 1 MiB ends the session
            session_store=self._store,
            cwd=self.scratch.workspace,
            cli_path=LAUNCHER,
            env=self._environment(),
            stderr=log.debug,
        )

    def _hooks(self, session_id: UUID, *, waits: bool) -> dict[HookEvent, list[HookMatcher]]:
        return {
            **(self._seal.hooks(session_id, waits=waits) if self._seal else {}),
            **(self._keeper.hooks(session_id) if self._keeper else {}),
        }

    def release(self, session_id: UUID) -> None:
        """Let a process that waits for a person's decision end."""
        if self._seal:
            self._seal.release(session_id)

    def close(self) -> None:
        """Remove the MCP file: it holds the tools' credentials."""
        self._mcp_file.unlink(missing_ok=True)

    def _environment(self) -> dict[str, str]:
        return {**cli_environment(self.scratch.home, self.scratch.tmp), **self._settings.model.environment()}


def cli_environment(home: Path, tmp: Path, cli: Path = CLI) -> dict[str, str]:
    """What the launcher and the CLI need beside the model's settings."""
    folders = {"HOME": str(home), "TMPDIR": str(tmp), "CLAUDE_CONFIG_DIR": str(home / ".claude")}
    return {**CLI_QUIET, **CLI_BOUNDS, "SRE_CLAUDE_CLI": str(cli), **folders}


def tool_process(settings: ToolSettings, approvals: str | None = None) -> dict[str, Any]:
    """The MCP server as the CLI's configuration describes it: command, arguments, and the whole environment.

    Without `alwaysLoad`: the CLI would wait for the server before it hears of the hooks, and a call that was deferred
    is asked about the moment the server is there. Measured: in half of the resumed sessions nobody was asked, and the
    call was refused for good. That a session has its tools is seen to before it is lent.

    Args:
        settings: what the tools may know.
        approvals: the database that must hold an approval for each call that writes; None for a server that reads only.
    """
    gated = {"DATABASE_URL": approvals} if approvals else {}
    return {
        "type": "stdio",
        "command": sys.executable,
        "args": [str(ROOT / "sre_mcp_server.py"), *(["--allow-changes=approved"] if approvals else [])],
        "env": {**inherited(), **settings.environment(), **gated},
        "timeout": 60_000,
    }


def scratch_of(settings: Settings) -> Scratch:
    """The agent's folders, as the settings bound them."""
    house = settings.house
    return Scratch(settings.state_dir, max_age=house.scratch_hours * 3600, max_bytes=house.scratch_mb << 20)


def prepare_environment(settings: Settings) -> None:
    """Leave in this process's environment only what a child may inherit; call it once settings are read.

    TMPDIR becomes a private folder of ours: the SDK puts the transcript of a resumed session there.
    """
    forget_environment()
    os.environ["TMPDIR"] = str(scratch_of(settings).tmp)


def forget_environment() -> None:
    """Leave in this process's environment only what a child may inherit."""
    for name in set(os.environ) - set(INHERITED):
        del os.environ[name]


def inherited() -> dict[str, str]:
    """What every child process gets of this one's environment."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def _remove_left_over(folder: Path) -> None:
    """Remove the MCP files of bots that were killed: nobody needs the credentials in them."""
    for path in folder.glob("mcp-*.json"):
        pid = path.stem.removeprefix("mcp-")
        if pid.isdecimal() and not _runs(int(pid)):
            path.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")
