"""The two writers of replies: whether every word arrives, how many calls that takes, and how soon words are there.

Exactness is measured with a clock that runs 60 times as fast and random faults; calls and latency in real time, on a
stand-in that limits what Slack says it limits and answers at once, so that a network's time is in no figure.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from benchmarks.stories import LIFETIME, METHODS, PACE, Room, tell
from benchmarks.tables import Table, spread
from sandbox.processes import Child
from sandbox.stack import ROOT
from sre_bot.agent.events import Outcome, RunEnded, TextBreak, TextDelta, ToolFinished, ToolStarted
from sre_bot.slack.following import Following

STORIES = 500  # in all, half of them in each mode
TOGETHER = 20
LIVE = (1, 5, 20)
SECONDS = 20.0  # of a run that is measured
DELTA = 0.1  # seconds between two pieces of text: 300 characters a second, about what a model writes
MARK = "mark{number:05d} "
CALLS = ("chat.startStream", "chat.appendStream", "chat.stopStream", "chat.postMessage", "chat.update")
TICKS = {"edit": 1.5, "native": 0.0}


@dataclass(frozen=True)
class Desk:
    """The control API of a stand-in in a process of its own."""

    url: str
    http: aiohttp.ClientSession

    async def look(self, path: str, **query: str) -> dict[str, Any]:
        """Read something."""
        async with self.http.get(f"{self.url}/sandbox/{path}", params=query) as answer:
            return dict(await answer.json())

    async def order(self, path: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
        """Have something done."""
        async with self.http.post(f"{self.url}/sandbox/{path}", json=body) as answer:
            answer.raise_for_status()
            return dict(await answer.json())


@dataclass(frozen=True, slots=True)
class Told:
    """What replies took: calls by method, how many were answered with 429, and when each piece of text was visible."""

    calls: dict[str, int]
    limited: int
    delays: list[float]


def measure(runs: int, *, stories: int = STORIES, live: Sequence[int] = LIVE, seconds: float = SECONDS) -> list[Table]:
    """All of it; `runs` multiplies the measurements in real time.

    Args:
        runs: how often those are made.
        stories: how many runs are told under faults, both modes together.
        live: how many replies grow at the same time.
        seconds: how long they grow.
    """
    exact = {mode: asyncio.run(_exactness(mode, stories // 2)) for mode in METHODS}
    told: dict[tuple[str, int], list[Told]] = {}
    for number in range(runs):
        for mode in METHODS:
            for many in live:
                found = asyncio.run(_grow(mode, many, seconds))
                print(f"  {number + 1}: {mode}, {many} live: {found.calls}, 429: {found.limited}", file=sys.stderr)
                told.setdefault((mode, many), []).append(found)
    return [_tabulate_exact(exact), _tabulate_told(told, seconds)]


@asynccontextmanager
async def stand_in() -> AsyncIterator[tuple[Desk, dict[str, Any]]]:
    """A Slack of its own."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
        command = [sys.executable, "-m", "sandbox.slack"]
        child = await Child.start(
            "slack", command, ready=r"listening on (http://\S+)", log_dir=Path(folder), env={"PYTHONPATH": str(ROOT)}
        )
        try:
            async with aiohttp.ClientSession() as http:
                desk = Desk(child.found, http)
                yield desk, await desk.look("world")
        finally:
            await child.stop()


async def _exactness(mode: str, stories: int) -> tuple[int, int, int]:
    """Runs, how many of them were exact, and how many calls went wrong in them."""
    async with stand_in() as (desk, world):
        await desk.order("clock", rate=10 * PACE)
        await desk.order("streams", lifetime=LIFETIME)
        room = Room.open(desk, desk.url, world, mode, PACE)
        right = 0
        for first in range(0, stories, TOGETHER):
            seeds = range(first, min(first + TOGETHER, stories))
            wrong = await asyncio.gather(*(tell(room, mode, seed) for seed in seeds))
            await desk.order("faults", clear=True)
            right += sum(not each for each in wrong)
            for seed, each in zip(seeds, wrong, strict=True):
                if each:
                    print(f"  {mode}, seed {seed}: {each}", file=sys.stderr)
        calls = (await desk.look("calls"))["calls"]
        return stories, right, sum(bool(call.get("fault") or call.get("error")) for call in calls)


