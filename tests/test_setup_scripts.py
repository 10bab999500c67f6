"""What a newcomer reads where the machine lacks something: a sentence that says what, and what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sre_bot.settings import ROOT

OLD_PYTHON = """#!/bin/sh
exit 1  # to the question whether it is new enough
"""
NOBODY = """#!/bin/sh
echo 1000
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout with nothing installed."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    return tmp_path


def run(clone: Path, script: str, *arguments: str, found: dict[str, str | None], **variables: str) -> tuple[int, str]:
    """Run a script where PATH has nothing but these: by name, what they are, or None for the machine's own."""
    folder = clone / "bin"
    folder.mkdir()
    for name, content in {"sh": None, "dirname": None, "cat": None, **found}.items():
        if content is None:
            own = shutil.which(name)
            assert own, name
            (folder / name).symlink_to(own)
        else:
            (folder / name).write_text(content)
            (folder / name).chmod(0o755)
    ended = subprocess.run(
        [str(clone / "scripts" / script), *arguments],
        env={"PATH": str(folder), "HOME": os.environ["HOME"], **variables},
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("found", [{}, {"python3": OLD_PYTHON}], ids=["none", "old"])
def test_a_python_that_is_too_old_is_said(clone: Path, found: dict[str, str | None]):
    status, said = run(clone, "ensure_venv.sh", "requirements.txt", found=found)
    assert status == 1
    assert "Python 3.11 or newer is needed and was not found on PATH" in said
    assert "make demo PYTHON=" in said


@pytest.mark.parametrize("found", [{}, {"apt-get": OLD_PYTHON, "id": NOBODY}], ids=["no apt", "no right to use it"])
def test_prometheus_that_cannot_be_installed_is_named_with_what_to_do(clone: Path, found: dict[str, str | None]):
    status, said = run(clone, "ensure_prometheus.sh", found=found)
    assert status == 1
    assert "Prometheus is needed and was not found on PATH" in said
    assert "sudo apt-get install --no-install-recommends prometheus" in said


def test_without_a_network_the_installation_ends_in_a_sentence_and_can_be_repeated(clone: Path):
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    python = str(Path(sys.base_prefix) / "bin" / "python3")
    status, said = run(clone, "ensure_venv.sh", "requirements.txt", found={}, PYTHON=python, **nowhere)
    assert status == 1
    assert "The dependencies could not be installed; pip says why above." in said
    assert "run this again" in said
    assert "Traceback" not in said
