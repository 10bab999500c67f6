"""What processes cost, read from /proc (proc(5)): processor time and memory, of one process or of several.

Memory of a tree is its proportional set size: pages that processes share count once, where the sum of their resident
sizes would count them for each.
"""

import asyncio
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from sre_bot.agent.processes import tree

TICKS = os.sysconf("SC_CLK_TCK")
QUIET_SHARE = 0.05  # of one core
QUIET_FOR = 1.0  # seconds
QUIET_TIMEOUT = 60.0  # seconds


def command(pid: int) -> str:
    """Its command line; empty for one that is gone."""
    return _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ")


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time that running processes have used, user and system."""
    return sum(_cpu_ticks(pid) for pid in pids) / TICKS


def shared_fairly_mb(pids: Iterable[int]) -> float:
    """Proportional set size of processes, MB."""
    return sum(_kilobytes(pid, "smaps_rollup", "Pss") for pid in pids) / 1024


def resident_mb(pid: int) -> float:
    """Resident memory of one process, MB."""
    return _kilobytes(pid, "status", "VmRSS") / 1024


async def await_quiet(pid: int) -> None:
    """Wait until a tree of processes uses next to no processor time.

    Raises:
        TimeoutError: it did not come to rest.
    """
    async with asyncio.timeout(QUIET_TIMEOUT):
        while True:
            began, used = time.monotonic(), cpu_seconds(tree(pid))
            await asyncio.sleep(QUIET_FOR)
            if cpu_seconds(tree(pid)) - used < QUIET_SHARE * (time.monotonic() - began):
                return


def _cpu_ticks(pid: int) -> int:
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) if fields else 0


def _kilobytes(pid: int, file: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", _read(Path(f"/proc/{pid}/{file}")), re.MULTILINE)
    return int(found[1]) if found else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
