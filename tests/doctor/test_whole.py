"""`python sre_bot_slack.py --check` as a person runs it: one table, no secret, no traceback, and nothing is touched."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from sre_bot.doctor.examination import Check, examine
from sre_bot.doctor.finding import Finding, State, problem
from sre_bot.doctor.known import Known, read_known
from sre_bot.doctor.table import WIDTH, render
from sre_bot.settings import ROOT
from tests.doctor.conftest import SECRETS, Installation


async def run(settings: dict[str, str], folder: Path) -> tuple[int, str]:
    """Status and table of a run in a process of its own, which says nothing beside the table."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, ROOT / "sre_bot_slack.py", "--check"),
        env=settings,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert complained == b""
    assert process.returncode is not None
    return process.returncode, said.decode()


def rows(table: str) -> dict[str, str]:
    """States by name."""
    lines = [line for line in table.splitlines()[1:-1] if line[:22].strip()]
    return {line[:22].strip(): line[22:38].strip() for line in lines}


async def test_where_all_is_well_the_status_is_0_and_nothing_was_touched(
    complete: Installation, tmp_path: Path, slack: Any, model: Any
) -> None:
    before = content(tmp_path)
    status, table = await run(complete.settings, tmp_path)
    assert status == 0, table
    assert set(rows(table).values()) == {"OK"}, table
    assert max(map(len, table.splitlines())) <= WIDTH
    assert table.endswith(f"All {len(rows(table))} are well.\n")
    assert [secret for secret in hidden(complete.settings) if secret in table] == []
    assert content(tmp_path) == before, "a check made files"
    assert await complete.pages() == []
    methods = {call["method"] for call in (await slack.look("calls"))["calls"]}
    assert methods == {"auth.test", "apps.connections.open", "conversations.info"}
    assert await model.requests() == [], "a model was asked"


async def test_where_nothing_is_set_every_look_is_still_taken_and_the_status_is_1(tmp_path: Path) -> None:
    status, table = await run({"SRE_ENV_FILE": "", "SRE_STATE_DIR": str(tmp_path), "WEBHOOK_PORT": "0"}, tmp_path)
    assert status == 1
    for name in ("ANTHROPIC_API_KEY", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"):
        assert f"{name}: missing" in table
    states = rows(table)
    assert states["Settings"] == "PROBLEM"
    assert states["Catalog"] == states["Claude Code"] == states["MCP server"] == "OK"
    assert states["Slack bot token"] == states["Model"] == "SKIPPED"
    assert states["PagerDuty"] == states["Confluence"] == states["Loki"] == "NOT CONFIGURED"
    assert table.splitlines()[-1].startswith(f"{list(states.values()).count('PROBLEM')} problem")


async def test_every_mistake_in_the_settings_is_named_and_what_they_do_not_touch_is_looked_at(
    complete: Installation, tmp_path: Path
) -> None:
    wrong = {"PAGERDUTY_SERVICE_ID": "not an id", "LOKI_URL": "loki:3100", "SRE_MAX_TURNS": "many"}
    status, table = await run(complete.settings | wrong, tmp_path)
    assert status == 1
    assert all(f"{name}: " in table for name in wrong), table
    states = rows(table)
    assert [name for name, state in states.items() if state == "PROBLEM"] == ["Settings"]
    assert [name for name, state in states.items() if state == "SKIPPED"] == ["Loki", "PagerDuty"]
    assert "not an id" not in table, "what was set may be a secret in the wrong line"


async def test_a_secret_that_somebody_repeats_is_not_shown(installation: Installation) -> None:
    installation.backends.refusal = f"the token {SECRETS['PROMETHEUS_BEARER_TOKEN']} is no good"
    words = await installation.problem("Prometheus")
    assert "the token [secret] is no good" in words
    assert "PROMETHEUS_URL" in words


def test_secrets_are_known_wherever_they_are() -> None:
    environ = SECRETS | {
        "DATABASE_URL": "postgresql://sre_bot:secret-of-the-database@db/sre_bot",
        "PROMETHEUS_URL": "https://token-as-user@prometheus.example",
        "PAGERDUTY_API_KEY": "pd-secret",
    }
    found = read_known(environ).secrets()
    assert {"secret-of-the-database", "token-as-user", "pd-secret", "older-secret-of-webhooks"} <= set(found)
    assert "sre_bot" not in found, "the user of a database is no secret"


async def test_a_look_that_takes_too_long_or_breaks_is_a_row_like_any_other() -> None:
    async def hang(_: Known) -> list[Finding]:
        await asyncio.sleep(60)
        return []

    async def fail(_: Known) -> list[Finding]:
        raise ExceptionGroup("several", [ExceptionGroup("inner", [ValueError("of no use")])])

    slow, broken = await examine(read_known({}), [Check("Slow", hang, 0.05), Check("Broken", fail)])
    assert (slow.state, broken.state) == (State.PROBLEM, State.PROBLEM)
    assert "No answer within" in slow.seen
    assert "ValueError: of no use" in broken.seen


def test_the_table_wraps_long_words_and_shows_no_control_characters_and_colours_states_only() -> None:
    finding = problem("A name that is longer than its column", "x" * 300 + "\x1b[2J\nsecond line", "Do this.")
    plain = render([finding], colour=False)
    assert max(map(len, plain.splitlines())) <= WIDTH
    assert "\x1b" not in plain
    assert render([finding], colour=True).count("\x1b") == 2
    assert "-> Do this." in plain


def hidden(settings: dict[str, str]) -> list[str]:
    names = (*SECRETS, "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "PAGERDUTY_API_KEY", "CONFLUENCE_API_TOKEN")
    return [part for name in names for part in settings[name].split(",")]


def content(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
