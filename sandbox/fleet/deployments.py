"""The record of what was deployed when, by whom and with which changes; one JSON line each.

It outlives the process: a start compares its environment with the last one deployed, so that an edit
made while the fleet was down still shows as a change. A line that does not parse, because the machine
died while it was written, is skipped and left where it is.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.fleet.environment import Environment, changed

REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Deployment:
    """One start or redeploy; `time` is in Unix seconds, `environment` as it was written."""

    id: str
    time: float
    service: str
    version: str
    kind: str
    author: str
    reason: str
    changes: dict[str, dict[str, str | None]]
    environment: dict[str, str]


class DeploymentRecord:
    """All deployments, oldest first, in `directory`/deployments.jsonl."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "deployments.jsonl"
        self._deployments = self._load()[-REMEMBERED:]

    def add(self, service: str, environment: Environment, kind: str, author: str, reason: str) -> Deployment:
        """Write down that `environment` was put into service now."""
        earlier = [deployment for deployment in self._deployments if deployment.service == service]
        values = dict(environment.values)
        deployment = Deployment(
            id=f"{service}-{_number(earlier) + 1}",
            time=time.time(),
            service=service,
            version=environment.version,
            kind=kind,
            author=author,
            reason=reason,
            changes=changed(earlier[-1].environment, values) if earlier else {},
            environment=values,
        )
        self._append(json.dumps(asdict(deployment)) + "\n")
        self._deployments.append(deployment)
        return deployment

    def read(self, service: str | None, since: float) -> list[Deployment]:
        """The deployments of `service` (None: of any) from `since` (Unix seconds) on, newest first."""
        return [d for d in reversed(self._deployments) if d.time >= since and service in (None, d.service)]

    def _load(self) -> list[Deployment]:
        if not self._path.exists():
            return []
        text = self._path.read_text(encoding="utf-8", errors="replace")
        if text and not text.endswith("\n"):
            self._append("\n")  # or the next record would continue a torn line
        return [deployment for line in text.splitlines() if (deployment := _parse(line))]

    def _append(self, text: str) -> None:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(text)


def _parse(line: str) -> Deployment | None:
    try:
        return Deployment(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _number(deployments: list[Deployment]) -> int:
    return int(deployments[-1].id.rpartition("-")[2]) if deployments else 0
