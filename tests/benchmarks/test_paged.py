"""The measurements of bots that are paged run and give figures."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import chaos, idle, replicas, storm
from benchmarks.databases import SQLITE
from sandbox.storm import Course


@pytest.mark.long
async def test_a_few_deliveries_and_a_kill_are_measured(tmp_path: Path):
    found = await chaos.measure_databases(tmp_path, 1, incidents=2, kills=1, seconds=1, only=SQLITE)
    for run in found.values():
        assert run.outcome.verdict.clean
        assert run.outcome.kills == 1
        assert run.outcome.drained >= run.outcome.delivered > 0
    rows = {row[0]: row[1:] for row in chaos.tabulate({name: [run] for name, run in found.items()}).rows}
    assert set(rows["**deliveries lost**"]) == {"0"}
    assert set(rows["deliveries that had to be accepted"]) == {"10"}


def test_figures_of_an_idle_bot_stand_in_a_table():
    run = idle.Run(0.018, 0.02, [140.0, 150.0], [300.0, 310.0])
    rows = [row[1] for row in idle.tabulate({"SQLite": [run]}, 300.0).rows]
    assert rows == ["1.80", "2.00", "145 (140 to 150)", "305 (300 to 310)"]


def test_figures_of_storms_and_of_replicas_stand_in_tables():
    run = storm.Run(Course(1.0, 2.0, 3.0), 1, 1, 2, 2, 0.02, Counter({"chat.update": 3}), 0)
    rows = {row[0]: row[1:] for row in storm.tabulate({"SQLite": [run]}).rows}
    assert rows["chat.update"] == ["3"]
    assert rows["card is there, s"] == ["1.00"]
    waits = replicas.Waits(told=[15.0], answered=[20.0], card=[16.0], cards=[1.0])
    assert [row[1] for row in replicas.tabulate(waits, 1).rows] == ["15.0", "20.0", "16.0"]
