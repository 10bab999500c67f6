"""From the click on Approve to the tool running: a session resumed before the click beside one resumed after it.

*Prewarmed* is what is shipped: when a card is posted, the session behind it is resumed, and its hook waits for the
decision. *Cold* is a bot that was started again while the card waited: the click resumes the session. Each click waits
until the bot's processes have come to rest, and both modes start the bot once for each click, by turns, in one run. The
moments are those of the ledger's own rows, on the same clock as the click; nothing is polled for a figure.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.footprint import await_quiet, command
from benchmarks.tables import Table, spread
from sandbox.stack import Stack
from sre_bot.agent.processes import tree

CLICKS = 3  # of each mode in a run
MODES = ("prewarmed", "cold")
SETTINGS = {"SLACK_APPROVERS": "U0ADA00001", "SRE_SPARE_SESSIONS": "0", "SRE_VERIFY_AFTER": "86400"}
"""Without spares the only tool process of a bot at rest is the one that waits; no check disturbs the next click."""
PATIENCE = 300.0  # seconds
LOOK_EVERY = 0.2  # seconds; no figure depends on it
TOOL_PROCESS = "sre_mcp_server.py"
APPROVE = "proposal_approve"
PROPOSAL = {
    "tool": "mcp__sre__update_service_config",
    "input": {"service": "api-server", "key": "DB_POOL_SIZE", "value": "20", "redeploy": True},
}

STEPS = {
    "decision in the ledger": "decided_at",
    "the bot lets the call through (first key)": "started_at",
    "the tool runs (second key)": "consumed_at",
}
AIM = 0.2  # seconds until the tool runs
Times = dict[str, dict[str, list[float]]]
"""Mode -> step -> seconds after the click."""


def measure(runs: int) -> list[Table]:
    """`runs` rounds of `CLICKS` clicks in each mode, the modes by turns."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
        return [tabulate(asyncio.run(measure_modes(Path(folder), CLICKS * runs)))]


def tabulate(times: Times) -> Table:
    """Both modes beside each other."""
    rows = [[step, *(spread(times[mode][step], 3) for mode in MODES), _ratio(times, step)] for step in STEPS]
    clicks = len(times["cold"][next(iter(STEPS))])
    note = f"Medians (and extremes) of {clicks} clicks each. The aim is {AIM:g} s until the tool runs, prewarmed."
    return Table("From the click on Approve, seconds", ["", *MODES, "cold / prewarmed"], rows, note)


async def measure_modes(folder: Path, clicks: int, modes: Sequence[str] = MODES) -> Times:
    """Approve `clicks` times in each mode, the modes by turns."""
    times: Times = {mode: defaultdict(list) for mode in modes}
    async with Stack(folder, bot_settings=SETTINGS) as stack:
        for number in range(clicks):
            for mode in modes:
                taken = await _approve(stack, mode, f"probe-{mode}-{number}")
                for step, seconds in taken.items():
                    times[mode][step].append(seconds)
                figures = ", ".join(f"{step} {seconds:.3f} s" for step, seconds in taken.items())
                print(f"  {mode}: {figures}", file=sys.stderr, flush=True)
    return times


async def _approve(stack: Stack, mode: str, marker: str) -> dict[str, float]:
    """One proposal and one click; seconds from the click to each step."""
    assert stack.model  # there is no real one here
    if mode == "prewarmed":
        await _restart(stack)
    await stack.deploy(DB_POOL_SIZE="1")
    await _order(stack, stack.model.found, "script", marker=marker, turns=[PROPOSAL, {"text": f"Done: {marker}."}])
    thread = await stack.say(f"@SRE Bot {marker}")
    card = await _await_card(stack, thread)
    if mode == "cold":
        await _restart(stack)
    await _await_rest(stack, sessions=int(mode == "prewarmed"))
    clicked = time.time()
    button = {"channel": stack.channel, "ts": card, "user": "Ada", "action_id": APPROVE}
    await _order(stack, stack.slack.found, "actions", **button)
    await _await_words(stack, thread, f"Done: {marker}.")
    row = _newest_approval(stack.folder / "sre_bot.db")
    return {step: row[column] - clicked for step, column in STEPS.items()}


async def _restart(stack: Stack) -> None:
    await stack.bot.stop()
    await stack.start_bot(SETTINGS)


async def _await_rest(stack: Stack, sessions: int) -> None:
    """Wait until the bot holds exactly so many sessions and none of its processes works."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await await_quiet(stack.bot.pid)
            if sum(TOOL_PROCESS in command(pid) for pid in tree(stack.bot.pid)) == sessions:
                return


async def _await_card(stack: Stack, thread: str) -> str:
    """The message that has the button."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for message in await stack.thread(thread):
                elements = (each for block in message["blocks"] for each in block.get("elements", []))
                if any(each.get("action_id") == APPROVE for each in elements):
                    return str(message["ts"])
            await asyncio.sleep(LOOK_EVERY)


async def _await_words(stack: Stack, thread: str, words: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not any(words in message["text"] for message in await stack.thread(thread)):
            await asyncio.sleep(LOOK_EVERY)


async def _order(stack: Stack, url: str, path: str, **body: Any) -> None:  # noqa: ANN401  (JSON)
    async with stack.http.post(f"{url}/sandbox/{path}", json=body) as answer:
        answer.raise_for_status()


def _newest_approval(database: Path) -> dict[str, float]:
    """The moments of the newest approval, seconds since the epoch."""
    query = f"SELECT {', '.join(STEPS.values())} FROM approvals ORDER BY id DESC LIMIT 1"  # noqa: S608  (constants)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (found,) = connection.execute(query).fetchall()
    moments = (datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() for moment in found)
    return dict(zip(STEPS.values(), moments, strict=True))


def _ratio(times: Times, step: str) -> str:
    return f"{median(times['cold'][step]) / median(times['prewarmed'][step]):.1f}"
