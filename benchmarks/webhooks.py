"""Accepted webhooks per second, each on disk before it is answered, beside a listener that keeps nothing.

The listener is a process of its own, and this one sends: signed events of PagerDuty, each another one, on connections
that stay open and send the next event when the last one is answered.
"""

import asyncio
import hmac
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

from benchmarks.backends import LISTENS
from benchmarks.databases import make_databases
from benchmarks.tables import Table, spread
from sandbox.pagerduty.account import SERVICES, Account
from sandbox.pagerduty.events import write_event
from sandbox.processes import Child
from sandbox.stack import ROOT

CONNECTIONS = (1, 16, 64)
REQUESTS = 2_000
SECRET = "a-secret-of-a-benchmark"  # noqa: S105  (opens nothing)
NOTHING = "nothing kept"


@dataclass(frozen=True, slots=True)
class Run:
    """One run: accepted webhooks per second, and the time to an answer in ms."""

    per_second: float
    p50: float
    p99: float


Found = dict[tuple[str, int], list[Run]]


def measure(runs: int, *, requests: int = REQUESTS, connections: Sequence[int] = CONNECTIONS) -> list[Table]:
    """Everything by turns, `runs` times; PostgreSQL where it is installed.

    Args:
        runs: how often.
        requests: sent in one run.
        connections: how many send at the same time.
    """
    found: Found = {}
    for number in range(runs):
        with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
            for (name, many), run in asyncio.run(_measure(Path(folder), requests, connections)).items():
                print(f"  {number + 1}: {name}, {many} connections: {run}", file=sys.stderr, flush=True)
                found.setdefault((name, many), []).append(run)
    return [tabulate(found, requests)]


def tabulate(found: Found, requests: int) -> Table:
    """One row for each database and number of connections."""
    rows = [
        [
            f"{name}, {many}",
            spread([run.per_second for run in runs], 0),
            _ratio(runs, found[(NOTHING, many)]),
            spread([run.p50 for run in runs], 1),
            spread([run.p99 for run in runs], 1),
        ]
        for (name, many), runs in found.items()
    ]
    header = ["kept in, connections", "accepted/s", "of nothing kept", "P50, ms", "P99, ms"]
    note = f"{requests:,} events of PagerDuty a run, each on disk before it is answered. PagerDuty waits 5 s."
    return Table("Accepted webhooks", header, rows, note)


async def _measure(folder: Path, requests: int, connections: Sequence[int]) -> dict[tuple[str, int], Run]:
    found = {}
    async with AsyncExitStack() as parts:
        urls: dict[str, str | None] = {NOTHING: None, **await make_databases(folder, parts)}
        for name, url in urls.items():
            for many, run in (await measure_one(folder, url, requests, connections)).items():
                found[(name, many)] = run
    return found


async def measure_one(folder: Path, url: str | None, requests: int, connections: Sequence[int]) -> dict[int, Run]:
    """A listener on one database, which may hold anything: the events of every run are new ones.

    Args:
        folder: for its log.
        url: of the database; None keeps nothing.
        requests: sent in one run.
        connections: how many send at the same time.
    """
    command = [sys.executable, "-m", "benchmarks.webhook_listener", SECRET, *([url] if url else [])]
    child = await Child.start("listener", command, ready=LISTENS, log_dir=folder, env={"PYTHONPATH": str(ROOT)})
    try:
        return {many: await send(child.found, _requests(child.found, requests), many) for many in connections}
    finally:
        await child.stop()


async def send(url: str, requests: list[bytes], connections: int) -> Run:
    """Send every request once.

    Raises:
        RuntimeError: one was not accepted.
    """
    waiting = iter(requests)
    seconds: list[float] = []
    host, port = urlsplit(url).hostname, urlsplit(url).port

    async def work() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 202"):
                raise RuntimeError(f"a webhook was not accepted: {head[:60]!r}")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
            seconds.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(work())
    passed = time.perf_counter() - began
    cuts = quantiles(seconds, n=100)
    return Run(len(requests) / passed, 1000 * cuts[49], 1000 * cuts[98])


def _requests(url: str, count: int) -> list[bytes]:
    """Signed requests, made before the clock runs; about 1.3 KB each, as PagerDuty's are."""
    account = Account()
    service = next(iter(SERVICES.values()))
    incident = account.open("api-server: 5xx above 5 %", service, "high", "", service)
    bodies = (json.dumps(write_event("incident.triggered", incident, service)).encode() for _ in range(count))
    return [_request(url, body) for body in bodies]


def _request(url: str, body: bytes) -> bytes:
    signature = hmac.new(SECRET.encode(), body, sha256).hexdigest()
    lines = [
        "POST /webhooks/pagerduty HTTP/1.1",
        f"Host: {urlsplit(url).netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-PagerDuty-Signature: v1={signature}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _ratio(runs: list[Run], bare: list[Run]) -> str:
    return f"{median(run.per_second for run in runs) / median(run.per_second for run in bare):.2f}"
