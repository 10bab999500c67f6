"""The machine that figures come from, without which they mean little."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path


def describe_machine() -> str:
    """One line: date, cores, processor, memory, kernel, Python, and how busy others keep it."""
    processor = _first(r"model name\s*:\s*(.+)", "/proc/cpuinfo") or "unknown processor"
    kilobytes = int(_first(r"MemTotal:\s*(\d+)", "/proc/meminfo") or 0)
    facts = [
        f"{datetime.now(UTC):%Y-%m-%d}",
        f"{len(os.sched_getaffinity(0))} cores ({processor})",
        f"{kilobytes / 2**20:.0f} GiB",
        f"{platform.system()} {platform.release().split('-')[0]}",
        f"Python {platform.python_version()}",
        f"load average at the start {os.getloadavg()[0]:.1f}",
    ]
    return ", ".join(facts)


def _first(pattern: str, path: str) -> str:
    try:
        found = re.search(pattern, Path(path).read_text(encoding="utf-8"))
    except OSError:
        return ""
    return found[1].strip() if found else ""
