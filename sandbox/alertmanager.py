"""Runs the real Alertmanager, which notifies nobody, and points a Prometheus at it.

Clustering is off: it would listen on a second port of every interface.
"""

import shutil
from pathlib import Path

import yaml

READY = r"msg=\"Listening on\" address=(\S+)"
"""The line, and in it the address, that says that it listens (Alertmanager 0.25)."""

BINARIES = ("prometheus-alertmanager", "alertmanager")
"""Debian's name, and that of the official release."""


def find_binary() -> str | None:
    """Where Alertmanager is; None where it is not installed."""
    return next(filter(None, map(shutil.which, BINARIES)), None)


def write_config(shipped: Path, out_dir: Path) -> Path:
    """Write a copy of `shipped` into `out_dir` in which no receiver sends anything; gives its path."""
    config = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    config["receivers"] = [{"name": receiver["name"]} for receiver in config["receivers"]]
    copy = out_dir / "alertmanager.yml"
    copy.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return copy


def notify(prometheus_config: Path, target: str) -> None:
    """Change a Prometheus configuration so that its alerts go to the Alertmanager at `target` (host:port)."""
    config = yaml.safe_load(prometheus_config.read_text(encoding="utf-8"))
    config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [target]}]}]}
    prometheus_config.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def command(binary: str, config: Path, data_dir: Path, port: int) -> list[str]:
    """The argument vector that runs Alertmanager on loopback, with its data in `data_dir`."""
    return [
        binary,
        f"--config.file={config}",
        f"--storage.path={data_dir}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
