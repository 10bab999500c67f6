"""The stand-in, which gives up on who refuses it, delivers to the listener: everything arrives, in any weather."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest_asyncio

from sandbox.processes import Child
from sre_bot.incidents.database import Database
from sre_bot.incidents.deliveries import Deliveries
from sre_bot.incidents.ledger import Ledger
from sre_bot.settings import ROOT
from sre_bot.webhooks import Limits
from tests.webhooks.conftest import SECRET, Door, OpenDoor

PATIENCE = 30.0


class PagerDuty:
    """The running stand-in."""

    def __init__(self, url: str, door: Door) -> None:
        self.url = url
        self._door = door

    async def order(self, path: str, **body: Any) -> dict[str, Any]:
        async with self._door.http.post(f"{self.url}/sandbox/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def look(self, path: str) -> dict[str, Any]:
        async with self._door.http.get(f"{self.url}/sandbox/{path}") as answer:
            return dict(await answer.json())

    async def subscribe(self, **more: Any) -> str:
        order = {"url": f"{self._door.url}/webhooks/pagerduty", "secret": SECRET, "schedule": [0.05]} | more
        return str((await self.order("webhooks", **order))["id"])

    async def drained(self) -> list[dict[str, Any]]:
        async with asyncio.timeout(PATIENCE):
            while (found := await self.look("deliveries"))["pending"]:
                await asyncio.sleep(0.02)
        return list(found["deliveries"])


@pytest_asyncio.fixture
async def standin(tmp_path: Path) -> AsyncIterator[str]:
    command = [sys.executable, "-m", "sandbox.pagerduty"]
    child = await Child.start(
        "pagerduty", command, ready=r"listening on (http://\S+)", log_dir=tmp_path, env={"PYTHONPATH": str(ROOT)}
    )
    yield child.found
    await child.stop()


async def test_an_incidents_life_arrives_as_it_was(standin: str, door: Door) -> None:
    pagerduty = PagerDuty(standin, door)
    subscription = await pagerduty.subscribe()
    made = await pagerduty.order("incidents", title="5xx above 5 %", key="k")
    for action, more in (("acknowledge", {}), ("priority", {"to": "P1"}), ("note", {"text": "hi"}), ("resolve", {})):
        await pagerduty.order(f"incidents/{made['id']}/{action}", **more)
    await pagerduty.order(f"webhooks/{subscription}/ping")
    await pagerduty.drained()
    assert [(each.kind, each.snapshot and each.snapshot.status.value) for each in door.changes()] == [
        ("triggered", "triggered"),
        ("acknowledged", "acknowledged"),
        ("priority_updated", "acknowledged"),
        ("annotated", None),
        ("resolved", "resolved"),
    ]
    assert {each.incident for each in door.changes()} == {f"pd:{made['id']}"}
    assert {each.snapshot.group_key for each in door.changes() if each.snapshot} == {"k"}
    assert "pagey.ping" in [row["kind"] for row in door.recorded()]
    assert (await pagerduty.look("violations"))["violations"] == []


async def test_duplicated_and_shuffled_events_are_recorded_once_each(standin: str, door: Door) -> None:
    pagerduty = PagerDuty(standin, door)
    await pagerduty.subscribe(duplicates=2, shuffle=90, seed=3)
    for number in range(10):
        made = await pagerduty.order("incidents", title=f"problem {number}")
        await pagerduty.order(f"incidents/{made['id']}/acknowledge")
        await pagerduty.order(f"incidents/{made['id']}/resolve")
    await pagerduty.drained()
    sent = {each["event"]["id"] for each in (await pagerduty.look("events"))["events"]}
    assert len(sent) == 30
    assert sorted(row["key"] for row in door.recorded()) == sorted(f"pd:{each}" for each in sent)


async def test_what_the_ledger_could_not_take_comes_again_and_nothing_is_given_up(
    standin: str, ledger: Ledger, open_door: OpenDoor, tmp_path: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}", busy_timeout=0.05)
    door = await open_door(inbox=Deliveries(database))
    pagerduty = PagerDuty(standin, door)
    await pagerduty.subscribe()
    with closing(sqlite3.connect(door.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(5):
            await pagerduty.order("incidents", title=f"problem {number}")
        async with asyncio.timeout(PATIENCE):
            while len((await pagerduty.look("deliveries"))["deliveries"]) < 10:
                await asyncio.sleep(0.02)
        other.execute("ROLLBACK")
    attempts = await pagerduty.drained()
    assert {each["status"] for each in attempts if each["outcome"] == "repeated"} == {503}
    assert len(door.changes()) == 5
    assert (await pagerduty.look("violations"))["violations"] == []
    await database.close()


async def test_what_comes_too_fast_comes_again_and_nothing_is_given_up(standin: str, open_door: OpenDoor) -> None:
    door = await open_door(limits=Limits(burst=5, per_second=50))
    pagerduty = PagerDuty(standin, door)
    await pagerduty.subscribe(shuffle=40)
    for number in range(40):
        await pagerduty.order("incidents", title=f"problem {number}")
    attempts = await pagerduty.drained()
    assert 429 in {each["status"] for each in attempts}
    assert len(door.changes()) == 40
    assert (await pagerduty.look("violations"))["violations"] == []
