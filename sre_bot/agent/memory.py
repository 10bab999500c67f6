"""How much memory a session's processes hold, read from /proc (proc(5)); nothing where there is no /proc."""

from pathlib import Path

PAGE = 4096  # bytes; the unit of /proc/PID/statm on the machines that we support


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all below it; 0 for one that is gone.

    Pages that processes share count for each of them, so the sum is an upper bound: about 270 MB for a CLI with its
    tool process, of which some 150 MB are its own.
    """
    total = _resident(pid)
    try:
        children = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return total
    return total + sum(resident_bytes(int(child)) for listed in children for child in listed)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0
