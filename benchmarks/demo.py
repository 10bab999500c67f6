"""How long a newcomer waits for each thing that there is to see: `make demo` in a fresh clone, twice.

The clone is of the last commit. The first run makes the environment and installs the locked dependencies, from a
package cache that is warm where this machine has installed them before; the second only runs.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.tables import Table, spread
from sandbox.stack import ROOT

TIMEOUT = 900.0  # seconds
FIRST, SECOND = "first, with the installation", "second"
BEGUN = "the environment is there"
PAGE = "the page can be opened"
MOMENTS = {
    BEGUN: re.compile("^Starting a fleet"),
    "the bot's first line": re.compile("^  SRE Bot$"),
    "the cause is found": re.compile("^The root cause was found"),
    "RECOVERED": re.compile("^RECOVERED$"),
}
"""What stands in the output of `make demo ARGS=--once`, by what it means."""
OPEN = re.compile("^  Open http")


def measure(runs: int) -> list[Table]:
    """`runs` fresh clones, two demos in each, and one with its page."""
    seconds: dict[str, dict[str, list[float]]] = {}
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="sre-bot-clone-") as folder:
            clone = Path(folder) / "clone"
            subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True)
            for which in (FIRST, SECOND):
                taken = run_demo(clone, "--once", MOMENTS)
                if which is SECOND:
                    taken |= run_demo(clone, "", {PAGE: OPEN})
                for moment, after in taken.items():
                    seconds.setdefault(moment, {}).setdefault(which, []).append(after)
                print(f"  {which}: {taken}", file=sys.stderr, flush=True)
    return [tabulate(seconds)]


def tabulate(seconds: Mapping[str, Mapping[str, list[float]]]) -> Table:
    """The moments, in the order in which a newcomer sees them."""
    order = [BEGUN, PAGE, *list(MOMENTS)[1:]]
    rows = [
        [moment, *(spread(seconds[moment].get(which, []), 1) for which in (FIRST, SECOND))]
        for moment in order
        if moment in seconds
    ]
    note = "Seconds from the command on. The page is there in `make demo` without `--once`."
    return Table("`make demo` in a fresh clone, seconds", ["until", FIRST, SECOND], rows, note)


def run_demo(clone: Path, arguments: str, moments: Mapping[str, re.Pattern[str]]) -> dict[str, float]:
    """Seconds until each moment of one demo; it is ended after the last one.

    Raises:
        RuntimeError: it ended before, with the end of what it wrote.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    began = time.monotonic()
    process = subprocess.Popen(
        [shutil.which("make") or "make", "demo", f"ARGS={arguments}"],
        cwd=clone,
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(TIMEOUT, lambda: os.killpg(process.pid, signal.SIGKILL))
    watchdog.start()
    try:
        return _watch(process, began, moments)
    finally:  # also Ctrl-C: make, its shell and the demo are one group and end together
        watchdog.cancel()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)


def _watch(process: subprocess.Popen[str], began: float, moments: Mapping[str, re.Pattern[str]]) -> dict[str, float]:
    lines: list[str] = []
    found: dict[str, float] = {}
    for line in process.stdout or ():
        lines.append(line)
        for moment, sign in moments.items():
            if moment not in found and sign.search(line.rstrip()):
                found[moment] = time.monotonic() - began
        if len(found) == len(moments):
            return found
    raise RuntimeError(f"make demo ended without {set(moments) - set(found)}:\n{''.join(lines)[-2000:]}")
