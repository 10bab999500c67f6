"""Runs the shipped Prometheus configuration against a fleet on another port.

The sandbox's ports are chosen at its start, so the file under config/ cannot name them. The copy made
here differs in the fleet's target and in absolute rule files; everything else is what is shipped.
"""

import asyncio
from pathlib import Path

import aiohttp
import yaml

JOB = "fleet"
READY_TIMEOUT = 60.0  # seconds; it listens before it has read its storage, and answers 503 until then


class ConfigError(Exception):
    """The shipped configuration has no job to point at the fleet."""


def write_config(shipped: Path, target: str, out_dir: Path) -> Path:
    """Write a copy of `shipped` into `out_dir` that scrapes the fleet at `target` (host:port).

    Returns the path of the copy. Raises ConfigError when `shipped` has no job called "fleet".
    """
    config = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    jobs = [job for job in config.get("scrape_configs") or [] if job.get("job_name") == JOB]
    if not jobs:
        raise ConfigError(f"{shipped} has no scrape job called {JOB!r}; the sandbox needs it to find its fleet.")
    for job in jobs:
        job["static_configs"] = [{"targets": [target]}]
    # Joining leaves a rule file that is absolute already as it is.
    config["rule_files"] = [str(shipped.resolve().parent / rule) for rule in config.get("rule_files") or []]
    copy = out_dir / "prometheus.yml"
    copy.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return copy


def command(binary: str, config: Path, data_dir: Path, port: int) -> list[str]:
    """The argument vector that runs Prometheus on loopback, with its data in `data_dir`.

    With port 0 Prometheus takes a free one and names it in its log: msg="Listening on" address=….
    """
    return [
        binary,
        f"--config.file={config}",
        f"--storage.tsdb.path={data_dir}",
        "--storage.tsdb.retention.time=1d",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


async def await_ready(url: str) -> None:
    """Wait until a Prometheus that listens can be asked; raises TimeoutError."""
    async with asyncio.timeout(READY_TIMEOUT), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{url}/-/ready") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)
