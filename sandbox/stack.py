"""Everything that an incident needs, on loopback: the fleet with its monitoring, the bot, and what is around it.

Each part is the process that production runs, or a stand-in that speaks the same protocol; they find each other by base
URLs, on ports that were free a moment ago. The demo and the journey tests use this one arrangement.
"""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import aiohttp

from sandbox import alertmanager, prometheus
from sandbox.fleet.demand import REQUESTS_PER_SECOND
from sandbox.ports import free_port
from sandbox.processes import Child, NotReady, most_telling
from sandbox.stories import Story
from sandbox.surroundings import ROOT as ROOT
from sandbox.surroundings import Surroundings

CONFIG = ROOT / "config"
HEALTHY_TIMEOUT = 60.0  # seconds
FIRST_FIGURES = "sum by (service) (rate(http_requests_total[1m])) > 0"
SIGNED = ("--author", "sre-bot", "--reason", "approved in Slack")
"""How the bot's own redeploys stand in the record of deployments."""
FROM_COLD = {"SRE_SPARE_SESSIONS": "0"}
"""Each conversation starts its own session: no process is started that nobody will ask."""
QUICKLY = {"SRE_VERIFY_AFTER": "62", "SRE_VERIFY_WITHIN": "150"}
"""The rates' window is a minute: an earlier look says nothing. Production waits a little longer."""

Past = Callable[[str, Path], Awaitable[None]]
"""Writes what happened before into a data folder of Prometheus, given the running fleet's address and that folder."""


