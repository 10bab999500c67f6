"""Two hundred pages from one fault: what people see of it, what it costs, and how soon the card is right.

Slack's clock runs at its own rate here: what a storm does to a channel is the question.
"""

import asyncio
import re
import sys
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases import make_databases
from benchmarks.tables import Table, spread
from sandbox.paged import Paged
from sandbox.screen import questions
from sandbox.storm import PAGES, Course, run_storm

PATIENCE = 400.0  # seconds
SECONDS = 45.0  # over which the pages come
WATCHED = 240.0  # seconds after the first page: the second question comes a minute after the first one
COST = re.compile(r"\$(\d+\.\d\d)")
METHODS = ("chat.postMessage", "chat.update", "conversations.history", "conversations.replies")


@dataclass(frozen=True, slots=True)
class Run:
    """One storm."""

    course: Course
    cards: int
    threads: int
    questions: int
    requests: int
    cost_usd: float
    calls: Counter[str]
    limited: int


def measure(runs: int) -> list[Table]:
    """Each database, `runs` times."""
    found: dict[str, list[Run]] = {}
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
            for name, run in asyncio.run(measure_databases(Path(folder))).items():
                found.setdefault(name, []).append(run)
    return [tabulate(found)]


def tabulate(found: dict[str, list[Run]]) -> Table:
    """The databases beside each other."""
    rows = [
        ["cards", *(spread([run.cards for run in runs], 0) for runs in found.values())],
        ["threads", *(spread([run.threads for run in runs], 0) for runs in found.values())],
        ["investigations", *(spread([run.questions for run in runs], 0) for runs in found.values())],
        ["requests to the model", *(spread([run.requests for run in runs], 0) for runs in found.values())],
        ["their cost, US dollars", *(spread([run.cost_usd for run in runs]) for runs in found.values())],
        *([name, *(spread([run.calls[name] for run in runs], 0) for runs in found.values())] for name in METHODS),
        ["429s", *(spread([run.limited for run in runs], 0) for runs in found.values())],
        ["card is there, s", *(spread([run.course.card for run in runs]) for runs in found.values())],
        [
            f"card tells of {PAGES} pages, s",
            *(spread([run.course.complete for run in runs]) for runs in found.values()),
        ],
        [
            "card tells of all, and what was asked is answered, s",
            *(spread([run.course.settled for run in runs]) for runs in found.values()),
        ],
    ]
    note = (
        f"Five symptoms on four services, one after the other over {SECONDS:g} s, looked at for {WATCHED:g} s: where "
        "more was paged, the bot asks again after a minute, and then ever more rarely. The cost is what the command "
        "line counts for the model's stand-in, which answers at once and uses no tool. Seconds are after the first "
        "page."
    )
    return Table(f"{PAGES} pages of one fault", ["", *found], rows, note)


async def measure_databases(folder: Path) -> dict[str, Run]:
    """One storm on each database."""
    found = {}
    async with AsyncExitStack() as parts:
        for name, url in (await make_databases(folder, parts)).items():
            (own := folder / name).mkdir()
            async with Paged(own, url) as paged:
                bot = paged.make_bot()
                await paged.subscribe(bot)
                await bot.start()
                course = await run_storm(paged, PATIENCE, SECONDS)
                await asyncio.sleep(max(0.0, WATCHED - course.settled))
                found[name] = await _read(paged, course)
            print(f"  {name}: {found[name]}", file=sys.stderr, flush=True)
    return found


async def _read(paged: Paged, course: Course) -> Run:
    cards = await paged.cards()
    threads = [await paged.replies(card["ts"]) for card in cards]
    messages = [message for thread in threads for message in thread]
    calls = (await paged.look(paged.slack, "calls"))["calls"]
    return Run(
        course,
        cards=len(cards),
        threads=sum(map(bool, threads)),
        questions=len(questions(messages)),
        requests=len((await paged.look(paged.model, "requests"))["requests"]),
        cost_usd=sum(float(cost) for message in messages for cost in COST.findall(message["text"])),
        calls=Counter(call["method"] for call in calls),
        limited=sum(call.get("status") == 429 for call in calls),
    )
