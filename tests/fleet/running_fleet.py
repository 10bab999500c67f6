"""A fleet in a process of its own, as the tests see it: over HTTP and through its environment file."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "metric_logging.py"
SHIPPED_ENVIRONMENT = ROOT / "config" / "api-server.env"
SHIPPED = {"DB_POOL_SIZE": "20", "DB_POOL_TIMEOUT": "2.5", "DB_QUERY_MS": "60", "APP_VERSION": "2.14.0"}


def without_proxies() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}


def wait_until(condition: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.1)


def start_script(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            str(SCRIPT),
            f"--env-file={directory / 'api-server.env'}",
            f"--state-dir={directory / 'state'}",
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=without_proxies(),
    )


class RunningFleet:
    def __init__(self, url: str, env_file: Path) -> None:
        self.url = url
        self.env_file = env_file
        self.http = httpx2.Client(base_url=url, trust_env=False, timeout=60)

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """All samples called `name`: label values, in the order of their labels' names -> value."""
        families = text_string_to_metric_families(self.http.get("/metrics").text)
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
            if sample.name == name
        }

    def value(self, name: str, *labels: str) -> float:
        return self.samples(name).get(labels, 0.0)

    def answers(self, service: str = "api-server") -> dict[str, float]:
        """Answers so far, by status."""
        return {s: n for (name, s), n in self.samples("http_requests_total").items() if name == service}

    def deploy(self, **changes: str) -> httpx2.Response:
        """Deploy the shipped environment of api-server with `changes`."""
        write_environment(self.env_file, SHIPPED | changes)
        return self.http.post("/redeploy/api-server", json={"author": "ada", "reason": "a test"})

    def messages(self, **query: str) -> list[str]:
        logs: list[dict[str, Any]] = self.http.get("/logs", params=query).json()["logs"]
        return [line["message"] for line in logs]


def write_environment(path: Path, values: dict[str, str]) -> None:
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))


@contextmanager
def running_fleet(directory: Path) -> Iterator[RunningFleet]:
    """The fleet with the shipped environment and a seed, until the block ends."""
    env_file = directory / "api-server.env"
    env_file.write_text(SHIPPED_ENVIRONMENT.read_text())
    process = start_script(directory, "--port=0", "--seed=7")
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        yield RunningFleet(url, env_file)
    finally:
        process.terminate()
        process.communicate(timeout=60)
