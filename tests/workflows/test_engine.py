"""What was started in the engine is done, although its process dies in the middle; on both databases."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE, run

import pytest

from sre_bot.errors import LedgerError, RateLimited, Refused
from sre_bot.incidents.ledger import Ledger
from sre_bot.settings import ROOT
from sre_bot.workflows.engine import Engine

QUICK = 0.05
Body = Callable[..., Awaitable[None]]
Run = Callable[..., Awaitable[Engine]]


@pytest.fixture
async def start() -> AsyncIterator[Run]:
    """Opens an engine with one workflow; there is one at a time in a process."""
    async with AsyncExitStack() as stack:

        async def begin(url: str, body: Callable[[Engine], Body], replica: str = "local") -> Engine:
            engine = Engine(url, replica, polling=QUICK, pause=QUICK)
            engine.define("work", body(engine))
            stack.push_async_callback(engine.close)
            await engine.open()
            return engine

        yield begin


@pytest.fixture
async def url(database_url: str) -> str:
    await (await Ledger.open(database_url)).close()
    return database_url


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def until_ended(engine: Engine, key: str) -> None:
    async with asyncio.timeout(30):
        while not await engine.ended(key):
            await asyncio.sleep(0.02)


def noting(done: list[str]) -> Callable[[Engine], Body]:
    """A workflow that notes its argument in a step."""

    def define(engine: Engine) -> Body:
        async def body(word: str) -> None:
            async def note(_tried: int) -> None:
                done.append(word)

            await engine.step("note", note)

        return body

    return define


async def test_a_key_that_is_used_twice_runs_once(url: str, start: Run) -> None:
    done: list[str] = []
    engine = await start(url, noting(done))
    assert not await engine.ended("k1")
    await asyncio.gather(*(engine.start("work", "once", key="k1", partition="p") for _ in range(5)))
    await engine.start("work", "then", key="k2", partition="p")
    await until_ended(engine, "k2")
    assert done == ["once", "then"]
    await engine.start("work", "again", key="k1", partition="p")
    await engine.start("work", "last", key="k3", partition="p")
    await until_ended(engine, "k3")
    assert done == ["once", "then", "last"]


async def test_one_partition_is_done_one_after_the_other_and_others_meanwhile(url: str, start: Run) -> None:
    order: list[str] = []
    go_on = asyncio.Event()

    def define(engine: Engine) -> Body:
        async def body(name: str) -> None:
            async def work(_tried: int) -> None:
                order.append(name)
                if name == "a1":
                    await go_on.wait()
                    order.append("a1 ended")

            await engine.step("work", work)

        return body

    engine = await start(url, define)
    for name in ("a1", "a2", "b1"):
        await engine.start("work", name, key=name, partition=name[0])
    await until(lambda: "b1" in order)
    assert "a2" not in order
    go_on.set()
    await until_ended(engine, "a2")
    assert order.index("a1 ended") < order.index("a2")


async def test_what_is_put_off_comes_later_and_holds_up_nobody(url: str, start: Run) -> None:
    done: list[str] = []
    engine = await start(url, noting(done))
    await engine.start("work", "put off", key="k1", partition="p", delay=3600)
    await engine.start("work", "now", key="k2", partition="p")
    await until_ended(engine, "k2")
    assert done == ["now"]
    began = time.monotonic()
    await engine.start("work", "later", key="k3", partition="p", delay=0.5)
    await until_ended(engine, "k3")
    assert time.monotonic() - began >= 0.49
    assert done == ["now", "later"]


async def test_what_is_tried_again_and_again_ends_with_the_engine(url: str, start: Run) -> None:
    tries: list[int] = []

    def define(engine: Engine) -> Body:
        async def body() -> None:
            async def fail(tried: int) -> None:
                tries.append(tried)
                raise LedgerError("the database is away")

            await engine.step("fail", fail)

        return body

    engine = await start(url, define)
    await engine.start("work", key="k", partition="p")
    await until(lambda: len(tries) > 1)
    await engine.close()
    before = len(tries)
    await asyncio.sleep(QUICK * 2.0 ** (before + 1))  # longer than the pause before the next
    assert len(tries) == before, "beside a ledger that is closed"


async def test_what_the_end_cuts_off_between_two_steps_goes_on_in_the_next_and_no_traceback_tells_of_it(
    url: str, start: Run, caplog: pytest.LogCaptureFixture
) -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), []
    tasks: list[asyncio.Task[object]] = []

    def define(engine: Engine) -> Body:
        async def body(word: str) -> None:
            tasks.extend(filter(None, [asyncio.current_task()]))
            begun.set()
            await go_on.wait()
            await engine.step("note", lambda _tried: asyncio.sleep(0))
            done.append(word)

        return body

    engine = await start(url, define)
    await engine.start("work", "word", key="k", partition="p")
    await begun.wait()
    logging.getLogger("dbos").addHandler(caplog.handler)
    await engine.close()
    go_on.set()
    await asyncio.wait(tasks, timeout=60)  # it is DBOS' own, which would tell of it
    assert done == []
    engine = await start(url, define)
    await until_ended(engine, "k")
    logging.getLogger("dbos").removeHandler(caplog.handler)
    assert done == ["word"]
    assert "Traceback" not in caplog.text


async def test_a_step_is_tried_again_while_a_system_fails_and_not_repeated_when_it_succeeded(
    url: str, start: Run
) -> None:
    tries: list[int] = []

    def define(engine: Engine) -> Body:
        async def body() -> None:
            async def fail_twice(tried: int) -> None:
                tries.append(tried)
                if tried == 0:
                    raise RateLimited("slower", retry_after=0.01)
                if tried == 1:
                    raise LedgerError("the database is away")

            await engine.step("fail", fail_twice)

        return body

    engine = await start(url, define)
    await engine.start("work", key="k", partition="p")
    await until_ended(engine, "k")
    assert tries == [0, 1, 2]


async def test_what_is_refused_gives_its_place_to_others_soon(url: str, start: Run, caplog) -> None:
    steps: list[str] = []

    def define(engine: Engine) -> Body:
        async def body() -> None:
            async def refuse(tried: int) -> None:
                steps.append("refused")
                raise Refused("No such channel.", 200)

            async def never(_tried: int) -> None:
                steps.append("went on")

            await engine.step("show", refuse)
            await engine.step("done", never)

        return body

    engine = await start(url, define)
    await engine.start("work", key="k", partition="p")
    await until_ended(engine, "k")
    assert steps == ["refused"] * 4
    assert "k: show is given up: No such channel." in caplog.text


async def test_what_a_step_sets_going_is_none_of_the_workflow(url: str, start: Run) -> None:
    """A run of the agent that a step began uses the engine too, after the workflow is over."""
    done: list[str] = []
    tasks: list[asyncio.Task[None]] = []
    over = asyncio.Event()

    def define(engine: Engine) -> Body:
        async def body(word: str) -> None:
            async def later() -> None:
                await over.wait()
                await engine.start("work", "second", key="k2", partition="q")

            async def begin(_tried: int) -> None:
                done.append(word)
                if word == "first":
                    tasks.append(asyncio.create_task(later()))

            await engine.step("begin", begin)

        return body

    engine = await start(url, define)
    await engine.start("work", "first", key="k1", partition="p")
    await until_ended(engine, "k1")
    over.set()
    await asyncio.gather(*tasks)
    await until_ended(engine, "k2")
    assert done == ["first", "second"]


async def test_a_stop_ends_what_is_under_way_and_the_next_process_does_it(url: str, start: Run) -> None:
    began, goes_on = asyncio.Event(), asyncio.Event()
    lives: list[str] = []

    def define(engine: Engine) -> Body:
        async def body() -> None:
            async def first(_tried: int) -> None:
                lives.append("first")

            async def hang(_tried: int) -> None:
                began.set()
                lives.append(await engine_life())
                await goes_on.wait()

            await engine.step("first", first)
            await engine.step("hang", hang)

        return body

    async def engine_life() -> str:
        return "begun"

    engine = await start(url, define, "A")
    await engine.start("work", key="k", partition="p")
    await began.wait()
    await engine.close()
    assert await asyncio.to_thread(lambda: "threads work for others still") != ""
    goes_on.set()

    heir = await start(url, define, "A")
    await until_ended(heir, "k")
    assert lives == ["first", "begun", "begun"], "a step that ended is not done again"


DIES = """
import asyncio, os, sys
from pathlib import Path
from sre_bot.workflows.engine import Engine

