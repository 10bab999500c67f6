"""Our MCP server from its start to a complete `tools/list`, beside a one-tool server and a packaged one.

Each is a fresh process every time, by turns, spoken to over its pipes in plain JSON-RPC. The packaged one is installed
into an environment of its own below var/bench, never into ours; where it cannot be had, it is left out and said so.
"""

import json
import os
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any

from benchmarks.footprint import resident_mb
from benchmarks.tables import Table, spread
from sandbox.processes import INHERITED
from sandbox.stack import ROOT

PEER = "prometheus-mcp-server"
PEER_VERSION = "1.6.2"
PEER_FOLDER = ROOT / "var" / "bench" / PEER
INSTALL_TIMEOUT = 300.0  # seconds
ANSWER_TIMEOUT = 60.0  # seconds
EXIT_TIMEOUT = 10.0  # seconds
ENVIRONMENT = {"PROMETHEUS_URL": "http://127.0.0.1:9", "FLEET_URL": "http://127.0.0.1:9", "SRE_ENV_FILE": ""}
"""Backends that nobody listens for: no server calls one before its first tool call."""
INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds, processor seconds, MB resident, bytes and number of tools, seconds and status of the end."""

    seconds: float
    cpu: float
    resident: float
    listed: int
    tools: int
    ending: float
    status: int


def measure(runs: int) -> list[Table]:
    """`runs` starts of each server, by turns, after one that is not counted."""
    servers = local_servers()
    peer, missing = _install_peer()
    return [compare(servers | ({PEER: peer} if peer else {}), runs, missing)]


def local_servers() -> dict[str, list[str]]:
    """The servers that need no installation: name -> command."""
    return {
        "ours": [sys.executable, str(ROOT / "sre_mcp_server.py")],
        "one tool": [sys.executable, str(ROOT / "benchmarks" / "one_tool_server.py")],
    }


def compare(servers: dict[str, list[str]], runs: int, note: str = "") -> Table:
    """Start each server `runs` times, by turns, and put the figures beside each other."""
    starts: dict[str, list[Start]] = {name: [] for name in servers}
    for number in range(runs + 1):
        for name, command in servers.items():
            start = start_once(command)
            print(f"  {name}: {start}", file=sys.stderr, flush=True)
            if number:  # the first reads the files from disk and writes bytecode
                starts[name].append(start)
    ours = median(start.seconds for start in starts["ours"])
    rows = [[name, *_cells(found), f"{median(s.seconds for s in found) / ours:.2f}"] for name, found in starts.items()]
    header = ["", "tools/list complete, s", "processor, s", "resident, MB", "tools", "bytes", "bytes per tool"]
    header += ["ends on EOF, s (status)", "time / ours"]
    return Table(f"MCP servers over stdio, medians of {runs} starts", header, rows, note)


def _cells(starts: Sequence[Start]) -> list[str]:
    last = starts[-1]
    return [
        spread([start.seconds for start in starts]),
        spread([start.cpu for start in starts]),
        spread([start.resident for start in starts], 0),
        str(last.tools),
        f"{last.listed:,}",
        f"{last.listed // last.tools:,}",
        f"{spread([start.ending for start in starts])} ({last.status})",
    ]


def start_once(command: Sequence[str], environment: Mapping[str, str] = ENVIRONMENT) -> Start:
    """Start a server, initialize it, list its tools, close its input and see how it ends."""
    inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**inherited, **environment},
    )
    watchdog = threading.Timer(ANSWER_TIMEOUT, process.kill)
    watchdog.start()
    try:
        assert process.stdin
        assert process.stdout
        _send(process.stdin, {"id": 1, "method": "initialize", "params": INITIALIZE})
        _receive(process.stdout, 1)
        _send(process.stdin, {"method": "notifications/initialized"})
        _send(process.stdin, {"id": 2, "method": "tools/list"})
        line = _receive(process.stdout, 2)
        seconds, resident = time.monotonic() - began, resident_mb(process.pid)
        process.stdin.close()
        closed = time.monotonic()
        watchdog.cancel()
        cpu = _end(process)
    finally:
        watchdog.cancel()
        process.kill()  # nothing where it has ended
    tools = json.loads(line)["result"]["tools"]
    return Start(seconds, cpu, resident, len(line), len(tools), time.monotonic() - closed, process.returncode)


def _send(pipe: IO[bytes], message: dict[str, Any]) -> None:
    pipe.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    pipe.flush()


def _receive(pipe: IO[bytes], number: int) -> bytes:
    """The line that answers request `number`; what a server says unasked is passed over."""
    for line in pipe:
        if json.loads(line).get("id") == number:
            return line
    raise RuntimeError("the server ended, or was silent for too long, before it answered")


def _end(process: subprocess.Popen[bytes]) -> float:
    """Wait until it ends, by force when it must be; gives the processor seconds of its whole life."""
    killer = threading.Timer(EXIT_TIMEOUT, process.kill)
    killer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        killer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _install_peer() -> tuple[list[str], str]:
    """The packaged server's command, or none and the reason."""
    program = PEER_FOLDER / "bin" / PEER
    wanted = f"{PEER}=={PEER_VERSION}"
    if not program.exists():
        print(f"  installing {wanted} into {PEER_FOLDER.relative_to(ROOT)} …", file=sys.stderr, flush=True)
        venv.create(PEER_FOLDER, with_pip=True, clear=True)
        command = [str(Path(PEER_FOLDER, "bin", "python")), "-m", "pip", "install", "-qq", wanted]
        try:
            subprocess.run(command, check=True, timeout=INSTALL_TIMEOUT)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return [], f"{wanted} is not in the table: it could not be installed (is the package registry reachable?)."
    return [str(program)], f"{wanted} is the packaged server, in an environment of its own."
