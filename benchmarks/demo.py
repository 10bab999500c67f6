"""How long a newcomer waits: `make demo ARGS=--once` in a fresh clone, and again in the same one.

The clone is of the last commit. The first run makes the environment and installs the locked dependencies, from a
package cache that is warm where this machine has installed them before; the second only runs.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.tables import Table, spread
from sandbox.stack import ROOT

TIMEOUT = 900.0  # seconds
FIRST, SECOND = "first, with the installation", "second"


def measure(runs: int) -> list[Table]:
    """`runs` fresh clones, two demos in each."""
    seconds: dict[str, list[float]] = {FIRST: [], SECOND: []}
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="sre-bot-clone-") as folder:
            clone = Path(folder) / "clone"
            subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True)
            for which, taken in seconds.items():
                taken.append(run_demo(clone))
                print(f"  {which}: {taken[-1]:.1f} s", file=sys.stderr, flush=True)
    rows = [[which, spread(taken, 1)] for which, taken in seconds.items()]
    return [Table("`make demo ARGS=--once` in a fresh clone, seconds", ["run", "s"], rows)]


def run_demo(clone: Path) -> float:
    """Seconds of one demo that ends by itself.

    Raises:
        RuntimeError: it did not find the cause, with the end of what it wrote.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    began = time.monotonic()
    process = subprocess.Popen(
        [shutil.which("make") or "make", "demo", "ARGS=--once"],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=TIMEOUT)
    except BaseException:  # also Ctrl-C: make, its shell and the demo are one group and end together
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode:
        raise RuntimeError(f"make demo ended with status {process.returncode}:\n{output[-2000:]}")
    return time.monotonic() - began
