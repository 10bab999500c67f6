"""Sweeping: what is old goes, then the oldest until the rest is small; what may be in use stays."""

import os
import threading
from pathlib import Path

import pytest

from sre_bot.agent.scratch import IN_USE, Scratch

NOW = 2_000_000_000.0
HOUR = 3600.0


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path, max_age=24 * HOUR, max_bytes=1000)


def _write(scratch: Scratch, name: str, *, age: float, size: int = 10) -> Path:
    path = scratch.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW - age, NOW - age))
    return path


def test_old_transcripts_and_logs_go_and_young_ones_stay(scratch: Scratch):
    old = _write(scratch, "home/.claude/projects/a/old.jsonl", age=25 * HOUR)
    log = _write(scratch, "home/.cache/claude/mcp-logs/x.jsonl", age=25 * HOUR)
    copy = _write(scratch, "tmp/claude-resume-1/projects/y.jsonl", age=25 * HOUR)
    young = _write(scratch, "home/.claude/projects/a/young.jsonl", age=2 * HOUR)
    swept = scratch.sweep(NOW)
    assert [path.exists() for path in (old, log, copy, young)] == [False, False, False, True]
    assert not copy.parent.parent.exists(), "empty folders go too"
    assert (swept.removed, swept.bytes_left) == (3, 10)


def test_the_oldest_go_first_when_it_is_too_large(scratch: Scratch):
    paths = [_write(scratch, f"home/.claude/projects/{age}.jsonl", age=age * HOUR, size=400) for age in (5, 4, 3, 2)]
    assert scratch.sweep(NOW).bytes_left == 800
    assert [path.exists() for path in paths] == [False, False, True, True]


def test_what_may_be_in_use_stays_whatever_its_size(scratch: Scratch):
    used = _write(scratch, "home/.claude/projects/used.jsonl", age=IN_USE / 2, size=5000)
    scratch.sweep(NOW)
    assert used.exists()


def test_a_folder_that_a_session_has_just_made_stays(scratch: Scratch):
    fresh = scratch.tmp / "claude-resume-1"
    fresh.mkdir()
    scratch.sweep()
    assert fresh.is_dir()


def test_files_and_folders_that_vanish_meanwhile_do_not_end_a_sweep(scratch: Scratch):
    ended = threading.Event()

    def write_and_remove() -> None:
        while not ended.is_set():
            for number in range(50):
                folder = scratch.tmp / str(number)
                folder.mkdir()
                (folder / "file").touch()
                (folder / "file").unlink()
                folder.rmdir()

    session = threading.Thread(target=write_and_remove)
    session.start()
    try:
        for _ in range(300):
            scratch.sweep()
    finally:
        ended.set()
        session.join()


def test_nothing_outside_the_swept_places_is_touched(scratch: Scratch, tmp_path: Path):
    database = _write(scratch, "sre_bot.db", age=90 * 24 * HOUR)
    outside = _write(scratch, "elsewhere/file", age=90 * 24 * HOUR)
    (scratch.tmp / "link").symlink_to(outside)
    scratch.sweep(NOW)
    assert database.exists()
    assert outside.exists()


def test_its_folders_are_private(scratch: Scratch):
    assert {path.stat().st_mode & 0o777 for path in (scratch.home, scratch.tmp, scratch.workspace)} == {0o700}
