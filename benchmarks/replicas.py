"""Two bots on one PostgreSQL, one is killed: how long until the other one goes on with what it left.

The one that is killed is in the middle of an answer, and of posting a card, which Slack has not let it do.
"""

import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.databases import POSTGRESQL, make_databases
from benchmarks.tables import Table, spread
from sandbox.paged import APART, Paged

PATIENCE = 120.0  # seconds
CLOCK_RATE = 10.0
ANSWER = "Look at the pool of connections first: it is too small. Raise DB_POOL_SIZE and redeploy. This ends it."


@dataclass
class Waits:
    """Seconds after a kill; how many cards there were is counted too."""

    told: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    card: list[float] = field(default_factory=list)
    cards: list[float] = field(default_factory=list)


def measure(runs: int) -> list[Table]:
    """`runs` kills, each of another pair."""
    waits = Waits()
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
            asyncio.run(measure_kill(Path(folder), waits))
        print(f"  {waits}", file=sys.stderr, flush=True)
    return [tabulate(waits, runs)]


def tabulate(waits: Waits, runs: int) -> Table:
    """What the other bot did, and when."""
    rows = [
        ["the thread says that the answer was broken off", spread(waits.told, 1)],
        ["the answer is there", spread(waits.answered, 1)],
        ["the card is there", spread(waits.card, 1)],
    ]
    note = f"{runs} kills. Cards of the one incident: {spread(waits.cards, 0)}. A lease lasts 15 s."
    return Table("After a kill, seconds", ["of what the dead bot left", "PostgreSQL"], rows, note)


async def measure_kill(folder: Path, waits: Waits) -> None:
    """Kill one of two once."""
    async with AsyncExitStack() as parts:
        url = (await make_databases(folder, parts))[POSTGRESQL]
        paged = await parts.enter_async_context(Paged(folder, url, clock_rate=CLOCK_RATE, settings=APART))
        first, second = paged.make_bot("first"), paged.make_bot("second")
        await paged.subscribe(first)
        await first.start()
        await paged.order(paged.model, "script", marker="probe", always={"text": ANSWER})
        await paged.hang_model("probe")
        ts = await paged.say("@SRE Bot probe: what is wrong?")
        await paged.await_words(ts, "Look at the pool")
        await paged.order(paged.slack, "faults", method="chat.postMessage", kind="drop_before", count=1_000)
        await paged.report("Fault 1")
        await _await_dropped(paged)
        await second.start()
        await first.kill()
        killed = time.monotonic()
        await paged.mend_model()
        await paged.order(paged.slack, "faults", clear=True)
        await asyncio.gather(*(group(paged, ts, killed, waits) for group in (_await_reply, _await_card)))
        await paged.await_words(ts, "This ends it", PATIENCE)
        waits.cards.append(len(await paged.cards()))


async def _await_dropped(paged: Paged) -> None:
    async with asyncio.timeout(PATIENCE):
        while not (await paged.look(paged.slack, "calls", method="chat.postMessage"))["calls"][-1].get("fault"):
            await asyncio.sleep(0.1)


async def _await_reply(paged: Paged, ts: str, killed: float, waits: Waits) -> None:
    await paged.await_words(ts, "I go on below", PATIENCE)
    waits.told.append(time.monotonic() - killed)
    await paged.await_words(ts, "This ends it", PATIENCE)
    waits.answered.append(time.monotonic() - killed)


async def _await_card(paged: Paged, _ts: str, killed: float, waits: Waits) -> None:
    async with asyncio.timeout(PATIENCE):
        while not any("Fault 1" in card["notification"] for card in await paged.cards()):
            await asyncio.sleep(0.1)
    waits.card.append(time.monotonic() - killed)