async def main():
    url, replica, log, how = sys.argv[1:]
    engine = Engine(url, replica, polling=0.05)

    def note(word):
        with open(log, "a") as file:
            file.write(word + "\\n")

    async def body():
        async def one(_tried):
            note("one")
        async def two(_tried):
            note("two")
            if how == "die":
                os._exit(9)
        async def three(_tried):
            note("three")
        note(await engine.remember("intent", replica))
        await engine.step("one", one)
        await engine.step("two", two)
        await engine.step("three", three)

    engine.define("work", body)
    await engine.open()
    if how == "die":
        await engine.start("work", key="k", partition="p")
    elif how == "inherit":
        await engine.take_over("A")
    while not await engine.ended("k"):
        await asyncio.sleep(0.05)
    await engine.close()

asyncio.run(main())
"""


def process(url: str, replica: str, log: Path, how: str) -> int:
    command = [sys.executable, "-c", DIES, url, replica, str(log), how]
    return run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60, check=False).returncode


async def test_what_a_killed_process_left_is_done_by_its_successor(tmp_path: Path, url: str) -> None:
    log = tmp_path / "log"
    heir = ("local", "go on") if url.startswith("sqlite") else ("B", "inherit")
    dead = "local" if url.startswith("sqlite") else "A"

    assert await asyncio.to_thread(process, url, dead, log, "die") == 9
    assert await asyncio.to_thread(process, url, heir[0], log, heir[1]) == 0

    assert log.read_text().split() == [dead, "one", "two", dead, "two", "three"], "the intent is the dead one's"


async def test_a_second_process_on_one_file_is_refused_in_words(tmp_path: Path, start: Run) -> None:
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    await start(url, noting([]))
    second = f"""
