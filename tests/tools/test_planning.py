"""Plans: what a person is shown is worked out from the file and the catalog, hides secrets, and never from words."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sre_bot.catalog import load_catalog
from sre_bot.clients.env_files import EnvFiles
from sre_bot.errors import SreBotError
from sre_bot.incidents.plan import Plan, Way
from sre_bot.settings import ROOT
from sre_bot.tools.masking import MASKED
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.planning import NO_WAY_BACK, Planner

CALLS = {"web": ["api"], "api": ["db"], "worker": ["web", "api"], "db": ["web"]}

Make = Callable[[bytes], Planner]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "env"
    made.mkdir()
    return made


@pytest.fixture
def make(folder: Path) -> Make:
    """Plans on the product's own catalog and this content of api-server.env."""

    def planner(content: bytes) -> Planner:
        (folder / "api-server.env").write_bytes(content)
        return Planner({spec.name: spec for spec in describe_tools()}, load_catalog(ROOT / "config"), EnvFiles(folder))

    return planner


def change(planner: Planner, value: str = "20", **more: object) -> Plan:
    call = {"service": "api-server", "key": "DB_POOL_SIZE", "value": value, **more}
    return planner.plan("update_service_config", call)[0]


def test_a_plan_says_what_changes_who_notices_and_the_way_back(make: Make):
    planner = make(b"DB_POOL_SIZE=1\nDB_POOL_TIMEOUT=5\n")
    plan = change(planner, redeploy=True)
    assert plan.summary == "Set DB_POOL_SIZE=20 for api-server, and redeploy it"
    assert plan.diff.splitlines()[-3:] == ["-DB_POOL_SIZE=1", "+DB_POOL_SIZE=20", " DB_POOL_TIMEOUT=5"]
    assert plan.affects[0] == "api-server restarts"
    assert plan.watch[0] == "api-server"
    assert isinstance(plan.way_back, Way)
    back = {"service": "api-server", "key": "DB_POOL_SIZE", "value": "1", "redeploy": True}
    assert (plan.way_back.tool, dict(plan.way_back.arguments)) == ("update_service_config", back)
    assert Plan.from_json(plan.as_json()) == plan


def test_a_key_that_was_not_there_has_no_way_back(make: Make):
    plan = change(make(b"DB_POOL_TIMEOUT=5\n"))
    assert (plan.way_back, plan.rollback, plan.affects, plan.watch) == (None, NO_WAY_BACK, (), ())


SECRETS = {
    "above": b"DB_PASSWORD=hunter2hunter2\nDB_POOL_SIZE=1\n",
    "below": b"DB_POOL_SIZE=1\nDB_PASSWORD=hunter2hunter2\n",
    "quoted": b"DB_POOL_SIZE=1\nDB_PASSWORD='hunter2hunter2' # hunter2hunter2\n",
    "of two lines": b'DB_PASSWORD="first\nhunter2hunter2"\nDB_POOL_SIZE=1\n',
    "of many lines": b'KEY="-----BEGIN\n#hunter2hunter2\nA=hunter2hunter2\nhunter2hunter2"\nDB_POOL_SIZE=1\n',
    "after a form feed": b"# page\x0cbreak\nA=b\nDB_PASSWORD=hunter2hunter2\nDB_POOL_SIZE=1\n",
    "after a line separator": "# a\u2028b\u2028c\nA=b\nDB_PASSWORD=hunter2hunter2\nDB_POOL_SIZE=1\n".encode(),
    "with Windows' line ends": b"A=b\r\nDB_PASSWORD=hunter2hunter2\r\nDB_POOL_SIZE=1\r\n",
    "with a byte order mark": b"\xef\xbb\xbfDB_PASSWORD=hunter2hunter2\nDB_POOL_SIZE=1\n",
    "exported": b"export DB_PASSWORD=hunter2hunter2\nDB_POOL_SIZE=1\n",
    "after blank lines": b"\n\n\nDB_PASSWORD=hunter2hunter2\nDB_POOL_SIZE=1\n",
    "commented out": b"# DB_PASSWORD=hunter2hunter2\nDB_POOL_SIZE=1\n",
    "behind the changed value": b"DB_POOL_SIZE=1 # password=hunter2hunter2\n",
    "said again in a comment": b"DB_PASSWORD=hunter2hunter2\n# it is hunter2hunter2\nDB_POOL_SIZE=1\n",
}


