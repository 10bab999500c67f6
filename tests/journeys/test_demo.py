"""The demo as a newcomer runs it: it ends by itself, ends cleanly, and leaves nothing behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine

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


async def _read_until(process: asyncio.subprocess.Process, words: str) -> str:
    assert process.stdout
    text = ""
    async with asyncio.timeout(90):
        while words not in text:
            line = await process.stdout.readline()
            assert line, f"the demo ended before {words!r}:\n{text}"
            text += line.decode()
    return text


async def test_two_demos_at_once_tell_an_incident_to_its_recovery_and_a_false_alarm_to_its_end(start_demo: Demo):
    incident, false_alarm = await asyncio.gather(start_demo("--once"), start_demo("--once", "--healthy"))
    told = (await false_alarm.communicate())[0].decode()
    assert false_alarm.returncode == 0, told
    assert "nothing is wrong" in told
    assert "Waits for your decision" not in told
    text = (await incident.communicate())[0].decode()
    assert incident.returncode == 0, text
    assert "simulated" in text
    assert "scripted offline playbook" in text
    assert "The root cause was found." in text
    assert "(Ada clicks Approve)" in text
    assert "-DB_POOL_SIZE=1" in text
    assert text.rstrip().endswith("RECOVERED")


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
