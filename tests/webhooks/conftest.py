"""The listener on a free port with a real ledger, and senders who know its secrets or do not."""

import asyncio
import hmac
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from sre_bot.incidents.database import Database
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.paging import Change
from sre_bot.settings import WebhookSettings
from sre_bot.webhooks import Inbox, Limits, Listener, Readiness

SECRET = "the-secret-of-the-subscription"
TOKEN = "the-token-of-the-receiver"
SECRETS = {"PAGERDUTY_WEBHOOK_SECRET": SECRET, "ALERTMANAGER_WEBHOOK_TOKEN": TOKEN}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def sign(body: bytes, *secrets: str) -> dict[str, str]:
    """The header of a body; of the right secret where none is named."""
    signed = [hmac.new(secret.encode(), body, sha256).hexdigest() for secret in secrets or (SECRET,)]
    return {"X-PagerDuty-Signature": ",".join(f"v1={each}" for each in signed)}


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def incident(**fields: Any) -> dict[str, Any]:
    """An incident as PagerDuty's events carry it."""
    return {
        "id": "PGR0VU2",
        "type": "incident",
        "self": "https://api.pagerduty.com/incidents/PGR0VU2",
        "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
        "number": 2,
        "status": "triggered",
        "incident_key": "d3640fbd41094207a1c11e58e46b1662",
        "created_at": ago(minutes=1),
        "title": "api-server: 5xx above 5 %",
        "service": {"id": "PF9KMXH", "type": "service_reference", "summary": "api-server"},
        "assignees": [{"id": "PTUXL6G", "type": "user_reference", "summary": "Ada Lovelace"}],
        "escalation_policy": {"id": "PUS0KTE", "type": "escalation_policy_reference", "summary": "Default"},
        "teams": [],
        "priority": {"id": "PSO75BM", "type": "priority_reference", "summary": "P1"},
        "urgency": "high",
        "conference_bridge": None,
        "resolve_reason": None,
    } | fields


def event(kind: str = "incident.triggered", data: Any = None, **fields: Any) -> dict[str, Any]:
    """A V3 event."""
    return {
        "event": {
            "id": "01BX0000000000000000000001",
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": ago(seconds=2),
            "agent": {"id": "PTUXL6G", "type": "user_reference", "summary": "Ada Lovelace"},
            "client": None,
            "data": incident() if data is None else data,
        }
        | fields
    }


def alert(**fields: Any) -> dict[str, Any]:
    """A firing alert as Alertmanager sends it."""
    return {
        "status": "firing",
        "labels": {"alertname": "HighErrorRate", "service": "api-server", "severity": "critical"},
        "annotations": {"summary": "api-server: 5xx above 5 %", "runbook": "elevated-error-rates"},
        "startsAt": ago(seconds=30),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up",
        "fingerprint": "c0ffee00c0ffee00",
    } | fields


def group(*alerts: Any, **fields: Any) -> dict[str, Any]:
    """A notification of Alertmanager."""
    return {
        "version": "4",
        "groupKey": '{}:{service="api-server"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "sre-bot",
        "groupLabels": {"service": "api-server"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": list(alerts),
    } | fields


def body_of(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def said(self) -> Any:
        return json.loads(self.text)


@dataclass
class Door:
    """A listener that is open, as somebody outside sees it."""

    listener: Listener
    http: aiohttp.ClientSession
    database: Path
    rung: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.listener.address

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def page(self, payload: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """POST to PagerDuty's route, signed rightly where no headers are given."""
        body = body_of(payload)
        return await self.send("POST", "/webhooks/pagerduty", sign(body) if headers is None else headers, body)

    async def notify(self, payload: Any, headers: Mapping[str, str] = BEARER) -> Answer:
        """POST to Alertmanager's route."""
        return await self.send("POST", "/webhooks/alertmanager", headers, body_of(payload))

    async def get(self, path: str) -> Answer:
        return await self.send("GET", path)

    async def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = None) -> Answer:
        async with self.http.request(method, f"{self.url}{path}", data=body, headers=headers) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    def recorded(self) -> list[dict[str, Any]]:
        """Every delivery, as it is on disk."""
        with closing(sqlite3.connect(self.database)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM deliveries ORDER BY id")]

    def changes(self) -> list[Change]:
        """What all of them say."""
        return [Change.from_json(change) for row in self.recorded() for change in json.loads(row["changes"])]

    async def metric(self, line: str) -> float:
        """The value of a line of /metrics, zero where there is none."""
        shown = (await self.get("/metrics")).text.splitlines()
        return sum(float(each.removeprefix(line)) for each in shown if each.startswith(f"{line} "))


OpenDoor = Callable[..., Awaitable[Door]]


async def all_is_ready() -> dict[str, str]:
    return {}


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with its tables and nothing in them: copied, since making one takes longer than most tests here."""
    path = tmp_path_factory.mktemp("webhooks") / "empty.db"

    async def make() -> None:
        await (await Ledger.open(f"sqlite:///{path}")).close()

    asyncio.run(make())
    return path


@pytest_asyncio.fixture
async def ledger(empty_ledger: Path, tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = Ledger(Database(f"sqlite:///{shutil.copy(empty_ledger, tmp_path / 'ledger.db')}"))
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def open_door(ledger: Ledger, tmp_path: Path) -> AsyncIterator[OpenDoor]:
    """Opens listeners, with other settings where a test wants them."""
    listeners = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30), trust_env=False) as http:

        async def make(
            *,
            limits: Limits | None = None,
            inbox: Inbox | None = None,
            readiness: Readiness = all_is_ready,
            warnings: Readiness | None = None,
            **environ: str,
        ) -> Door:
            settings = WebhookSettings.model_validate({"WEBHOOK_PORT": "0"} | (environ or SECRETS))
            rung: list[int] = []
            listener = Listener(
                settings,
                inbox or ledger.deliveries,
                readiness,
                lambda: rung.append(1),
                warnings=warnings,
                limits=limits,
            )
            await listener.open()
            listeners.append(listener)
            return Door(listener, http, tmp_path / "ledger.db", rung)

        yield make
        for listener in listeners:
            await listener.close()


@pytest_asyncio.fixture
async def door(open_door: OpenDoor) -> Door:
    return await open_door()


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the listener warned of."""
    return lambda: [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
