"""A bot that nobody asks anything: processor time and memory over five minutes, settings as shipped.

It has its spare session, which is a command line and a tool process, and most of the memory.
"""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases import make_databases
from benchmarks.footprint import await_quiet, cpu_seconds, shared_fairly_mb
from benchmarks.tables import Table, spread
from sandbox.paged import Paged
from sre_bot.agent.processes import tree

SECONDS = 300.0
SAMPLES = 10
SHIPPED = {"SRE_SPARE_SESSIONS": "1", "SRE_IDLE_SESSIONS": "5", "SRE_SESSION_IDLE": "300", "SRE_MAX_RUNS": "5"}


@dataclass(frozen=True, slots=True)
class Run:
    """Shares of one core, and MB of proportional set size, of the bot alone and with all its processes."""

    bot_share: float
    all_share: float
    bot_mb: list[float]
    all_mb: list[float]


def measure(runs: int, seconds: float = SECONDS, only: str = "") -> list[Table]:
    """Each database, or the one named, `runs` times."""
    found: dict[str, list[Run]] = {}
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
            for name, run in asyncio.run(_measure(Path(folder), seconds, only)).items():
                found.setdefault(name, []).append(run)
    return [tabulate(found, seconds)]


def tabulate(found: dict[str, list[Run]], seconds: float) -> Table:
    """The databases beside each other."""
    rows = [
        ["processor, bot, % of one core", *(spread([100 * run.bot_share for run in runs]) for runs in found.values())],
        ["with its processes", *(spread([100 * run.all_share for run in runs]) for runs in found.values())],
        ["memory, bot, MB", *(spread([mb for run in runs for mb in run.bot_mb], 0) for runs in found.values())],
        ["with its processes", *(spread([mb for run in runs for mb in run.all_mb], 0) for runs in found.values())],
    ]
    note = (
        f"Over {seconds:g} s, with one spare session as shipped. Memory is the proportional set size, median (and "
        f"extremes) of {SAMPLES} samples."
    )
    return Table("An idle bot", ["", *found], rows, note)


async def _measure(folder: Path, seconds: float, only: str) -> dict[str, Run]:
    found = {}
    async with AsyncExitStack() as parts:
        for name, url in (await make_databases(folder, parts, only)).items():
            (own := folder / name).mkdir()
            async with Paged(own, url, settings=SHIPPED) as paged:
                bot = paged.make_bot()
                await bot.start()
                await await_quiet(bot.child.pid)
                found[name] = await _watch(bot.child.pid, seconds)
            print(f"  {name}: {found[name]}", file=sys.stderr, flush=True)
    return found


async def _watch(pid: int, seconds: float) -> Run:
    bot_mb, all_mb = [], []
    before, all_before = cpu_seconds([pid]), cpu_seconds(tree(pid))
    for _ in range(SAMPLES):
        await asyncio.sleep(seconds / SAMPLES)
        bot_mb.append(shared_fairly_mb([pid]))
        all_mb.append(shared_fairly_mb(tree(pid)))
    spent, all_spent = cpu_seconds([pid]) - before, cpu_seconds(tree(pid)) - all_before
    return Run(spent / seconds, all_spent / seconds, bot_mb, all_mb)
