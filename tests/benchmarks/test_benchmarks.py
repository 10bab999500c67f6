"""The measurements run and give figures, so that they do not rot between the days on which somebody looks at them."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import approval, fleet, footprint, latency, mcp_servers
from benchmarks.machine import describe_machine
from benchmarks.tables import Table, spread
from benchmarks.threads import Shown, first
from sre_bot.agent.processes import tree
from sre_bot.settings import ROOT


def test_a_start_of_our_mcp_server_is_measured_to_its_tools_and_to_its_end():
    start = mcp_servers.start_once(mcp_servers.local_servers()["ours"])
    assert start.status == 0, "it ends by itself when its input is closed"
    assert start.tools > 1
    assert start.listed > 1000
    assert start.cpu > 0
    assert start.resident > 10


def test_servers_are_compared_in_one_table():
    table = mcp_servers.compare(mcp_servers.local_servers(), runs=1).markdown()
    assert "| ours |" in table
    assert "| one tool |" in table
    assert "nan" not in table


def test_a_server_that_says_nothing_is_an_error_and_not_a_figure():
    with pytest.raises(RuntimeError, match="ended"):
        mcp_servers.start_once([sys.executable, "-c", ""])


async def test_a_load_on_the_fleet_is_measured():
    load = await fleet.try_load(50, settle=0.5, window=4.0)
    assert load.answered > 5
    assert load.failed < 0.5
    assert load.cores > 0
    assert not math.isnan(load.p99_ms)
    assert "| 50 |" in fleet.tabulate({50: [load]}).markdown()


@pytest.mark.long
async def test_a_warm_and_a_cold_mention_are_measured_beside_each_other(tmp_path: Path):
    times = await latency.measure_modes(tmp_path, rounds=1, mentions=1)
    for mode in ("warm", "cold"):
        sign, asked, text = (times[mode][step][0] for step in (latency.SIGN, latency.ASKED, latency.TEXT))
        assert sign > 0
        assert 0 < asked < text + latency.DELAY, "the model speaks after it was asked"
    assert "cold / warm" in latency.tabulate(times, 1).markdown()


@pytest.mark.long
async def test_a_click_is_measured_with_a_session_that_waits(tmp_path: Path):
    times = await approval.measure_modes(tmp_path, clicks=1, modes=["prewarmed"])
    (decided,), (let_through,), (runs,) = (times["prewarmed"][step] for step in approval.STEPS)
    assert 0 < decided < let_through < runs, "one key after the other"
    assert "cold / prewarmed" in approval.tabulate(times | {"cold": times["prewarmed"]}).markdown()


@pytest.mark.parametrize(
    ("markdown", "words"),
    [
        ("⏳ _Working on it …_", False),
        ("ℹ️ _As many investigations run as I may hold at once._\n\n⏳ _Working on it …_", False),  # noqa: RUF001
        ("⚠️ **The model's API refused the key (401).**\n\n_0 tool calls · 1 s_", False),
        ("_Words in italics are words._\n\n⏳ _Working on it …_", True),
        ("- 🔄 Checking the health\n\n⏳ _Working on it …_", False),
        ("ℹ️ _Yours is in line._\n\nChecking the health first.\n\n⏳ _Working on it …_", True),  # noqa: RUF001
    ],
)
def test_the_models_words_are_told_from_the_bots_own(markdown: str, words: bool):
    assert (first([Shown(0.5, markdown)]) is not None) == words


def test_the_footprint_of_a_tree_counts_every_process_and_none_that_is_gone():
    waiting = "import sys; print('ready', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", waiting]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
        pids = tree(child.pid)
        assert child.pid in pids
        assert "stdin.read" in footprint.command(child.pid)
        assert footprint.shared_fairly_mb(pids) > 0
    assert footprint.shared_fairly_mb(pids) == 0
    assert footprint.cpu_seconds(pids) == 0


def test_a_median_is_shown_with_its_extremes_and_nothing_is_not_zero():
    assert spread([3.0, 1.0, 2.0], 1) == "2.0 (1.0 to 3.0)"
    assert spread([1500.0], 0) == "1,500"
    assert spread([]) == "–"  # noqa: RUF001
    assert Table("T", ["a", "b"], [["1", "2"]], "n").markdown().endswith("| 1 | 2 |\n\nn")


def test_the_machine_is_named_with_its_cores_memory_and_python():
    assert all(fact in describe_machine() for fact in ("cores", "GiB", "Python 3."))


def test_a_measurement_that_does_not_exist_is_refused_with_those_that_do():
    asked = [sys.executable, "-m", "benchmarks", "nonsense"]
    answer = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "there is no measurement nonsense; there are latency, " in answer.stderr