@pytest.mark.parametrize("content", SECRETS.values(), ids=SECRETS)
def test_no_secret_of_the_file_is_in_the_plan(make: Make, content: bytes):
    plan = change(make(content))
    assert "hunter2" not in str(plan.as_json())
    assert "+DB_POOL_SIZE=20" in plan.diff


def test_a_neighbour_that_is_a_secret_is_shown_to_be_one(make: Make):
    assert f"DB_PASSWORD={MASKED}" in change(make(SECRETS["above"])).diff


@pytest.mark.parametrize(
    "more",
    [
        {"value": "1"},
        {"value": "0"},
        {"value": "20\nDB_PASSWORD=x"},
        {"value": "$(id)"},
        {"value": ""},
        {"key": "DB_PASSWORD"},
        {"key": "DB_POOL_SIZE\n"},
        {"service": "nobody"},
        {"service": "payment-svc"},
        {"service": "../api-server"},
        {"service": "api-server.env"},
        {"service": "API-SERVER"},
        {"service": "api-server\x00"},
        {"approved": True},
        {"expected_hash": "0" * 16},
    ],
)
def test_what_could_not_succeed_is_no_plan(make: Make, more: dict[str, object]):
    call = {"service": "api-server", "key": "DB_POOL_SIZE", "value": "20", **more}
    with pytest.raises(SreBotError):
        make(b"DB_POOL_SIZE=1\nDB_PASSWORD=hunter2\n").plan("update_service_config", call)


@pytest.mark.parametrize("tool", ["", "nothing", "UPDATE_SERVICE_CONFIG", "mcp__sre__update_service_config"])
def test_a_tool_that_is_not_there_has_no_plan(make: Make, tool: str):
    with pytest.raises(SreBotError, match="no tool"):
        make(b"").plan(tool, {})


def test_a_link_in_the_files_place_is_not_followed(make: Make, folder: Path):
    planner = make(b"")
    (folder / "api-server.env").unlink()
    (folder / "other").write_text("DB_POOL_SIZE=1\n")
    (folder / "api-server.env").symlink_to(folder / "other")
    with pytest.raises(SreBotError, match="symbolic link"):
        change(planner)


def test_the_same_value_again_is_a_plan_only_where_it_redeploys(make: Make):
    planner = make(b"DB_POOL_SIZE=1\n")
    plan = change(planner, "1", redeploy=True)
    assert (plan.diff, plan.way_back) == ("", None)
    assert planner.plan("redeploy_service", {"service": "api-server"})[1] is not None


def test_whoever_calls_directly_or_through_others_is_in_the_radius_once(tmp_path: Path, folder: Path):
    config = tmp_path / "config"
    config.mkdir()
    (config / "services.yaml").write_text(circular_services())
    planner = Planner({spec.name: spec for spec in describe_tools()}, load_catalog(config), EnvFiles(folder))
    plan, _ = planner.plan("redeploy_service", {"service": "api"})
    assert plan.affects[0] == "api restarts"
    assert sorted(plan.affects[1:]) == ["db calls web", "web calls api", "worker calls api"]


def circular_services() -> str:
    """A catalog in which everything calls everything: api → db → web → api."""
    services = {
        name: {"purpose": "x", "owner": "x", "escalation": "#x", "depends_on": on} for name, on in CALLS.items()
    }
    signals = yaml.safe_load((ROOT / "config" / "services.yaml").read_text())["signals"]
    return yaml.safe_dump({"signals": signals, "services": services})
