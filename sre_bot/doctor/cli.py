"""The Claude Code CLI that the Agent SDK brings: its version, and whether it starts and answers. No model is asked."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ClaudeSDKError

from sre_bot.agent.options import CLI, LAUNCHER, cli_environment, inherited
from sre_bot.doctor.finding import Finding, ok, problem
from sre_bot.doctor.known import Known

_NAME = "Claude Code"
# Without a key the CLI looks for a login, and with the API's own address it waits for it (18 s where there is no
# network): what is looked at here is the program, and the model has a row of its own.
_NOBODY = {"ANTHROPIC_API_KEY": "unused", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
_ADVICE = "Run `make setup` again: the CLI comes with the package claude-agent-sdk, for this kind of machine."


async def look(_: Known, cli: Path = CLI) -> list[Finding]:
    """One row; it runs in folders of its own, which are gone afterwards."""
    if shutil.which(cli) is None:
        return [problem(_NAME, f"There is no program {cli}.", _ADVICE)]
    with tempfile.TemporaryDirectory(prefix="sre-bot-check-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        environment = cli_environment(home, home, cli)
        try:
            version = await _version(environment)
            await _greet(environment, home)
        except (OSError, ClaudeSDKError) as error:
            words = " ".join(str(error).split())[:300]
            return [problem(_NAME, f"It does not start: {words or type(error).__name__}.", _ADVICE)]
    return [ok(_NAME, f"{version} starts and answers.")]


async def _version(environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *(LAUNCHER, "--version"),
        env={**inherited(), **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    words = " ".join(said.decode("utf-8", "replace").split())
    if process.returncode:
        raise OSError(words or f"exit status {process.returncode}")
    return words


async def _greet(environment: dict[str, str], folder: Path) -> None:
    """The handshake with which every session begins."""
    options = ClaudeAgentOptions(
        cli_path=LAUNCHER,
        cwd=folder,
        env=environment | _NOBODY,
        tools=[],
        setting_sources=[],
        strict_mcp_config=True,
        stderr=lambda _: None,
    )
    client = ClaudeSDKClient(options)
    try:
        await client.connect()
        await client.get_server_info()
    finally:
        await client.disconnect()
