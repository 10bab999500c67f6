"""The folders that the agent's processes write to, and their sweeping.

With settings from disk switched off, the CLI never removes its own transcripts and logs (about 20 KB a conversation and
2 KB a start), and the SDK leaves a copy of a resumed transcript behind when it is killed. What counts is in the ledger,
so everything here may go once nobody uses it: by age, and the oldest first when it grows too large.
"""

import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

IN_USE = 3600.0  # seconds: a file written within the last hour may belong to a session that is alive
SWEPT = ("home/.claude/projects", "home/.claude/backups", "home/.claude/telemetry", "home/.cache", "tmp")


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep removed, and what is left."""

    removed: int
    bytes_left: int


@dataclass(frozen=True, slots=True)
class Scratch:
    """The layout below one folder; all of it is private to this user.

    Attributes:
        folder: where everything is.
        max_age: seconds after which a file is removed.
        max_bytes: size above which the oldest are.
    """

    folder: Path
    max_age: float
    max_bytes: int

    @property
    def home(self) -> Path:
        """HOME of the CLI."""
        return self._make("home")

    @property
    def workspace(self) -> Path:
        """Working directory of the CLI: empty, and named the same in every process, as resuming needs it."""
        return self._make("workspace")

    @property
    def tmp(self) -> Path:
        """Temporary files of the bot and its children."""
        return self._make("tmp")

    def sweep(self, now: float | None = None) -> Swept:
        """Remove what is old, then the oldest until the rest is small enough; what may be in use stays.

        Sessions write and remove files meanwhile: what vanishes or cannot be removed is passed over.
        """
        now = now or time.time()
        unused = [path for modified, path in self._folders() if now - modified > IN_USE]
        removed = 0
        kept: list[tuple[float, int, Path]] = []
        for modified, size, path in sorted(self._files()):
            if now - modified > max(self.max_age, IN_USE):
                removed += _remove(path)
            else:
                kept.append((modified, size, path))
        total = sum(size for _, size, _ in kept)
        for modified, size, path in kept:
            if total <= self.max_bytes or now - modified < IN_USE:
                break
            if _remove(path):
                removed += 1
                total -= size
        for path in unused:
            with suppress(OSError):  # it is not empty
                path.rmdir()
        if total > self.max_bytes:
            log.warning("%s holds %d MB although it was swept; sessions in use need it", self.folder, total >> 20)
        return Swept(removed, total)

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for place in SWEPT:
            for folder, _, names in os.walk(self.folder / place):  # it passes over a folder that vanishes
                for path in (Path(folder, name) for name in names):
                    with suppress(OSError):
                        status = path.lstat()
                        if stat.S_ISREG(status.st_mode):
                            yield status.st_mtime, status.st_size, path

    def _folders(self) -> Iterator[tuple[float, Path]]:
        """When something was last added to or removed from each folder, the innermost first."""
        for place in SWEPT:
            for folder, names, _ in os.walk(self.folder / place, topdown=False):
                for path in (Path(folder, name) for name in names):
                    with suppress(OSError):
                        yield path.lstat().st_mtime, path

    def _make(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path


def _remove(path: Path) -> bool:
    with suppress(OSError):
        path.unlink(missing_ok=True)
        return True
    return False
