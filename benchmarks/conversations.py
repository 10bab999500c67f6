"""One, five and twenty people asking at once, with the settings as they are shipped.

All ask in one channel, which is the hardest case: Slack takes about one post a second there, and 50 updates a minute in
all. The scripted playbook investigates with real tools, at the pace of a real model. Each case has a bot, a Slack and a
fleet of its own, so that no rate limit and no warm session is left over from the one before.
"""

import asyncio
import contextlib
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.footprint import await_quiet, shared_fairly_mb
from benchmarks.tables import Table, spread
from benchmarks.threads import await_answer, first, read_calls, read_thread, when_asked
from sandbox.stack import Stack
from sre_bot.agent.processes import tree

COUNTS = (1, 5, 20)
PACE = {"delay_ms": 1000, "chars_per_second": 300}  # about what a real model needs
QUESTION = "@SRE Bot 500 errors spiking on api-server (report {})"
PATIENCE = 400.0  # seconds
SAMPLE_EVERY = 1.0  # seconds


@dataclass
class Case:
    """What was seen of one number of conversations, over all its runs; times in seconds after each mention."""

    asked: int = 0
    answered: int = 0
    violations: int = 0
    sign: list[float] = field(default_factory=list)
    asked_model: list[float] = field(default_factory=list)
    text: list[float] = field(default_factory=list)
    complete: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    calls: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    limited: list[int] = field(default_factory=list)


def measure(runs: int) -> list[Table]:
    """Every count, `runs` times, the counts by turns."""
    cases = {count: Case() for count in COUNTS}
    for _ in range(runs):
        for count, case in cases.items():
            with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
                asyncio.run(_measure(Path(folder), count, case))
            print(f"  {count} at once: {case.answered} of {case.asked} answered so far", file=sys.stderr, flush=True)
    return tabulate(cases, runs)


def tabulate(cases: dict[int, Case], runs: int) -> list[Table]:
    """What people wait for, and what it costs."""
    waits = [
        [
            str(count),
            *map(spread, (case.sign, case.asked_model, case.text, case.complete)),
            f"{case.answered} of {case.asked}",
        ]
        for count, case in cases.items()
    ]
    costs = [
        [
            str(count),
            spread(case.memory_mb, 0),
            spread(case.calls["chat.postMessage"], 0),
            spread(case.calls["chat.update"], 0),
            spread(case.calls["others"], 0),
            spread(case.limited, 0),
            str(case.violations),
        ]
        for count, case in cases.items()
    ]
    pace = f"{PACE['delay_ms'] / 1000:g} s before each reply of the model, then {PACE['chars_per_second']} characters/s"
    note = f"Medians (and extremes) over all conversations of {runs} runs; {pace}."
    return [
        Table(
            "At once, seconds after the mention",
            ["", "first sign", "question at the model", "first text", "complete", "answered"],
            waits,
            note,
        ),
        Table(
            "At once, cost of a run",
            ["", "peak memory, MB", "posts", "updates", "other calls", "429s", "violations"],
            costs,
            "Memory: proportional set size of the bot and all its processes.",
        ),
    ]


async def _measure(folder: Path, count: int, case: Case) -> None:
    async with Stack(folder) as stack:
        assert stack.model  # there is no real one here
        async with stack.http.post(f"{stack.model.found}/sandbox/pace", json=PACE) as answer:
            answer.raise_for_status()
        await await_quiet(stack.bot.pid)
        before = len(await read_calls(stack))
        async with _peak_memory(stack.bot.pid, case.memory_mb):
            threads = await asyncio.gather(*(stack.say(QUESTION.format(number)) for number in range(count)))
            waits = (await_answer(stack, ts, PATIENCE) for ts in threads)
            ends = await asyncio.gather(*waits, return_exceptions=True)
        case.asked += count
        case.answered += ends.count(None)
        case.violations += len((await stack.look(stack.slack, "violations"))["violations"])
        case.violations += len((await stack.look(stack.model, "violations"))["violations"])
        await _read(stack, threads, before, case)


async def _read(stack: Stack, threads: list[str], before: int, case: Case) -> None:
    calls = (await read_calls(stack))[before:]
    for number, ts in enumerate(threads):
        states = await read_thread(stack, ts, calls)
        asked, text = await when_asked(stack, ts, f"(report {number})"), first(states)
        case.sign += [states[0].after] if states else []
        case.asked_model += [] if asked is None else [asked]
        case.text += [] if text is None else [text]
        case.complete += [states[-1].after] if states else []
    methods = Counter(call["method"] for call in calls)
    posts, updates = methods.pop("chat.postMessage", 0), methods.pop("chat.update", 0)
    for name, number in (("chat.postMessage", posts), ("chat.update", updates), ("others", methods.total())):
        case.calls[name].append(number)
    case.limited.append(sum(call.get("status") == 429 for call in calls))


@contextlib.asynccontextmanager
async def _peak_memory(pid: int, peaks: list[float]) -> AsyncIterator[None]:
    """Append to `peaks` the most that a tree of processes held during the block, MB."""
    samples: list[float] = []

    async def sample() -> None:
        while True:
            samples.append(await asyncio.to_thread(lambda: shared_fairly_mb(tree(pid))))
            await asyncio.sleep(SAMPLE_EVERY)

    sampling = asyncio.create_task(sample())
    try:
        yield
    finally:
        sampling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sampling
        peaks.append(max(samples, default=0.0))
