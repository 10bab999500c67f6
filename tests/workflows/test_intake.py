"""From the inbox to the cases: whatever was stored is folded, woken or not, and whatever broke a moment ago."""

import asyncio

import pytest

from sre_bot.incidents.paging import Case, Incident
from sre_bot.workflows.intake import Intake
from sre_bot.workflows.storms import Storms
from tests.incidents.pages import deliver, fold, page

from .house import CATALOG, living
from .wall import Wall


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


async def test_what_was_stored_before_the_start_gets_its_card(url: str) -> None:
    wall = Wall()
    async with living(url, wall, channel=None) as house:
        await house.receive(page("P1", service="api-server"))
        assert await house.ledger.deliveries.backlog() == 1, "without a channel nobody could see what becomes of it"
    async with living(url, wall) as house:
        await house.settled()
    assert list(wall.cards) == ["1.0"]


async def test_a_case_whose_workflow_was_never_started_is_found(url: str) -> None:
    """As when a process ended between the fold and the start of the workflow."""
    wall = Wall()
    async with living(url, wall, channel=None) as house:
        await deliver(house.ledger, page("P1", service="api-server"))
        await fold(house.ledger)
        assert len(await house.ledger.cases.behind()) == 1
    async with living(url, wall, look_every=3600) as house:
        await house.settled()
    assert list(wall.cards) == ["1.0"]


async def test_a_delivery_wakes_the_intake(url: str) -> None:
    wall = Wall()
    async with living(url, wall, look_every=3600) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
    assert list(wall.cards) == ["1.0"]


class Breaks(Storms):
    """Breaks at its first look."""

    broken = 0

    def choose(self, incident: Incident, candidates: object) -> Case | None:
        self.broken += 1
        if self.broken == 1:
            raise RuntimeError("the grouping broke")
        return None


async def test_what_breaks_a_look_does_not_end_the_intake(url: str, caplog: pytest.LogCaptureFixture) -> None:
    wall = Wall()
    async with living(url, wall, channel=None) as house:
        grouping = Breaks(CATALOG, 600)
        intake = Intake(house.ledger.cases, grouping, house.engine, "C1", look_every=0.05)
        await deliver(house.ledger, page("P1", service="api-server"))
        intake.open()
        await house.settled()
        await intake.close()
    assert grouping.broken == 2
    assert "a look into the inbox failed" in caplog.text
    assert list(wall.cards) == ["1.0"]


async def test_a_case_is_seen_to_once_for_a_revision_however_often_it_is_asked_for(url: str) -> None:
    wall = Wall()
    async with living(url, wall) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        case = await house.case("P1")
        await asyncio.gather(*(house.intake.see_to(case.id, case.revision) for _ in range(5)))
        await house.engine.start("case", case.id, 0, key="last", partition=str(case.id))
        await house.until(lambda: len(wall.cards["1.0"]) > 1)
    assert len(wall.cards["1.0"]) == 2, "the revision itself, and what was started last"
