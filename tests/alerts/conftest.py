"""A real Prometheus whose rules fire on a target of ours, and a real Alertmanager that it notifies."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import yaml
from aiohttp import web

from sandbox import alertmanager, prometheus
from sandbox.processes import Child
from sre_bot.clients.alertmanager import Alertmanager
from sre_bot.clients.prometheus import Prometheus
from sre_bot.settings import ROOT, AlertmanagerSettings, PrometheusSettings

RULES = {
    "groups": [
        {
            "name": "test",
            "rules": [
                {
                    "alert": name,
                    "expr": f"{metric} > 0",
                    "for": duration,
                    "keep_firing_for": "1m",  # a scrape that comes too late on a busy machine resolves nothing
                    "labels": {"severity": "critical"},
                    "annotations": {
                        "summary": f"{name} of {{{{ $labels.service }}}}",
                        "runbook": "elevated-error-rates",
                    },
                }
                for name, metric, duration in (
                    ("HighErrorRate", "failing", "0s"),
                    ("ServiceDown", "down", "0s"),
                    ("HighCpu", "busy", "1h"),
                )
            ],
        }
    ]
}


@dataclass
class Target:
    """What Prometheus scrapes: (metric, service) to a figure."""

    figures: dict[tuple[str, str], float] = field(default_factory=dict)

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            text="".join(f'{name}{{service="{service}"}} {value}\n' for (name, service), value in self.figures.items())
        )


@dataclass
class Watch:
    """The running pair and its target."""

    target: Target
    prometheus_url: str
    alertmanager_url: str

    def rules(self) -> Prometheus:
        return Prometheus(PrometheusSettings.model_validate({"PROMETHEUS_URL": self.prometheus_url}))

    def routing(self) -> Alertmanager:
        return Alertmanager(AlertmanagerSettings.model_validate({"ALERTMANAGER_URL": self.alertmanager_url}))

    async def silence(self, matchers: dict[str, str], seconds: float, author: str, comment: str) -> None:
        start = time.time()
        body = {
            "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in matchers.items()],
            "startsAt": _rfc3339(start),
            "endsAt": _rfc3339(start + seconds),
            "createdBy": author,
            "comment": comment,
        }
        async with httpx2.AsyncClient(trust_env=False) as client:
            (await client.post(f"{self.alertmanager_url}/api/v2/silences", json=body)).raise_for_status()


def _rfc3339(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def watch(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watch]:
    binaries = {name: shutil.which(name) for name in ("prometheus", "prometheus-alertmanager")}
    if absent := [name for name, path in binaries.items() if path is None]:
        pytest.skip(f"no {' and no '.join(absent)} on PATH: `make` installs them where it can")
    folder, target = tmp_path_factory.mktemp("alerts"), Target()
    application = web.Application()
    application.router.add_get("/metrics", target.metrics)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = alertmanager.write_config(ROOT / "config" / "alertmanager.yml", folder)
    command = alertmanager.command(str(binaries["prometheus-alertmanager"]), config, folder / "alertmanager", 0)
    notified = await Child.start("alertmanager", command, ready=alertmanager.READY, log_dir=folder)
    evaluating = None
    try:
        config = _prometheus_config(folder, "{}:{}".format(*runner.addresses[0][:2]), notified.found)
        command = prometheus.command(str(binaries["prometheus"]), config, folder / "prometheus", 0)
        evaluating = await Child.start(
            "prometheus", command, ready=r"msg=\"Listening on\" address=(\S+)", log_dir=folder
        )
        yield Watch(target, f"http://{evaluating.found}", f"http://{notified.found}")
    finally:
        await asyncio.gather(*(child.stop() for child in (notified, evaluating) if child is not None))
        await runner.cleanup()


def _prometheus_config(folder: Path, target: str, notified: str) -> Path:
    (folder / "rules.yml").write_text(yaml.safe_dump(RULES), encoding="utf-8")
    config: dict[str, Any] = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
        | {"external_labels": {"region": "eu"}},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "test", "static_configs": [{"targets": [target]}]}],
    }
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    alertmanager.notify(path, notified)
    return path
