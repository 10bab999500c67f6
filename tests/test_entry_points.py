"""`python sre_bot_slack.py` with settings that cannot work: one message, status 2, no traceback."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sre_bot.settings import ROOT

COMPLETE = {
    "ANTHROPIC_API_KEY": "sandbox-no-key",
    "SLACK_BOT_TOKEN": "xoxb-wrong",
    "SLACK_APP_TOKEN": "xapp-wrong",
}


def _run(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "SRE_ENV_FILE": "", "SRE_STATE_DIR": str(folder / "state")}
    return subprocess.run(
        [sys.executable, str(ROOT / "sre_bot_slack.py")],
        cwd=folder,
        env=environment | {"DATABASE_URL": f"sqlite:///{folder / 'ledger.db'}"} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _refused(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    return run.stderr


def test_every_missing_setting_is_named_at_once(tmp_path: Path):
    said = _refused(_run(tmp_path, PROMETHEUS_USERNAME="half", SRE_MAX_TURNS="many"))
    for name in (*COMPLETE, "SRE_MAX_TURNS", "PROMETHEUS_PASSWORD"):
        assert name in said
    assert ".env.example" in said


def test_secrets_are_not_repeated_in_the_message(tmp_path: Path):
    said = _refused(_run(tmp_path, SLACK_BOT_TOKEN="xoxb-secret", PROMETHEUS_URL="nonsense-secret"))
    assert "secret" not in said


def test_a_broken_catalog_is_named_with_file_and_line(tmp_path: Path):
    (tmp_path / "services.yaml").write_text("services:\n  a: {purpse: x}\nsignals: {}\n")
    said = _refused(_run(tmp_path, **COMPLETE, SRE_CONFIG_DIR=str(tmp_path)))
    assert "services.yaml:2" in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://nowhere.invalid"])
def test_a_slack_that_cannot_be_reached_is_named(tmp_path: Path, url: str):
    said = _refused(_run(tmp_path, **COMPLETE, SLACK_API_URL=url))
    assert "Slack cannot be reached" in said


async def test_a_refused_bot_token_is_named(tmp_path: Path, slack):
    said = _refused(_run(tmp_path, **COMPLETE, SLACK_API_URL=f"{slack.url}/api"))
    assert "SLACK_BOT_TOKEN (invalid_auth)" in said


async def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path, slack):
    (tmp_path / "folder.db").mkdir()
    settings = COMPLETE | {"SLACK_BOT_TOKEN": slack.world["tokens"]["bot"], "SLACK_API_URL": f"{slack.url}/api"}
    said = _refused(_run(tmp_path, **settings | {"DATABASE_URL": f"sqlite:///{tmp_path / 'folder.db'}"}))
    assert "folder.db" in said


async def test_it_can_be_ended_while_it_is_starting(tmp_path: Path):
    """A Slack that accepts the connection and never answers holds up the start."""
    silent = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(60), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    bot = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "sre_bot_slack.py")),
        env={
            "PATH": os.environ["PATH"],
            "SRE_ENV_FILE": "",
            "SRE_STATE_DIR": str(tmp_path / "state"),
            **COMPLETE,
            "SLACK_API_URL": f"http://127.0.0.1:{port}/api",
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            while not _is_connected(port):
                await asyncio.sleep(0.05)
            bot.terminate()
            _, said = await bot.communicate()
    finally:
        if bot.returncode is None:
            bot.kill()
    assert bot.returncode == 0
    assert b"Traceback" not in said
    silent.close()


def _is_connected(port: int) -> bool:
    """Whether anybody has a connection to a local port, from /proc/net/tcp (proc(5))."""
    local = f"0100007F:{port:04X}"
    return any(local == line.split()[2] for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
