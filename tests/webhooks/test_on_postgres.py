"""The listener with a ledger on PostgreSQL: what a text may hold, and a server that is gone and comes back."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from sandbox.postgres import Postgres
from sre_bot.incidents.database import Database
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.paging import Change
from sre_bot.incidents.tables import deliveries
from tests.webhooks.conftest import Door, OpenDoor, alert, event, group, incident

PAGERDUTY_WAITS = 5.0
ODD = "a\x00b\ud800c"

OpenLedger = Callable[[str], Awaitable[Ledger]]


@pytest_asyncio.fixture
async def open_ledger() -> AsyncIterator[OpenLedger]:
    opened: list[Ledger] = []

    async def make(url: str) -> Ledger:
        opened.append(await Ledger.open(url))
        return opened[-1]

    yield make
    for ledger in opened:
        await ledger.close()


async def changes(url: str) -> list[Change]:
    database = Database(url)
    async with database.reading() as connection:
        rows = list(await connection.scalars(select(deliveries.c.changes).order_by(deliveries.c.id)))
    await database.close()
    return [Change.from_json(each) for row in rows for each in row]


async def count(url: str) -> int:
    database = Database(url)
    async with database.reading() as connection:
        found = await connection.scalar(select(func.count()).select_from(deliveries))
    await database.close()
    return found or 0


async def test_any_text_is_stored(postgres_url: str, open_ledger: OpenLedger, open_door: OpenDoor) -> None:
    door = await open_door(inbox=(await open_ledger(postgres_url)).deliveries)
    odd = incident(title=ODD, service={"summary": ODD}, incident_key=ODD, assignees=[{"summary": ODD}])
    bodies = [event(data=odd), event(ODD, id="other"), b'{"event": "\xff\x00"}', event(id=ODD)]
    assert [(await door.page(each)).status for each in bodies] == [202] * len(bodies)
    odd = alert(labels={ODD: ODD, "service": ODD}, annotations={"summary": ODD, ODD: ODD})
    assert (await door.notify(group(odd, groupKey=ODD, receiver=ODD, status=ODD))).status == 202
    assert await count(postgres_url) == len(bodies) + 1
    assert [each.snapshot.title for each in await changes(postgres_url) if each.snapshot] == ["a b?c", "a b?c"]


async def test_a_repetition_is_one_on_postgresql_too(
    postgres_url: str, open_ledger: OpenLedger, open_door: OpenDoor
) -> None:
    doors = [await open_door(inbox=(await open_ledger(postgres_url)).deliveries) for _ in range(2)]
    said = [(await door.page(event())).said["status"] for door in [*doors, *doors]]
    assert said == ["recorded", "repeated", "repeated", "repeated"]


@pytest.mark.parametrize("way", ["crash", "stop"])
async def test_a_server_that_is_gone_is_a_503_in_time_until_it_is_back(
    way: str, own_postgres: Postgres, open_ledger: OpenLedger, open_door: OpenDoor
) -> None:
    url = own_postgres.create_database("bot")
    door: Door = await open_door(inbox=(await open_ledger(url)).deliveries)
    assert (await door.page(event(id="before"))).status == 202
    await (own_postgres.crash() if way == "crash" else own_postgres.stop())
    began = time.monotonic()
    refused = await door.page(event(id="while"))
    assert (refused.status, time.monotonic() - began < 4 * PAGERDUTY_WAITS) == (503, True)
    assert url.rpartition("@")[2] not in refused.text, "a stranger is not told where the ledger is"
    await own_postgres.resume()
    assert (await door.page(event(id="while"))).said == {"status": "recorded"}
    assert await count(url) == 2
