"""The demo as a newcomer runs it: it ends by itself, ends cleanly, and leaves nothing behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest
import pytest_asyncio

from sre_bot.settings import ROOT
from tests.process_tree import await_gone, descendants

pytestmark = pytest.mark.timeout(420)

Demo = Callable[..., Coroutine[None, None, asyncio.subprocess.Process]]


@pytest_asyncio.fixture
async def start_demo() -> AsyncIterator[Demo]:
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONUNBUFFERED": "1"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sandbox", *arguments),
            cwd=ROOT,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path):
    """On a file system of its own, which only this process sees and which has no room for what the parts write."""
    small = f"mount -t tmpfs -o size=100k none {tmp_path} && TMPDIR={tmp_path} exec {sys.executable} -m sandbox --once"
    demo = await asyncio.create_subprocess_exec(
        *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", small),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    text = (await demo.communicate())[0].decode()
    if "unshare:" in text or "mount:" in text:
        pytest.skip(f"no file system of its own may be made here: {text.strip()}")
    assert demo.returncode == 1, text
    assert "The demo could not go on" in text
    assert "No space is left for" in text
    assert "Traceback" not in text


async def _read_until(process: asyncio.subprocess.Process, words: str) -> str:
    assert process.stdout
    text = ""
    async with asyncio.timeout(240):
        while words not in text:
            line = await process.stdout.readline()
            assert line, f"the demo ended before {words!r}:\n{text}"
            text += line.decode()
    return text


async def test_two_demos_at_once_tell_a_false_alarm_to_its_end(start_demo: Demo):
    for demo in await asyncio.gather(start_demo("--once", "--healthy"), start_demo("--once", "--healthy")):
        text = (await demo.communicate())[0].decode()
        assert demo.returncode == 0, text
        assert "simulated" in text
        assert "scripted offline playbook" in text
        assert "nothing is wrong" in text
        assert "Waits for your decision" not in text


@pytest.mark.parametrize("after", ["Starting", "deploys", "Ctrl-C ends it all"])
async def test_ctrl_c_ends_everything_without_a_traceback(start_demo: Demo, after: str):
    demo = await start_demo()
    text = await _read_until(demo, after)
    family = descendants(demo.pid)
    demo.send_signal(signal.SIGINT)
    rest, _ = await demo.communicate()
    text += rest.decode()
    assert "Traceback" not in text
    assert demo.returncode in (0, 130), text
    await await_gone(family)


async def test_a_killed_demo_leaves_no_process(start_demo: Demo):
    demo = await start_demo()
    await _read_until(demo, "Ctrl-C ends it all")
    family = descendants(demo.pid)
    assert len(family) >= 7, "fleet, Prometheus, Slack, model, bot, and the CLI with its tool process"
    demo.kill()
    await demo.wait()
    await await_gone(family)
