"""The measurements of bots that are paged run and give figures."""

from collections import Counter
from pathlib import Path

from benchmarks import chaos, idle, replicas, storm
from benchmarks.databases import SQLITE
from sandbox.storm import Course


async def test_a_few_deliveries_and_a_kill_are_measured(tmp_path: Path):
    found = await chaos.measure_databases(tmp_path, 1, incidents=2, kills=1, seconds=1, only=SQLITE)
    for run in found.values():
        assert run.outcome.verdict.clean
        assert run.outcome.kills == 1
        assert run.outcome.drained >= run.outcome.delivered > 0
    rows = {row[0]: row[1:] for row in chaos.tabulate({name: [run] for name, run in found.items()}).rows}
    assert set(rows["**deliveries lost**"]) == {"0"}
    assert set(rows["deliveries that had to be accepted"]) == {"10"}


def test_an_idle_bot_is_measured():
    (table,) = idle.measure(1, seconds=1, only=SQLITE)
    for row in table.rows:
        assert all(float(value.split()[0].replace(",", "")) >= 0 for value in row[1:])
    assert float(table.rows[-1][1].split()[0].replace(",", "")) > 50, "megabytes of a bot with its spare session"


def test_figures_of_storms_and_of_replicas_stand_in_tables():
    run = storm.Run(Course(1.0, 2.0, 3.0), 1, 1, 2, 2, 0.02, Counter({"chat.update": 3}), 0)
    rows = {row[0]: row[1:] for row in storm.tabulate({"SQLite": [run]}).rows}
    assert rows["chat.update"] == ["3"]
    assert rows["card is there, s"] == ["1.00"]
    waits = replicas.Waits(told=[15.0], answered=[20.0], card=[16.0], cards=[1.0])
    assert [row[1] for row in replicas.tabulate(waits, 1).rows] == ["15.0", "20.0", "16.0"]
