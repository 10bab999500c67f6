"""How large and how late the tools' answers are when the systems behind them hold far more than anybody reads.

A real Prometheus holds 10,000 series of the shipped catalog's own metrics, each of which fires an alert, and a Loki
stand-in 100,000 lines of one burst.
"""

import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from mcp import Client

from benchmarks.backends import Backends, get, post, serve
from benchmarks.calls import OURS, Call, Outcome, ask, connect
from benchmarks.peers import PROMETHEUS, QUIET, Peer
from benchmarks.tables import Table, spread
from sre_bot.tools.offer import describe_tools

SERIES = 10_000
LINES = 100_000
PUSHED = 10_000  # lines at once
READY_TIMEOUT = 90.0  # seconds
SERVICES = ("api-server", "payment-svc", "auth-svc", "postgres")
MESSAGES = (
    "GET /api/v1/orders/{n} failed after {n} ms: could not get a database connection",
    "payment {n} declined by upstream 10.0.0.{n}",
    "retry {n} of job {n}",
    "",  # words at random
)
WORDS = ["".join(letters) for letters in itertools.product("bdfklmnt", "aeiou", "rsv", "aeo")]
METRIC = "http_requests_total"
CALLS: Sequence[tuple[Call, Call | None]] = (
    (Call("query_metrics", {"query": METRIC}), Call("execute_query", {"query": METRIC})),
    (
        Call("query_metrics", {"query": f"rate({METRIC}[1m])", "start": "-15m"}),
        Call("execute_range_query", {"query": f"rate({METRIC}[1m])", "step": "30s"}),
    ),
    (Call("list_metrics", {}), Call("list_metrics", {})),
    (Call("get_alerts", {}), Call("execute_query", {"query": "ALERTS"})),
    (Call("get_service_health", {}), None),
    (Call("execute_runbook", {"name": "elevated-error-rates"}), None),
    (Call("get_logs", {"since": "-1h"}), None),
    (Call("get_logs", {"since": "-1h", "limit": 100}), None),
)
"""Ours, and what asks the peer the same; of a range its ends are added."""


