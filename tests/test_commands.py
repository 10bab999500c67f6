"""What README.md and DEMO.md tell people to type: every command is known here, and every one is tried.

The journeys live through the stories of the demo, and the checks of the whole project run `make demo ARGS=--once`; here
the command lines themselves are held against the programs that read them.
"""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from sandbox.demo import command_line
from sandbox.stories import STORIES
from sre_bot.settings import ROOT

TYPED = [
    command
    for name in ("README.md", "DEMO.md")
    for command in re.findall(r"^ *\$ (.+)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
]
MENTIONED = [
    f"make demo ARGS={arguments}"
    for name in ("README.md", "DEMO.md")
    for arguments in re.findall(r"`make demo ARGS=([^`]+)`", (ROOT / name).read_text(encoding="utf-8"))
]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)


def try_make(target: str, *assignments: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        assert name == "ARGS", assignment
        if target == "demo":
            command_line().parse_args(shlex.split(value))  # ends the test where it is not understood


def try_compose(*words: str) -> None:
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed")
    before, _, after = " ".join(words).partition(" up ")
    answer = run("docker-compose", *shlex.split(before), "config", "--services")
    assert answer.returncode == 0, answer.stderr
    named = {word for word in after.split() if not word.startswith("-")}
    assert named <= set(answer.stdout.split())


def try_python(program: str, *options: str) -> None:
    answer = run(sys.executable, program, "--help")
    assert answer.returncode == 0, answer.stderr
    assert all(option in answer.stdout for option in options)


@pytest.mark.parametrize("command", sorted({*TYPED, *MENTIONED}))
def test_every_command_that_is_shown_can_be_given(command: str):
    match shlex.split(command):
        case ["make", target, *assignments]:
            try_make(target, *assignments)
        case ["docker-compose", *words]:
            try_compose(*words)
        case [".venv/bin/python", program, *options]:
            try_python(program, *options)
        case _:
            pytest.fail(f"no test knows how to try {command!r}")


def test_every_story_is_told():
    told = (ROOT / "DEMO.md").read_text(encoding="utf-8")
    for story in STORIES.values():
        for key, value in story.settings.items():
            assert f"`{key}={value}`" in told or story.name == "false-alarm"
        assert story.name == "pool" or f"--story {story.name}" in told


def test_the_messages_that_the_troubleshooting_names_are_those_that_people_see():
    table = (ROOT / "DEMO.md").read_text(encoding="utf-8").partition("## Troubleshooting")[2]
    quoted = [words.removesuffix("…").strip() for words in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)]
    listed = run("git", "ls-files", "scripts", "sandbox", "sre_bot").stdout.split()
    sources = " ".join((ROOT / name).read_text(encoding="utf-8") for name in listed if name.endswith((".py", ".sh")))
    assert len(quoted) >= 3
    assert [words for words in quoted if words not in sources] == []
