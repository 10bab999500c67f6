"""Each thing that can be wrong on the bot's own machine, once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import text

from sre_bot.doctor import cli
from sre_bot.doctor.finding import State
from sre_bot.doctor.known import read_known
from sre_bot.doctor.tools import NEEDS, explain_missing
from sre_bot.incidents import migrations
from sre_bot.incidents.database import Database
from sre_bot.incidents.deliveries import Deliveries
from sre_bot.incidents.ledger import Ledger
from sre_bot.settings import ROOT, WebhookSettings, load_tool_settings
from sre_bot.tools.offer import describe_tools
from sre_bot.webhooks.listener import Listener
from tests.doctor.conftest import Installation


async def test_a_ledger_is_new_or_older_or_newer_than_the_code(installation: Installation, database_url: str) -> None:
    async def seen() -> str:
        return (await installation.look("Ledger", DATABASE_URL=database_url))["Ledger"].seen

    await (await Ledger.open(database_url)).close()
    assert "is up to date" in await seen()
    database = Database(database_url)
    async with database.writing() as connection:
        await connection.run_sync(lambda plain: migrations.downgrade(plain, "0002"))
    assert "at revision 0002; the next start migrates it to" in await seen()
    assert "at revision 0002" in await seen(), "the look migrated it"
    async with database.writing() as connection:
        await connection.execute(text("UPDATE ledger_version SET version_num = '9999'"))
    assert "a newer version made it" in await installation.problem("Ledger", DATABASE_URL=database_url)
    await database.close()


async def test_an_empty_database_stays_empty(installation: Installation, empty_postgres_url: str) -> None:
    for _ in range(2):
        found = await installation.look("Ledger", DATABASE_URL=empty_postgres_url)
        assert "no tables of ours yet" in found["Ledger"].seen


async def test_a_ledger_that_cannot_be_used(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("This is no database, and longer than the header of one would be. " * 20)
    for url, words in (
        (f"sqlite:///{tmp_path / 'text'}", "is not an SQLite database"),
        (f"sqlite:///{tmp_path / 'text' / 'ledger.db'}", "is not a folder"),
        ("mysql://host/database", "speaks sqlite:/// and postgresql:// only"),
        ("postgresql://sre:secret-of-postgres@127.0.0.1:9/sre", "Check that it runs"),
    ):
        said = await installation.problem("Ledger", DATABASE_URL=url)
        assert words in said
        assert "secret-of-postgres" not in said


async def test_folders_and_env_files_that_cannot_be_used(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is not a folder" in await installation.problem(
        "State folder", SRE_STATE_DIR=str(tmp_path / "file" / "state")
    )
    assert "Check SRE_ENV_DIR" in await installation.problem("Env files", SRE_ENV_DIR=str(tmp_path / "nowhere"))
    (tmp_path / "api-server.env").write_text("DB_POOL_SIZE='20\n")
    assert "line 1: cannot be parsed" in await installation.problem("Env files")


def test_a_folder_that_the_user_may_not_write_to(tmp_path: Path) -> None:
    """Root may write everywhere, unless that power is taken from it."""
    humble = ["setpriv", "--bounding-set", "-dac_override"] if os.geteuid() == 0 else []
    if humble and not shutil.which("setpriv"):
        pytest.skip("root without setpriv cannot be refused anything")
    tmp_path.chmod(0o555)
    asked = f"from sre_bot.doctor.folders import *; print(why_not_writable(Path({str(tmp_path / 'new')!r})))"
    said = subprocess.run([*humble, sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == f"This user may not write to {tmp_path}.\n"


async def test_a_redeploy_command_that_is_not_there(installation: Installation) -> None:
    words = await installation.problem("Redeploy command", REDEPLOY_COMMAND="no-such-program up {service}")
    assert "no program 'no-such-program'" in words
    assert "scripts/none.sh" in await installation.problem("Redeploy command", REDEPLOY_COMMAND="scripts/none.sh x")


async def test_a_catalog_that_cannot_be_used_stops_the_server_and_nothing_else(
    installation: Installation, tmp_path: Path
) -> None:
    (tmp_path / "services.yaml").write_text("services:\n  a: {purpse: x}\nsignals: {}\n")
    broken = {"SRE_CONFIG_DIR": str(tmp_path)}
    assert "services.yaml:2" in await installation.problem("Catalog", **broken)
    assert "services.yaml:2" in await installation.problem("MCP server", **broken)
    found = await installation.look("Prometheus", "Env files", **broken)
    assert {name: finding.state for name, finding in found.items()} == {
        "Prometheus": State.OK,
        "Signals": State.SKIPPED,
        "Alerting rules": State.OK,
        "Env files": State.SKIPPED,
    }


async def test_a_runbook_of_another_shape_is_named(installation: Installation, tmp_path: Path) -> None:
    shutil.copy(ROOT / "config" / "services.yaml", tmp_path)
    (tmp_path / "runbooks").mkdir()
    assert (await installation.look("Catalog", SRE_CONFIG_DIR=str(tmp_path)))["Runbooks"].seen == "None."
    (tmp_path / "runbooks" / "odd.md").write_text("no front matter\n")
    assert "odd.md" in await installation.problem("Catalog", "Runbooks", SRE_CONFIG_DIR=str(tmp_path))


def test_every_tool_that_is_not_offered_is_explained() -> None:
    offered = {spec.name for spec in describe_tools(load_tool_settings({}))}
    missing = [spec.name for spec in describe_tools() if spec.name not in offered]
    assert [name for name in missing if not name.startswith(tuple(NEEDS))] == []
    assert len(explain_missing(missing)) == len(NEEDS)


@pytest.mark.parametrize(
    ("script", "words"),
    [(None, "There is no program"), ("exit 3", "exit status 3"), ("[ $1 = --version ] && echo 1.0", "does not start")],
)
async def test_a_cli_that_is_missing_or_does_not_start(script: str | None, words: str, tmp_path: Path) -> None:
    program = tmp_path / "claude"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    (finding,) = await cli.look(read_known({}), program)
    assert finding.state is State.PROBLEM
    assert words in finding.seen
    assert "make setup" in finding.advice


async def _stranger(_: web.Request) -> web.Response:
    return web.Response(text="somebody else")


async def test_a_port_that_is_taken_by_somebody_else(installation: Installation) -> None:
    app = web.Application()
    app.router.add_get("/healthz", _stranger)
    async with TestServer(app) as server:
        said = await installation.problem("Webhooks", "Webhook port", WEBHOOK_PORT=str(server.port))
    assert "Another process listens" in said


async def test_a_port_that_cannot_be_listened_on(installation: Installation) -> None:
    said = await installation.problem("Webhooks", "Webhook port", WEBHOOK_HOST="192.0.2.1", WEBHOOK_PORT="3000")
    assert "could not listen on 192.0.2.1:3000" in said


@pytest.mark.parametrize(
    ("missing", "state"), [({}, State.OK), ({"slack": "No socket to Slack is connected."}, State.PROBLEM)]
)
async def test_a_port_that_the_running_bot_has(
    missing: Mapping[str, str],
    state: State,
    installation: Installation,
    ledger: Ledger,
    serve_bot: Callable[..., Listener],
) -> None:
    listener = serve_bot(ledger.deliveries, missing)
    await listener.open()
    try:
        port = listener.address.rpartition(":")[2]
        found = (await installation.look("Webhooks", WEBHOOK_PORT=port))["Webhook port"]
    finally:
        await listener.close()
    assert found.state is state
    assert all(words in found.seen for words in ("The bot runs on", *missing.values()))


@pytest.fixture
def serve_bot() -> Callable[..., Listener]:
    """Makes the bot's own listener, on a free port."""

    def make(inbox: Deliveries, missing: Mapping[str, str]) -> Listener:
        async def readiness() -> Mapping[str, str]:
            return missing

        return Listener(WebhookSettings(WEBHOOK_PORT=0), inbox, readiness, lambda: None)

    return make


async def test_webhooks_without_secrets_are_not_configured(installation: Installation) -> None:
    found = await installation.look("Webhooks", PAGERDUTY_WEBHOOK_SECRET="", ALERTMANAGER_WEBHOOK_TOKEN="")
    assert found["PagerDuty webhook"].state is found["Alertmanager webhook"].state is State.NOT_CONFIGURED
