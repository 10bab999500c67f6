"""Everything that an incident needs, on loopback: the fleet, Prometheus, Slack, the model and the bot.

Each part is the process that production runs, or a stand-in that speaks the same protocol; they find each other by base
URLs, on ports that were free a moment ago. The demo and the journey tests use this one arrangement.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import aiohttp

from sandbox import prometheus
from sandbox.processes import Child, NotReady

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "config"
HEALTHY_TIMEOUT = 60.0  # seconds
FIRST_FIGURES = "sum by (service) (rate(http_requests_total[1m])) > 0"

Past = Callable[[str, Path], Awaitable[None]]
"""Writes what happened before into a data folder of Prometheus, given the running fleet's address and that folder."""


class Stack:
    """The running parts and their addresses; use it as an async context manager.

    Args:
        folder: where configuration copies, logs, data and the ledger go; a second stack on the same folder finds what
            the first one left.
        real_model: environment of the real model (ANTHROPIC_API_KEY …); None for the scripted playbook.
        bot_settings: more variables for the bot, over the sandbox's own.
        past: called between the start of the fleet and that of Prometheus; None where it shall know nothing of before.
    """

    def __init__(
        self,
        folder: Path,
        *,
        real_model: Mapping[str, str] | None = None,
        bot_settings: Mapping[str, str] | None = None,
        past: Past | None = None,
    ) -> None:
        self.folder = folder
        self.env_file = folder / "api-server.env"
        self.fleet: Child
        self.prometheus: Child
        self.slack: Child
        self.model: Child | None = None
        self.bot: Child
        self.world: dict[str, Any]
        self.http: aiohttp.ClientSession
        self._real_model = real_model
        self._bot_settings = dict(bot_settings or {})
        self._past = past
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._parts.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    async def start_bot(self, settings: Mapping[str, str] | None = None) -> None:
        """Start the bot, or start it again after it ended; with other `bot_settings` where some are given."""
        if settings is not None:
            self._bot_settings = dict(settings)
        self.bot = await Child.start(
            "bot",
            [sys.executable, str(ROOT / "sre_bot_slack.py")],
            ready="ready: mention the bot",
            log_dir=self.folder,
            env=self._bot_environment(),
        )
        self._parts.push_async_callback(self.bot.stop)

    async def deploy(self, **settings: str) -> None:
        """Edit the copy of api-server.env, as a person would, and redeploy the service."""
        lines = self.env_file.read_text(encoding="utf-8").splitlines()
        for name, value in settings.items():
            lines = [f"{name}={value}" if line.startswith(f"{name}=") else line for line in lines]
        self.env_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        async with self.http.post(f"{self.fleet.found}/redeploy/api-server") as answer:
            answer.raise_for_status()

    async def ask(self, query: str) -> dict[str, float]:
        """An instant PromQL query: values by the label `service`."""
        async with self.http.get(f"{self.prometheus.found}/api/v1/query", params={"query": query}) as answer:
            if answer.status == 503:  # it is still reading its storage
                return {}
            body = await answer.json()
        return {
            item["metric"].get("service", ""): float(item["value"][1])
            for item in body["data"]["result"]
            if item["value"][1] != "NaN"
        }

    async def await_figures(self, query: str, timeout: float = HEALTHY_TIMEOUT) -> dict[str, float]:
        """Wait until a query has an answer that is not empty, and give it."""
        async with asyncio.timeout(timeout):
            while not (figures := await self.ask(query)):
                await asyncio.sleep(0.2)
        return figures

    async def say(self, text: str, *, thread_ts: str | None = None, user: str | None = None) -> str:
        """Write in the incident channel as a person; gives the message's timestamp."""
        message = {"channel": self.channel, "user": user or self.person, "text": text}
        async with self.http.post(
            f"{self.slack.found}/sandbox/messages", json=message | ({"thread_ts": thread_ts} if thread_ts else {})
        ) as answer:
            answer.raise_for_status()
            return str((await answer.json())["ts"])

    async def thread(self, ts: str) -> list[dict[str, Any]]:
        """The messages of a thread as people see them."""
        params = {"channel": self.channel, "ts": ts}
        async with self.http.get(f"{self.slack.found}/sandbox/thread", params=params) as answer:
            return list((await answer.json())["messages"])

    async def look(self, part: Child, path: str) -> Any:  # noqa: ANN401  (JSON)
        """A page of a stand-in's control interface."""
        async with self.http.get(f"{part.found}/sandbox/{path}") as answer:
            answer.raise_for_status()
            return await answer.json()

    @property
    def channel(self) -> str:
        """The incident channel."""
        return str(self.world["channels"]["incidents"])

    @property
    def person(self) -> str:
        """Ada, who is on call."""
        return str(self.world["users"]["Ada"])

    def names(self) -> dict[str, str]:
        """Ids to what people call them."""
        people = {user: name for name, user in self.world["users"].items()}
        return people | {self.world["bot"]["id"]: "SRE Bot"}

    async def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.env_file.exists():
            shutil.copy(CONFIG / "api-server.env", self.env_file)
        self.http = await self._parts.enter_async_context(aiohttp.ClientSession())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_metrics())
                group.create_task(self._start_slack())
                group.create_task(self._start_model())
            async with asyncio.TaskGroup() as group:
                group.create_task(self.await_figures(FIRST_FIGURES))
                group.create_task(self.start_bot())
        except* (NotReady, TimeoutError) as failed:
            raise failed.exceptions[0] from None

    async def _start_metrics(self) -> None:
        command = [sys.executable, str(ROOT / "scripts" / "metric_logging.py"), "--port", "0"]
        command += ["--env-file", str(self.env_file), "--state-dir", str(self.folder / "fleet")]
        self.fleet = await self._start_part("fleet", command, r"listening on (http://\S+)")
        target = self.fleet.found.removeprefix("http://")
        config = prometheus.write_config(CONFIG / "prometheus.yml", target, self.folder)
        if self._past:
            await self._past(self.fleet.found, self.folder / "prometheus")
        command = prometheus.command("prometheus", config, self.folder / "prometheus", 0)
        self.prometheus = await self._start_part("prometheus", command, r"msg=\"Listening on\" address=(\S+)")
        self.prometheus.found = f"http://{self.prometheus.found}"

    async def _start_slack(self) -> None:
        self.slack = await self._start_part(
            "slack", [sys.executable, "-m", "sandbox.slack"], r"listening on (http://\S+)"
        )
        self.world = await self.look(self.slack, "world")

    async def _start_model(self) -> None:
        if self._real_model is None:
            command = [sys.executable, "-m", "sandbox.model"]
            self.model = await self._start_part("model", command, r"listening on (http://\S+)")

    async def _start_part(self, name: str, command: list[str], ready: str) -> Child:
        child = await Child.start(name, command, ready=ready, log_dir=self.folder, env={"PYTHONPATH": str(ROOT)})
        self._parts.push_async_callback(child.stop)
        return child

    def _bot_environment(self) -> dict[str, str]:
        if self._real_model is not None:
            model = dict(self._real_model)
        else:
            assert self.model is not None  # noqa: S101  (one of the two was started)
            model = {"ANTHROPIC_API_KEY": "sandbox-no-key", "ANTHROPIC_BASE_URL": self.model.found}
        return {
            **model,
            "SRE_ENV_FILE": "",  # a real .env beside the checkout stays out of the sandbox
            "SLACK_API_URL": f"{self.slack.found}/api",
            "SLACK_BOT_TOKEN": self.world["tokens"]["bot"],
            "SLACK_APP_TOKEN": self.world["tokens"]["app"],
            "PROMETHEUS_URL": self.prometheus.found,
            "FLEET_URL": self.fleet.found,
            "SRE_ENV_DIR": str(self.folder),
            "REDEPLOY_COMMAND": f"curl -fsS -X POST {self.fleet.found}/redeploy/{{service}}",
            "WEBHOOK_PORT": "0",
            "DATABASE_URL": f"sqlite:///{self.folder / 'sre_bot.db'}",
            "SRE_STATE_DIR": str(self.folder / "agent"),
            **self._bot_settings,
        }


def real_model_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """The variables of the real model where a key is set; None for the playbook."""
    names = ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "SRE_MODEL")
    return {name: environ[name] for name in names if name in environ} if environ.get("ANTHROPIC_API_KEY") else None
