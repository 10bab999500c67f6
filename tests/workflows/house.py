"""From the inbox to the card: ledger, engine, intake and the work on cases, joined as the bot joins them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sre_bot.catalog import load_catalog
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.paging import Case, Change
from sre_bot.settings import ROOT
from sre_bot.settings.bot import IncidentSettings
from sre_bot.workflows.cases import CaseWork
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.intake import Intake
from sre_bot.workflows.storms import Storms
from tests.incidents.pages import deliver, only_case

from .wall import AskedOnly, Wall

CATALOG = load_catalog(ROOT / "config")
QUICK = 0.1


@dataclass
class House:
    """One life of the bot, as far as cases go."""

    ledger: Ledger
    engine: Engine
    intake: Intake
    work: CaseWork
    wall: Wall
    desk: AskedOnly

    async def receive(self, *changes: Change) -> None:
        await deliver(self.ledger, *changes)
        self.intake.wake()

    async def until(self, condition: Callable[[], object], seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.03)

    async def settled(self) -> None:
        """Wait until everything that arrived is folded and done."""
        async with asyncio.timeout(60):
            while await self.ledger.deliveries.backlog() or await self.ledger.cases.behind():
                await asyncio.sleep(0.05)

    async def case(self, key: str) -> Case:
        return await only_case(self.ledger, key)


@asynccontextmanager
async def living(
    url: str,
    wall: Wall,
    *,
    boot: str = "b1",
    replica: str = "local",
    channel: str | None = "C1",
    look_every: float = QUICK,
    **settings: Any,
) -> AsyncIterator[House]:
    """A bot that lives until the block ends."""
    async with AsyncExitStack() as stack:
        ledger = await Ledger.open(url)
        stack.push_async_callback(ledger.close)
        engine = Engine(url, replica, polling=QUICK, pause=QUICK)
        bounds = IncidentSettings.model_validate({"SRE_ASK_AGAIN": 0.5, **settings})
        intake = Intake(ledger.cases, Storms(CATALOG, bounds.storm_window), engine, channel, look_every=look_every)
        desk = AskedOnly(ledger)
        work = CaseWork(ledger, engine, intake, wall, desk, CATALOG, bounds, boot=boot, team="T1")
        work.define()
        stack.push_async_callback(engine.close)
        await engine.open()
        stack.push_async_callback(work.close)
        stack.push_async_callback(intake.close)
        intake.open()
        yield House(ledger, engine, intake, work, wall, desk)
