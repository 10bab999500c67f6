"""From a mention to what people see: a spare session ready (warm) beside one that must be started first (cold).

The model's stand-in waits a second before its first word, about what the real one takes; that second is subtracted. The
bot is restarted between the rounds, and each mention waits until the bot's processes have come to rest, so that a warm
mention finds its spare session ready and a cold one does not compete with the end of the last.
"""

import asyncio
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from benchmarks.footprint import await_quiet, command
from benchmarks.tables import Table, spread
from benchmarks.threads import await_answer, first, read_calls, read_thread, when_asked
from sandbox.stack import Stack
from sre_bot.agent.processes import tree

DELAY = 1.0  # seconds until the model's first word
MENTIONS = 4  # in each round
MODES = {"warm": {"SRE_SPARE_SESSIONS": "1"}, "cold": {"SRE_SPARE_SESSIONS": "0"}}
IDLE = {"SRE_IDLE_SESSIONS": "1"}  # the session of the last thread stays, as it would; others end
PATIENCE = 90.0  # seconds
TOOL_PROCESS = "sre_mcp_server.py"
WORDS = "Measured words"

SIGN, ASKED, TEXT = "first visible sign", "question at the model", "first text of the model, beyond its delay"
Times = dict[str, dict[str, list[float]]]
"""Mode -> step -> seconds after the mention."""


def measure(runs: int) -> list[Table]:
    """`runs` rounds of `MENTIONS` mentions for each mode, the modes by turns."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
        return [tabulate(asyncio.run(measure_modes(Path(folder), runs, MENTIONS)), MENTIONS * runs)]


def tabulate(times: Times, mentions: int) -> Table:
    """Both modes beside each other."""
    rows = [
        [step, spread(times["warm"][step], 3), spread(times["cold"][step], 3), _ratio(times, step)]
        for step in (SIGN, ASKED, TEXT)
    ]
    note = f"Medians (and extremes) of {mentions} mentions each; the model waits {DELAY:g} s before its first word."
    return Table("From a mention, seconds", ["", "warm", "cold", "cold / warm"], rows, note)


async def measure_modes(folder: Path, rounds: int, mentions: int) -> Times:
    """Mention the bot `mentions` times in each mode, and so on for `rounds` rounds."""
    times: Times = {mode: defaultdict(list) for mode in MODES}
    async with Stack(folder, bot_settings=IDLE | MODES["warm"]) as stack:
        assert stack.model  # there is no real one here
        async with stack.http.post(f"{stack.model.found}/sandbox/pace", json={"delay_ms": DELAY * 1000}) as answer:
            answer.raise_for_status()
        for number in range(rounds):
            for mode, settings in MODES.items():
                await stack.bot.stop()
                await stack.start_bot(IDLE | settings)
                for mention in range(mentions):
                    await _await_rest(stack, sessions=int(settings["SRE_SPARE_SESSIONS"]) + min(mention, 1))
                    taken = await _mention(stack, f"probe-{mode}-{number}-{mention}")
                    for step, seconds in taken.items():
                        times[mode][step].append(seconds)
                    _progress(mode, taken)
    return times


async def _await_rest(stack: Stack, sessions: int) -> None:
    """Wait until the bot holds so many sessions and none of its processes works."""
    while True:
        await await_quiet(stack.bot.pid)
        if sum(TOOL_PROCESS in command(pid) for pid in tree(stack.bot.pid)) >= sessions:
            return


async def _mention(stack: Stack, marker: str) -> dict[str, float]:
    """Ask once; seconds from the mention to each step."""
    assert stack.model  # there is no real one here
    script = {"marker": marker, "turns": [[{"text": f"{WORDS} for {marker}."}]]}
    async with stack.http.post(f"{stack.model.found}/sandbox/script", json=script) as answer:
        answer.raise_for_status()
    ts = await stack.say(f"@SRE Bot {marker}")
    await await_answer(stack, ts, PATIENCE)
    states = await read_thread(stack, ts, await read_calls(stack))
    text, asked = first(states, WORDS), await when_asked(stack, ts, marker)
    if text is None or asked is None:
        raise RuntimeError(f"the thread of {marker} never showed the model's words: {states[-1].markdown!r}")
    return {SIGN: states[0].after, ASKED: asked, TEXT: text - DELAY}


def _ratio(times: Times, step: str) -> str:
    return f"{median(times['cold'][step]) / median(times['warm'][step]):.1f}"


def _progress(mode: str, taken: dict[str, float]) -> None:
    figures = ", ".join(f"{step} {seconds:.3f} s" for step, seconds in taken.items())
    print(f"  {mode}: {figures}", file=sys.stderr, flush=True)