async def _grow(mode: str, many: int, seconds: float) -> Told:
    """So many replies that grow at the same time, at the pace of a model."""
    async with stand_in() as (desk, world):
        room = Room.open(desk, desk.url, world, mode, 1.0)
        spoken: dict[str, float] = {}
        await asyncio.gather(*(_tell(room, mode, number, seconds, spoken) for number in range(many)))
        calls = [call for call in (await desk.look("calls"))["calls"] if call["method"] in CALLS]
        return Told(
            {method: sum(call["method"] == method for call in calls) for method in CALLS},
            sum(call.get("status") == 429 for call in calls),
            _delays(calls, spoken),
        )


async def _tell(room: Room, mode: str, number: int, seconds: float, spoken: dict[str, float]) -> None:
    prompt = await room.ask(f"question {number}")
    reply: Following = room.reply(mode, prompt, f"turn:{number}", TICKS[mode])
    until = time.monotonic() + seconds
    step = 0
    while time.monotonic() < until:
        mark = MARK.format(number=number * 1_000 + step)
        spoken[mark.strip()] = time.time()
        reply.show(TextDelta(mark + "word " * 4))
        step += 1
        if step % 60 == 0:
            reply.show(TextBreak())
            reply.show(ToolStarted(f"{number}:{step}", "get_logs", "Reading the logs"))
            reply.show(ToolFinished(f"{number}:{step}", ok=True, seconds=0.4))
        await asyncio.sleep(DELTA)
    reply.show(RunEnded(Outcome.ANSWERED, "", "", None, seconds, 0))
    await reply.settle()


def _delays(calls: list[dict[str, Any]], spoken: dict[str, float]) -> list[float]:
    """Seconds from each piece of text to the end of the first call that showed it."""
    waiting, delays = dict(spoken), []
    for call in calls:
        if not call.get("ok"):
            continue
        content = str(call["args"].get("chunks") or call["args"].get("blocks") or "")
        shown = [mark for mark in waiting if mark in content]
        delays += [call["time"] + call["duration_ms"] / 1000 - waiting.pop(mark) for mark in shown]
    if waiting:
        raise RuntimeError(f"{len(waiting)} pieces of text never arrived")
    return delays


def _tabulate_exact(exact: dict[str, tuple[int, int, int]]) -> Table:
    rows = [[mode, str(runs), str(right), str(faults)] for mode, (runs, right, faults) in exact.items()]
    note = (
        "A run is eight stretches of text with tool calls, in which somebody speaks, told while calls are lost before "
        "or after they took effect, limited, refused for length or blocks, or answered with errors, and streams end "
        "early, hold less than believed, or are shown on read-back with their first text only."
    )
    return Table("Exactness under random faults", ["mode", "runs", "exact", "calls that failed"], rows, note)


def _tabulate_told(told: dict[tuple[str, int], list[Told]], seconds: float) -> Table:
    rows = []
    for (mode, many), runs in told.items():
        per_reply = [sum(run.calls.values()) / many for run in runs]
        delays = sorted(delay for run in runs for delay in run.delays)
        rows.append(
            [
                f"{mode}, {many}",
                spread(per_reply, 1),
                str(max(sum(run.calls.values()) for run in runs)),
                str(sum(run.limited for run in runs)),
                f"{median(delays):.2f}",
                f"{delays[int(len(delays) * 0.95)]:.2f}",
                f"{delays[-1]:.2f}",
            ]
        )
    header = ["mode, live replies", "calls a reply", "calls in all", "429", "P50, s", "P95, s", "longest, s"]
    note = f"Each reply grows for {seconds:.0f} s by a piece of text every {DELTA} s. All are in one conversation."
    return Table("Calls, and the time from a piece of text to Slack", header, rows, note)