class Stack(Surroundings):
    """The running parts and their addresses; use it as an async context manager.

    Args:
        folder: where configuration copies, logs, data and the ledger go; a second stack on the same folder finds what
            the first one left.
        real_model: environment of the real model (ANTHROPIC_API_KEY …); None for the scripted playbook.
        bot_settings: more variables for the bot, over the sandbox's own.
        past: called between the start of the fleet and that of Prometheus; None where it shall know nothing of before.
        paged: also PagerDuty, which pages the bot by signed webhooks, Confluence, and Alertmanager where it is
            installed.
        approvers: who may approve, by the names that Slack's stand-in gives them.
        requests_per_second: of the fleet's clients; fewer cost this machine less, where nothing is to break by load.
    """

    def __init__(
        self,
        folder: Path,
        *,
        real_model: Mapping[str, str] | None = None,
        bot_settings: Mapping[str, str] | None = None,
        past: Past | None = None,
        paged: bool = False,
        approvers: Sequence[str] = (),
        requests_per_second: float = REQUESTS_PER_SECOND,
    ) -> None:
        super().__init__(folder)
        self.env_file = folder / "api-server.env"
        self.fleet: Child
        self.prometheus: Child
        self.alertmanager: Child | None = None
        self.bot: Child
        self._real_model = real_model
        self._bot_settings = dict(bot_settings or {})
        self._past = past
        self._paged = paged
        self._approvers = tuple(approvers)
        self._requests_per_second = requests_per_second
        self._accounts: dict[str, str] = {}
        self._alertmanager_port = 0
        self._bot_port = 0

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

    async def deploy(self, author: str = "", reason: str = "", **settings: str) -> None:
        """Edit the copy of api-server.env, as a person would, and redeploy the service."""
        lines = self.env_file.read_text(encoding="utf-8").splitlines()
        for name, value in settings.items():
            lines = [f"{name}={value}" if line.startswith(f"{name}=") else line for line in lines]
        self.env_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        signature = {"author": author, "reason": reason}
        async with self.http.post(f"{self.fleet.found}/redeploy/api-server", json=signature) as answer:
            answer.raise_for_status()

    async def break_by(self, story: Story) -> dict[str, float]:
        """Let a story begin, and wait until people notice; gives the figures of its symptom."""
        await self.deploy(story.author, story.reason, **story.settings)
        return await self.await_figures(story.symptom)

    async def await_alert(self, name: str, service: str = "api-server") -> None:
        """Wait until an alert fires."""
        await self.await_figures(f'ALERTS{{alertname="{name}",service="{service}",alertstate="firing"}}')

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

    async def _start(self) -> None:
        if not self.env_file.exists():
            shutil.copy(CONFIG / "api-server.env", self.env_file)
        if self._paged:
            self._bot_port, self._alertmanager_port = free_port(), free_port()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_metrics())
                group.create_task(self._start_slack())
                if self._real_model is None:
                    group.create_task(self._start_model())
                if self._paged:
                    group.create_task(self._start_pager())
                    group.create_task(self._start_confluence())
                    group.create_task(self._start_alertmanager())
            if self._paged:
                self._accounts = await self._account_settings()
            async with asyncio.TaskGroup() as group:
                group.create_task(self.await_figures(FIRST_FIGURES))
                group.create_task(self.start_bot())
        except ExceptionGroup as failed:  # not `except*`: what that raises is a group again before Python 3.11.4
            expected, rest = failed.split((NotReady, OSError, aiohttp.ClientError))
            if rest or not expected:
                raise
            raise most_telling(expected) from None

    async def _start_metrics(self) -> None:
        command = [sys.executable, str(ROOT / "scripts" / "metric_logging.py"), "--port", "0"]
        command += ["--env-file", str(self.env_file), "--state-dir", str(self.folder / "fleet")]
        command += ["--requests-per-second", str(self._requests_per_second)]
        self.fleet = await self._start_part("fleet", command, r"listening on (http://\S+)")
        target = self.fleet.found.removeprefix("http://")
        config = prometheus.write_config(CONFIG / "prometheus.yml", target, self.folder)
        if self._alertmanager_binary:
            alertmanager.notify(config, f"127.0.0.1:{self._alertmanager_port}")
        if self._past:
            await self._past(self.fleet.found, self.folder / "prometheus")
        command = prometheus.command("prometheus", config, self.folder / "prometheus", 0)
        self.prometheus = await self._start_part("prometheus", command, r"msg=\"Listening on\" address=(\S+)")
        self.prometheus.found = f"http://{self.prometheus.found}"

    async def _start_alertmanager(self) -> None:
        if binary := self._alertmanager_binary:
            config = alertmanager.write_config(CONFIG / "alertmanager.yml", self.folder)
            command = alertmanager.command(binary, config, self.folder / "alertmanager", self._alertmanager_port)
            self.alertmanager = await self._start_part("alertmanager", command, alertmanager.READY)
            self.alertmanager.found = f"http://{self.alertmanager.found}"

    async def _start_pager(self) -> None:
        await self._start_pagerduty()
        await self.subscribe_to_pages(f"http://127.0.0.1:{self._bot_port}")

    @property
    def _alertmanager_binary(self) -> str | None:
        return alertmanager.find_binary() if self._paged else None

    def _bot_environment(self) -> dict[str, str]:
        redeploy = [sys.executable, str(ROOT / "scripts" / "redeploy.py"), self.fleet.found, "{service}", *SIGNED]
        return {
            **(self._playbook_settings() if self._real_model is None else self._real_model),
            **self._slack_settings(),
            **self._accounts,
            "SLACK_APPROVERS": ",".join(self.world["users"][name] for name in self._approvers),
            "PROMETHEUS_URL": self.prometheus.found,
            **({"ALERTMANAGER_URL": self.alertmanager.found} if self.alertmanager else {}),
            "FLEET_URL": self.fleet.found,
            "SRE_ENV_DIR": str(self.folder),
            "REDEPLOY_COMMAND": shlex.join(redeploy),
            "WEBHOOK_PORT": str(self._bot_port),
            "DATABASE_URL": f"sqlite:///{self.folder / 'sre_bot.db'}",
            **self._bot_settings,
        }


def real_model_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """The variables of the real model where a key is set; None for the playbook."""
    names = ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "SRE_MODEL")
    return {name: environ[name] for name in names if name in environ} if environ.get("ANTHROPIC_API_KEY") else None