def measure_bounds(runs: int, peers: Sequence[Peer] = ()) -> Table:
    """Every call `runs` times."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
        return tabulate(asyncio.run(_measure(Path(folder), runs, PROMETHEUS in peers)))


def tabulate(outcomes: Mapping[str, list[Outcome]]) -> Table:
    """A row for each call of ours; a peer's outcomes have its name before the call's."""
    limits = {spec.name: spec.limit for spec in describe_tools()}
    rows = []
    for ours, theirs in CALLS:
        found, others = outcomes[name(ours)], outcomes.get(f"{PROMETHEUS.package} {name(theirs)}" if theirs else "", [])
        row = [f"`{name(ours)}`", _largest(found), f"{limits[ours.tool]:,}", spread([each.seconds for each in found])]
        rows.append([*row, _largest(others), spread([each.seconds for each in others])])
    title = f"Answers from {SERIES:,} series, as many firing alerts, and {LINES:,} log lines"
    header = ["call", "characters", "limit", "seconds", f"{PROMETHEUS.package}, characters", "its seconds"]
    note = f"Of a range the peer is asked with a step of 30 s. Characters are the largest of {len(found)} answers."
    return Table(title, header, rows, note)


def _largest(found: Sequence[Outcome]) -> str:
    if any(each.failed for each in found):
        return "failed"
    return f"{max(len(each.text) for each in found):,}" if found else ""


async def _measure(folder: Path, runs: int, peer: bool) -> Mapping[str, list[Outcome]]:
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    async with AsyncExitStack() as parts:
        http = await parts.enter_async_context(aiohttp.ClientSession())
        backends = Backends(folder, parts)
        loki = await backends.start_standin("loki")
        target = await parts.enter_async_context(_target())
        prometheus = await backends.start_prometheus(_configure(folder, target))
        await _await_series(http, prometheus)
        await _push(http, loki)
        settings = {"SRE_ENV_FILE": "", "PROMETHEUS_URL": prometheus, "LOKI_URL": loki}
        ours = await parts.enter_async_context(connect(OURS, settings, folder / "ours.log"))
        theirs = (
            await parts.enter_async_context(connect([str(PROMETHEUS.program)], QUIET | settings, folder / "peer.log"))
            if peer
            else None
        )
        for _ in range(runs):
            for our, their in CALLS:
                outcomes[name(our)].append(await _ask(ours, our))
                if theirs and their:
                    outcomes[f"{PROMETHEUS.package} {name(their)}"].append(await _ask(theirs, their))
    return outcomes


async def _ask(client: Client, call: Call) -> Outcome:
    now = time.time()
    ends = {"start": str(now - 900), "end": str(now)} if "step" in call.arguments else {}
    outcome = await ask(client, Call(call.tool, {**call.arguments, **ends}))
    failed = f", FAILED: {outcome.text[:200]}" if outcome.failed else ""
    told = f"  {name(call)}: {len(outcome.text):,} in {outcome.seconds:.2f} s{failed}"
    print(told, file=sys.stderr, flush=True)
    return outcome


def name(call: Call) -> str:
    """`get_logs(limit=100)`."""
    return f"{call.tool}({', '.join(f'{key}={value}' for key, value in call.arguments.items())})"


@asynccontextmanager
async def _target() -> AsyncIterator[str]:
    """Serves SERIES series; gives its host and port."""
    lines = [f"# TYPE {METRIC} counter"]
    for number in range(SERIES):
        status = "500" if number % 3 == 0 else "200"
        labels = f'service="{SERVICES[number % len(SERVICES)]}",status="{status}",pod="pod-{number:05}"'
        lines.append(f"{METRIC}{{{labels}}} {{}}")
    body = "\n".join([*lines, ""])

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=body.replace("} {}", f"}} {time.time():.0f}"))

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    async with serve(application) as address:
        yield address.removeprefix("http://")


def _configure(folder: Path, target: str) -> Path:
    """A configuration that scrapes the target and has an alert for each of its series."""
    labels = {"severity": "critical"}
    rule = {"alert": "EverySeries", "expr": f"{METRIC} > 0", "labels": labels, "annotations": {"summary": "It counts"}}
    rules = folder / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "many", "rules": [rule]}]}), encoding="utf-8")
    jobs = [{"job_name": "many", "static_configs": [{"targets": [target]}]}]
    intervals = {"scrape_interval": "5s", "evaluation_interval": "5s"}
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump({"global": intervals, "rule_files": [str(rules)], "scrape_configs": jobs}))
    return config


async def _await_series(http: aiohttp.ClientSession, prometheus: str) -> None:
    """Wait until every series has a rate and fires."""
    for query in (f"count(rate({METRIC}[1m]))", "count(ALERTS)"):
        async with asyncio.timeout(READY_TIMEOUT):
            while await _count(http, prometheus, query) < SERIES:
                await asyncio.sleep(0.5)


async def _count(http: aiohttp.ClientSession, prometheus: str, query: str) -> float:
    try:
        found: Any = (await get(http, f"{prometheus}/api/v1/query", query=query))["data"]["result"]
    except aiohttp.ClientResponseError:  # it is still reading its storage
        return 0.0
    return float(found[0]["value"][1]) if found else 0.0


async def _push(http: aiohttp.ClientSession, loki: str) -> None:
    """LINES lines of the last minutes: a few messages over and over, and every fourth line is like no other."""
    now = time.time_ns()
    words = random.Random(1)  # the same lines in every run
    for start in range(0, LINES, PUSHED):
        streams: dict[str, list[list[str]]] = defaultdict(list)
        for number in range(start, start + PUSHED):
            message = MESSAGES[number % 4].format(n=number) or " ".join(words.choices(WORDS, k=8))
            streams[SERVICES[number % 4]].append([str(now - number * 2_000_000), message])
        body = [
            {"stream": {"service_name": service, "detected_level": "error"}, "values": values}
            for service, values in streams.items()
        ]
        await post(http, f"{loki}/loki/api/v1/push", {"streams": body})
