"""A thousand deliveries to a bot that is killed thirty times: what is lost, what is shown twice, and how long it takes.

See `sandbox/chaos.py` for how deliveries and kills are drawn, and `sandbox/screen.py` for what is looked at. Slack's
clock runs fast and its limits stay, so that what would take half an hour takes minutes.
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases import make_databases
from benchmarks.tables import Table, spread
from sandbox.chaos import THINKING, Chaos, Outcome
from sandbox.paged import APART, SETTINGS, Paged

SEED = 20_261_125
INCIDENTS = 200
KILLS = 30
SECONDS = 200.0  # over which the incidents happen
CLOCK_RATE = 10.0
PATIENCE = 2_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one run, and what a careful app would not have done in it."""

    outcome: Outcome
    violations: int


Figure = tuple[str, Callable[[Run], float]]
FIGURES: Sequence[Figure] = (
    ("deliveries that had to be accepted", lambda run: run.outcome.deliveries),
    ("attempts that they took", lambda run: run.outcome.attempts),
    ("kills", lambda run: run.outcome.kills),
    ("of these between Slack's taking a message and its answer", lambda run: run.outcome.aimed),
    ("**deliveries lost**", lambda run: run.outcome.lost),
    ("**missing cards**", lambda run: len(run.outcome.verdict.missing)),
    ("**cards that show a wrong state**", lambda run: len(run.outcome.verdict.wrong)),
    ("**double cards**", lambda run: len(run.outcome.verdict.double)),
    ("**messages posted twice**", lambda run: len(run.outcome.verdict.repeated)),
    ("**questions answered twice**", lambda run: len(run.outcome.verdict.double_answers)),
    ("replies broken off and begun again below", lambda run: run.outcome.verdict.begun_again),
    ("questions that the model was asked twice", lambda run: run.outcome.verdict.asked_again),
    ("questions given up with a sentence, after four restarts", lambda run: run.outcome.verdict.given_up),
    ("violations of Slack's rules", lambda run: run.violations),
    ("seconds until the last kill", lambda run: run.outcome.last_kill),
    ("seconds until the last delivery was accepted", lambda run: run.outcome.delivered),
    ("seconds until all was done", lambda run: run.outcome.drained),
)


def measure(runs: int) -> list[Table]:
    """Each database, `runs` times, with another seed each time."""
    found: dict[str, list[Run]] = {}
    for number in range(runs):
        with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
            for name, run in asyncio.run(measure_databases(Path(folder), SEED + number)).items():
                found.setdefault(name, []).append(run)
    return [tabulate(found)]


def tabulate(found: dict[str, list[Run]]) -> Table:
    """The databases beside each other."""
    rows = [
        [title, *(spread([float(read(run)) for run in runs], 0) for runs in found.values())] for title, read in FIGURES
    ]
    note = (
        f"Seed {SEED}. Slack's clock runs {CLOCK_RATE:g} times as fast. The model thinks for {THINKING:g} s. At most "
        f"{SETTINGS['SRE_MAX_RUNS']} investigations run at once, so that a kill can make the model be asked again for "
        "as many."
    )
    return Table("A thousand deliveries, thirty kills", ["", *found], rows, note)


async def measure_databases(
    folder: Path,
    seed: int,
    *,
    incidents: int = INCIDENTS,
    kills: int = KILLS,
    seconds: float = SECONDS,
    only: str = "",
) -> dict[str, Run]:
    """One run on each database, or on the one named."""
    found = {}
    async with AsyncExitStack() as parts:
        for name, url in (await make_databases(folder, parts, only)).items():
            (own := folder / name).mkdir()
            async with Paged(own, url, clock_rate=CLOCK_RATE, settings=APART) as paged:
                chaos = Chaos(paged, paged.make_bot(), seed=seed, incidents=incidents, kills=kills, seconds=seconds)
                outcome = await chaos.run(PATIENCE)
                violations = (await paged.look(paged.slack, "violations"))["violations"]
            found[name] = Run(outcome, len(violations))
            print(f"  {name}: {outcome}, {violations}", file=sys.stderr, flush=True)
    return found
