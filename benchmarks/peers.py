"""Packaged MCP servers of others for the systems that ours reads, each installed into an environment of its own.

They live below var/bench, never in our environment, at the versions named here. All that they reach is on loopback.
"""

import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.backends import LENIENT_PAGERDUTY
from sandbox.stack import ROOT

FOLDER = ROOT / "var" / "bench"
INSTALL_TIMEOUT = 600.0  # seconds
QUIET = {"FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_SHOW_SERVER_BANNER": "false"}
"""FastMCP's own look for updates over the network would be counted as the start of a server."""


@dataclass(frozen=True)
class Peer:
    """A packaged server; `python` is the version that it insists on, where ours does not suit it."""

    package: str
    version: str
    python: str = ""

    @property
    def program(self) -> Path:
        """Its command, once it is installed."""
        return FOLDER / self.package / "bin" / self.package

    def install(self) -> str:
        """Install it unless it is there; gives the reason where it cannot be, else nothing."""
        if self.program.exists():
            return ""
        if not (interpreter := find_python(self.python)):
            return f"{self.package} {self.version} is left out: it needs Python {self.python}, which is not here."
        folder = FOLDER / self.package
        print(
            f"  installing {self.package} {self.version} into {folder.relative_to(ROOT)} …", file=sys.stderr, flush=True
        )
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", f"{self.package}=={self.version}"]
        try:
            _make_environment(folder, interpreter)
            subprocess.run(install, check=True, timeout=INSTALL_TIMEOUT)
        except (OSError, subprocess.SubprocessError):
            return (
                f"{self.package} {self.version} is left out: it could not be installed "
                "(is the package registry reachable?)."
            )
        return ""


PROMETHEUS = Peer("prometheus-mcp-server", "1.6.2")
PAGERDUTY = Peer("pagerduty-mcp", "1.1.0", python="3.12")
ATLASSIAN = Peer("mcp-atlassian", "0.23.1")
PEERS = (PROMETHEUS, PAGERDUTY, ATLASSIAN)


def install_peers(peers: Sequence[Peer] = PEERS) -> tuple[list[Peer], str]:
    """Those that are installed now, and a sentence for each that is not."""
    reasons = {peer: peer.install() for peer in peers}
    return [peer for peer, reason in reasons.items() if not reason], " ".join(filter(None, reasons.values()))


def find_python(version: str) -> str:
    """An interpreter of `version` (ours for an empty one), or nothing."""
    if not version:
        return sys.executable
    known = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    return next((found for found in known if found and _runs(found)), "")


def settings_of_peers(backends: Mapping[str, str]) -> dict[str, str]:
    """What the peers are told, from the settings of ours, so that all ask the same systems."""
    return QUIET | {
        "PROMETHEUS_URL": backends["PROMETHEUS_URL"],
        "PAGERDUTY_USER_API_KEY": backends["PAGERDUTY_API_KEY"],
        "PAGERDUTY_API_HOST": backends[LENIENT_PAGERDUTY],
        "CONFLUENCE_URL": backends["CONFLUENCE_BASE_URL"],
        "CONFLUENCE_USERNAME": backends["CONFLUENCE_USER_EMAIL"],
        "CONFLUENCE_API_TOKEN": backends["CONFLUENCE_API_TOKEN"],
    }


def _make_environment(folder: Path, interpreter: str) -> None:
    if interpreter == sys.executable:
        venv.create(folder, with_pip=True, clear=True)
    else:
        subprocess.run([interpreter, "-m", "venv", "--clear", str(folder)], check=True, timeout=INSTALL_TIMEOUT)


def _runs(program: str) -> bool:
    """Whether it starts: what version managers put on PATH need not."""
    return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
