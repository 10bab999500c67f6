"""The tools beside packaged servers for the same systems: what their lists cost, what their answers cost, the bounds.

The peers are installed as `peers.py` says; where one cannot be had it is left out of the tables and said so below them.
"""

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import aiohttp

from benchmarks.backends import NOWHERE, accounts
from benchmarks.bounds import measure_bounds
from benchmarks.calls import OURS
from benchmarks.investigation import compare_investigations
from benchmarks.mcp_servers import Start, start_once
from benchmarks.peers import PAGERDUTY, PEERS, Peer, install_peers, settings_of_peers
from benchmarks.tables import Table, spread

LISTED = {"ALERTMANAGER_URL": NOWHERE, "LOKI_URL": NOWHERE, "DEPLOYMENTS_URL": NOWHERE, "SRE_ENV_FILE": ""}
WRITES = ["--allow-changes=client"]


def measure(runs: int) -> list[Table]:
    """All three tables; `runs` starts of each server."""
    peers, missing = install_peers(PEERS)
    return [compare_lists(peers, runs, missing), compare_investigations(peers), measure_bounds(runs, peers)]


def compare_lists(peers: Sequence[Peer], runs: int, missing: str = "") -> Table:
    """Start every server `runs` times, by turns, after one that is not counted."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
        starts = asyncio.run(_start_all(Path(folder), peers, runs))
    ours = next(iter(starts.values()))
    rows = [[label, *_cells(found, ours)] for label, found in starts.items()]
    header = ["", "tools", "bytes of tools/list", "bytes per tool", "tools/list complete, s", "processor, s"]
    header += ["resident, MB", "time / ours"]
    return Table(f"All tools configured, medians of {runs} starts", header, rows, missing)


async def _start_all(folder: Path, peers: Sequence[Peer], runs: int) -> Mapping[str, list[Start]]:
    async with AsyncExitStack() as parts:
        http = await parts.enter_async_context(aiohttp.ClientSession())
        known = {"PROMETHEUS_URL": NOWHERE, **await parts.enter_async_context(accounts(folder, http))}
        theirs = settings_of_peers(known)
        servers: dict[str, tuple[list[str], dict[str, str]]] = {"ours, with writes": (OURS + WRITES, LISTED | known)}
        for peer in peers:
            writes = ["--enable-write-tools"] if peer is PAGERDUTY else []
            servers[f"{peer.package} {peer.version}"] = ([str(peer.program), *writes], theirs)
        starts: dict[str, list[Start]] = {label: [] for label in servers}
        for number in range(runs + 1):
            for label, (command, settings) in servers.items():
                start = await asyncio.to_thread(start_once, command, settings)
                print(f"  {label}: {start}", file=sys.stderr, flush=True)
                if number:  # the first reads the files from disk and writes bytecode
                    starts[label].append(start)
        return starts


def _cells(found: Sequence[Start], ours: Sequence[Start]) -> list[str]:
    last = found[-1]
    seconds = [start.seconds for start in found]
    return [
        str(last.tools),
        f"{last.listed:,}",
        f"{last.listed // last.tools:,}",
        spread(seconds),
        spread([start.cpu for start in found]),
        spread([start.resident for start in found], 0),
        f"{median(seconds) / median(start.seconds for start in ours):.2f}",
    ]
