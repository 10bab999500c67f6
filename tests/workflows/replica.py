"""A replica as a process: `python -m tests.workflows.replica URL NAME FOLDER TTL EVERY`.

Told on its input what to begin, it notes in the folder's `log` what it does; agents answer, and work is done, when a
file of the replica's name is there. It ends with 75 when others took it for dead.
"""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sre_bot.agent.events import Event, RunEnded
from sre_bot.errors import Unreachable
from sre_bot.incidents.ledger import Ledger
from sre_bot.workflows.circumstances import Circumstances
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.lease import Lease
from sre_bot.workflows.people import Prompt
from sre_bot.workflows.recovery import Recovery
from sre_bot.workflows.turns import Turns

from .agents import Agents


class Log:
    """What all replicas did, in one file."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / "log"
        self._go = folder / name
        self._name = name

    def note(self, words: str) -> None:
        with self._path.open("a") as file:
            file.write(f"{self._name} {words}\n")

    def says(self, words: str) -> bool:
        return words in self._path.read_text()

    def may_go_on(self) -> bool:
        return self._go.exists()

    async def ready(self) -> None:
        while not self.may_go_on():
            await asyncio.sleep(0.1)


class Reply:
    def __init__(self, log: Log, ts: str) -> None:
        self._log = log
        self._ts = ts

    def show(self, event: Event) -> None:
        said = f"ended {event.outcome.value}" if isinstance(event, RunEnded) else type(event).__name__
        self._log.note(f"{self._ts} {said}")

    async def settle(self) -> None:
        pass


class Folk:
    """People who see what is noted."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def acknowledge(self, prompt: Prompt) -> None:
        pass

    async def read_context(self, prompt: Prompt, *, above: bool) -> str:
        return ""

    async def open_reply(self, prompt: Prompt, turn_id: UUID, attempt: int, *, search: bool = False) -> Reply:
        self._log.note(f"{prompt.ts} attempt {attempt}")
        return Reply(self._log, prompt.ts)

    async def close_reply(self, channel: str, thread_ts: str, turn_id: UUID, attempt: int, reason: str) -> bool:
        self._log.note(f"closes attempt {attempt}")
        return True

    async def say(self, channel: str, thread_ts: str, text: str) -> bool:
        return True


async def main(url: str, name: str, folder: Path, ttl: float, every: float) -> int:
    log = Log(folder, name)
    ledger = await Ledger.open(url)
    people = Folk(log)
    around = Circumstances(replica=name, alone=False)
    turns = Turns(ledger, Agents(log.ready), people, around)  # type: ignore[arg-type]  # stands in for the pool
    engine = Engine(url, name, polling=0.1, pause=0.1)

    async def work(key: str) -> None:
        async def begin(_tried: int) -> None:
            log.note(f"{key} begun")

        async def post(_tried: int) -> None:
            if not log.may_go_on():
                raise Unreachable("Not yet.")
            if not log.says(f"{key} posted"):  # as with Slack: what may be there already is looked for
                log.note(f"{key} posted")

        await engine.step("begin", begin)
        await engine.step("post", post)

    engine.define("work", work)
    lease = Lease(
        ledger.replicas,
        engine,
        Recovery(ledger, people, turns, around),
        name,
        alone=False,
        ttl=timedelta(seconds=ttl),
        every=every,
    )
    await lease.join()
    await engine.open()
    turns.open()
    lease.open()
    orders = asyncio.create_task(obey(turns, engine))
    await lease.lost.wait()
    orders.cancel()
    lease.retire()
    await turns.close()
    await engine.close()
    await lease.close()
    await ledger.close()
    return 75


async def obey(turns: Turns, engine: Engine) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)  # noqa: T201  (to the test)
    while line := (await reader.readline()).decode():
        order, what = line.split()
        if order == "ask":
            await turns.submit(Prompt("T1", "C1", what, what, "U1", "why?"))
        else:
            await engine.start("work", what, key=what, partition=what)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))))
