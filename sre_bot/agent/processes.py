"""The processes of a session and the memory that they hold, read from /proc (proc(5)); nothing where there is no /proc.

Every question is asked while processes come and go: one that is gone counts as nothing, and is no error.
"""

from pathlib import Path

PAGE = 4096  # bytes; the unit of /proc/PID/statm on the machines that we support


def tree(pid: int) -> set[int]:
    """A process and all below it; only itself where it is gone or its children cannot be read."""
    found = {pid}
    for thread in _threads(pid):
        for child in _read(thread / "children").split():
            found |= tree(int(child))
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all below it; 0 for one that is gone.

    Pages that processes share count for each of them, so the sum is an upper bound: about 270 MB for a CLI with its
    tool process, of which some 150 MB are its own.
    """
    return sum(_resident(each) for each in tree(pid))


def _resident(pid: int) -> int:
    fields = _read(Path(f"/proc/{pid}/statm")).split()
    return int(fields[1]) * PAGE if fields else 0


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