import asyncio
from sre_bot.errors import SettingsError
from sre_bot.workflows.engine import Engine
try:
    asyncio.run(Engine({url!r}, "local").open())
except SettingsError as error:
    print(error)
"""
    ended = await asyncio.to_thread(
        run, [sys.executable, "-c", second], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=PIPE
    )
    assert b"Another bot works on" in ended.stdout
    assert b"PostgreSQL" in ended.stdout


async def test_a_database_that_is_away_is_told_in_words(start: Run) -> None:
    with pytest.raises(LedgerError, match="durable engine cannot use its database"):
        await start("postgresql://nobody@127.0.0.1:9/none", noting([]))


async def test_a_folder_that_cannot_be_written_is_told_in_words(start: Run) -> None:
    with pytest.raises(LedgerError, match="durable engine cannot use the file"):
        await start("sqlite:////proc/none/bot.db", noting([]))


async def test_what_ended_long_ago_is_forgotten_and_what_is_under_way_stays(url: str, start: Run) -> None:
    done: list[str] = []
    engine = await start(url, noting(done))
    await engine.start("work", "one", key="k1", partition="p")
    await engine.start("work", "waits", key="k2", partition="q", delay=3600)
    await until_ended(engine, "k1")

    await engine.prune(datetime.now(UTC) - timedelta(hours=1))
    assert await engine.ended("k1")
    await engine.prune(datetime.now(UTC) + timedelta(hours=1))
    assert not await engine.ended("k1")

    await engine.start("work", "two", key="k1", partition="p")
    await until_ended(engine, "k1")
    assert done == ["one", "two"]
