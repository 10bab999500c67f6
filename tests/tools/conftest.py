"""Doubles of the four sources, and a real Prometheus that scrapes a target of 10,000 series."""

import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from sre_bot.catalog import Catalog, load_catalog
from sre_bot.clients.deployments import Deployment
from sre_bot.clients.logs import LEVELS, LogLine, LogPage, LogQuery
from sre_bot.clients.prometheus import AlertRule, Metric, Series
from sre_bot.settings import ROOT

MANY = 10_000

Answer = Sequence[Series] | Exception


@dataclass
class FakeMetrics:
    """Answers each query by the first key of `answers` that it contains; nothing matches: no series."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    names: Sequence[str] = ()
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rules: Sequence[AlertRule] = ()
    asked: list[str] = field(default_factory=list)

    async def query(self, promql: str, at: float | None = None) -> list[Series]:
        self.asked.append(promql)
        found = next((answer for part, answer in self.answers.items() if part in promql), ())
        if isinstance(found, Exception):
            raise found
        return list(found)

    async def query_range(self, promql: str, start: float, end: float, step: float) -> list[Series]:
        return await self.query(promql)

    async def metric_names(self) -> list[str]:
        return list(self.names)

    async def label_values(self, label: str, selector: str | None = None) -> list[str]:
        return list(self.values.get(selector or "", ()))

    async def metadata(self) -> dict[str, Metric]:
        return {"http_requests": Metric("http_requests", "counter", "Requests answered.")}

    async def alert_rules(self) -> list[AlertRule]:
        return list(self.rules)


@dataclass
class FakeLogs:
    """Holds lines and gives them in pages; after the last one it may fail."""

    lines: Sequence[LogLine] = ()
    dropped: int = 0
    unread: int = 0
    page: int = 1_000
    failure: Exception | None = None
    pages_given: int = 0

    async def read(self, wanted: LogQuery) -> AsyncGenerator[LogPage, None]:
        lesser = LEVELS[: LEVELS.index(wanted.level)] if wanted.level else ()
        found = [
            line
            for line in self.lines
            if line.time >= wanted.since
            and wanted.service in (None, line.service)
            and line.level not in lesser
            and wanted.contains.casefold() in line.message.casefold()
        ]
        for start in range(0, len(found), self.page):
            self.pages_given += 1
            yield LogPage(found[start : start + self.page])
        if self.failure:
            raise self.failure
        yield LogPage((), self.unread, self.dropped)


@dataclass
class FakeDeployments:
    """Holds deployments, newest first."""

    entries: Sequence[Deployment] = ()

    async def recent(self, service: str | None, since: float, limit: int) -> Sequence[Deployment]:
        return [e for e in self.entries if e.time >= since and service in (None, e.service)][:limit]


def one(service: str, value: float) -> Series:
    return Series({"service": service}, [(time.time(), value)])


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog(ROOT / "config")


class _Target(http.server.BaseHTTPRequestHandler):
    body = "".join(
        ["# TYPE load gauge\n", *(f'load{{service="svc-{n % 4}",series="{n:05}"}} {n}\n' for n in range(MANY))]
    ).encode()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus of our own, ready once it holds MANY series of `load`."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("no prometheus on PATH: `make` installs it where it can")
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Target)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    folder = tmp_path_factory.mktemp("prometheus")
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 5s}\nscrape_configs:\n  - job_name: many\n    static_configs:\n"
        f"      - targets: ['127.0.0.1:{target.server_port}']\n"
    )
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
            env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        )
    try:
        _await_series(url, process, folder / "log")
        yield url
    finally:
        process.terminate()
        process.wait()
        target.shutdown()
        target.server_close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_series(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    with httpx2.Client(base_url=url, trust_env=False) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                found = client.get("/api/v1/query", params={"query": "count(load)"}).json()["data"]["result"]
            except (httpx2.HTTPError, ValueError, KeyError):
                found = []
            if found and float(found[0]["value"][1]) == MANY:
                return
            time.sleep(0.1)
    pytest.fail(f"Prometheus did not come up:\n{log.read_text()[-2000:]}")
