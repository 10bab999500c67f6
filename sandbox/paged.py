"""Bots that are paged, and all that they need on loopback: Slack, PagerDuty, the model, and any number of bots.

There is no fleet here: the model answers at once and uses no tool, for what is looked at is what becomes of the pages
when processes die. A bot keeps its port over its lives, so that PagerDuty finds it again.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from sandbox.ports import free_port
from sandbox.processes import Child
from sandbox.surroundings import LOOK_EVERY, ROOT, SECRET, Surroundings

ANSWER = "**Root cause:** the connection pool is too small. Raise DB_POOL_SIZE."
ASKED_BY_ITSELF = "asked by the bot itself"
READY_TIMEOUT = 60.0  # seconds
SETTINGS = {
    "SRE_SPARE_SESSIONS": "0",
    "SRE_IDLE_SESSIONS": "1",
    "SRE_SESSION_IDLE": "5",
    "SRE_MAX_RUNS": "3",
    "SRE_HOUR_BUDGET_USD": "1000",
    "SRE_DAY_BUDGET_USD": "1000",
    "PROMETHEUS_URL": "http://127.0.0.1:9",
}
APART = {"SRE_STORM_WINDOW": "0.0005"}
"""Keeps incidents apart: events have milliseconds, and `Account` makes no two of them in one."""


class Bot:
    """One bot over its lives, on one port."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str], http: aiohttp.ClientSession) -> None:
        self.name = name
        self.port = free_port()
        self.child: Child
        self.lives = 0
        self._folder = folder
        self._environment = {**environment, "WEBHOOK_PORT": str(self.port)}
        self._http = http

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def begin(self) -> None:
        """Start its process, and return before it is ready."""
        command = [sys.executable, str(ROOT / "sre_bot_slack.py")]
        self.child = await Child.start(self.name, command, ready="", log_dir=self._folder, env=self._environment)
        self.lives += 1

    async def await_ready(self) -> None:
        """Wait until it says that it is ready.

        Raises:
            RuntimeError: it ended, or is not after `READY_TIMEOUT`; the message ends with its last words.
        """
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                while not await self._is_ready():
                    if not self.child.running:
                        raise RuntimeError(f"{self.name} ended:\n{self.child.tail()}")
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            raise RuntimeError(f"{self.name} is not ready:\n{self.child.tail()}") from None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        await self.begin()
        await self.await_ready()

    async def kill(self) -> None:
        """End it as a crash would."""
        self.child.kill()
        await self.child.wait()

    async def terminate(self) -> int:
        """Ask it to end, as an orchestrator does, and give its exit status."""
        os.kill(self.child.pid, signal.SIGTERM)
        return await self.child.wait()

    def log(self) -> str:
        """Everything that it wrote, over all its lives."""
        return (self._folder / f"{self.name}.log").read_text(errors="replace")

    async def _is_ready(self) -> bool:
        try:
            async with self._http.get(f"{self.url}/readyz", timeout=aiohttp.ClientTimeout(total=3)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


class Paged(Surroundings):
    """The running parts; use it as an async context manager.

    Args:
        folder: where logs, data and the bots' files go.
        database_url: the bots' database.
        clock_rate: how fast Slack's clock runs; the bots write as much faster, and its limits stay.
        settings: more variables for the bots, over those of the sandbox.
    """

    def __init__(
        self, folder: Path, database_url: str, *, clock_rate: float = 1.0, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(folder)
        self._database_url = database_url
        self._clock_rate = clock_rate
        self._settings = dict(settings or {})

    def make_bot(self, name: str = "bot", **settings: str) -> Bot:
        """A bot that is not started yet, with more variables where some are given; it ends with the rest."""
        bot = Bot(name, self.folder, self._environment() | settings, self.http)

        async def stop() -> None:
            if bot.lives:
                await bot.child.stop()

        self._parts.push_async_callback(stop)
        return bot

    async def hang_model(self, marker: str) -> None:
        """Let the model fall silent in the middle of whatever it says to this, until `mend_model`."""
        await self.order(self.model, "faults", kind="hang_mid", marker=marker)

    async def mend_model(self) -> None:
        """Let the model speak again; what hangs ends."""
        assert self.model  # noqa: S101  (it was started with the rest)
        async with self.http.delete(f"{self.model.found}/sandbox/faults") as answer:
            answer.raise_for_status()

    async def subscribe(self, bot: Bot, **faults: Any) -> None:  # noqa: ANN401  (JSON)
        """Let PagerDuty deliver to a bot; with `duplicates`, `shuffle` and `seed` where some are given."""
        await self.subscribe_to_pages(bot.url, **faults)

    async def deliver_to(self, bot: Bot) -> None:
        """Let PagerDuty deliver to another bot from now on, as a balancer does that sees one go."""
        await self.order(self.pagerduty, f"webhooks/{self.subscription}/change", url=f"{bot.url}/webhooks/pagerduty")

    async def release(self) -> None:
        """Let PagerDuty send what it holds back to send it in any order."""
        await self.order(self.pagerduty, f"webhooks/{self.subscription}/release")

    async def replies(self, ts: str) -> list[dict[str, Any]]:
        """What the bots have in a thread below its first message."""
        return [message for message in await self.thread(ts) if message["bot"] and message["ts"] != ts]

    async def await_words(self, ts: str, words: str, patience: float = 60.0) -> None:
        """Wait until a bot has said something in a thread.

        Raises:
            TimeoutError: none has.
        """
        async with asyncio.timeout(patience):
            while not any(words in message["text"] for message in await self.replies(ts)):
                await asyncio.sleep(LOOK_EVERY)

    async def deliveries(self) -> dict[str, Any]:
        """PagerDuty's own record: every attempt, and how many events are not accepted yet."""
        return dict(await self.look(self.pagerduty, "deliveries"))

    async def _start(self) -> None:
        await self._start_slack("--clock-rate", f"{self._clock_rate:g}")
        await self._start_pagerduty()
        await self._start_model()
        await self.order(self.model, "script", marker=ASKED_BY_ITSELF, always={"text": ANSWER})

    def _environment(self) -> dict[str, str]:
        return {
            **self._playbook_settings(),
            **self._slack_settings(),
            "SLACK_INCIDENT_CHANNEL": self.channel,
            "SLACK_PACE": f"{self._clock_rate:g}",
            "PAGERDUTY_WEBHOOK_SECRET": SECRET,
            "DATABASE_URL": self._database_url,
            **SETTINGS,
            **self._settings,
        }
