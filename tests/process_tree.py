"""Which processes descend from one: read from /proc, so that a test can see that none is left behind."""

import asyncio
from pathlib import Path

from sre_bot.agent.processes import tree


def descendants(pid: int) -> set[int]:
    """Every process below `pid`, itself left out."""
    return tree(pid) - {pid}


def read_process(pid: int) -> str:
    """The arguments and the environment of a process; empty for one that is gone."""
    return read_arguments(pid) + read_environment(pid)


def read_arguments(pid: int) -> str:
    return _read(Path(f"/proc/{pid}/cmdline"))


def read_environment(pid: int) -> str:
    return _read(Path(f"/proc/{pid}/environ"))


async def await_gone(pids: set[int], seconds: float = 30) -> None:
    """Wait until none of the processes exists; those that are dead but not yet reaped count as gone."""
    async with asyncio.timeout(seconds):
        while any(_runs(pid) for pid in pids):
            await asyncio.sleep(0.05)


def _runs(pid: int) -> bool:
    state = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return bool(state) and state[0] != "Z"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
