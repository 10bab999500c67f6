"""One scenario runs for real, and the pasts that are written say what they should."""

import asyncio
import re
from pathlib import Path

import pytest

from benchmarks.history import INTERVAL, LENGTH
from evals import pasts
from evals.ranking import rank_once
from evals.suite import SCENARIOS
from evals.world import PLANTED, World, broken

FAILURES = next(scenario for scenario in SCENARIOS if scenario.name == "failures in payment-svc")


@pytest.mark.timeout(300)
async def test_a_fleet_breaks_as_ordered_and_the_ranking_finds_it(tmp_path: Path):
    async with World(tmp_path, talks=False) as world, broken(world, FAILURES, healthy=20.0):
        async with asyncio.timeout(120):
            while not (ranked := await rank_once(FAILURES, world.prometheus.found)).right:
                await asyncio.sleep(2)
        assert ranked.place == 1
        assert 0 < ranked.read <= 1_000 < ranked.without
        async with world.http.get(f"{world.fleet.found}/logs", params={"service": "payment-svc"}) as answer:
            lines = [line["message"] for line in (await answer.json())["logs"]]
        assert PLANTED.format(code=FAILURES.code) in lines


def course(lines: list[str], series: str) -> list[float]:
    return [float(line.split()[-2]) for line in lines if line.startswith(series)]


def test_a_leak_rises_to_its_end_and_everything_else_stays():
    memory = pasts.MEMORY + "}"
    lines = list(pasts._leaking({memory: 0.5, "cpu": 0.2, "n_total": 9.0}, {"n_total": 2.0}, 10_000.0))
    assert course(lines, memory)[0] == 0.5
    assert course(lines, memory)[-1] == pytest.approx(pasts.LEAKED)
    assert set(course(lines, "cpu")) == {0.2}
    assert course(lines, "n_total")[-1] == 2.0 * LENGTH
    assert lines[-1] == "# EOF"


def test_a_late_alert_turns_at_its_time_and_counters_never_fall():
    lines = list(
        pasts._turning({"cpu": 0.2}, {"n_total": 1.0}, {"cpu": 0.9, "n_total": 5.0}, {"n_total": 3.0}, 10_000.0)
    )
    cpu = course(lines, "cpu")
    assert (cpu[0], cpu[-1]) == (0.2, 0.9)
    assert cpu.count(0.9) == pasts.LATE // INTERVAL + 1
    counted = course(lines, "n_total")
    assert counted == sorted(counted)
    assert counted[-1] - counted[-2] == 3.0 * INTERVAL
    assert all(re.fullmatch(r"\S+ [\d.e-]+ [\d.]+", line) for line in lines[:-1])
