"""Where proposals are decided: a real ledger, engine, planner and seal; people, Slack and the agent are played."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from sre_bot.agent.approvals import Seal
from sre_bot.catalog import load_catalog
from sre_bot.clients.env_files import EnvFiles
from sre_bot.errors import Unreachable
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState, Proposal
from sre_bot.policy import Policy
from sre_bot.settings import ROOT
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.planning import Planner
from sre_bot.workflows.approvals import Proposals
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.people import ProposalCard
from sre_bot.workflows.turns import Turns

from .wall import AFTER, BEFORE, AskedOnly

QUICK = 0.05
TOOL = "update_service_config"
ARGUMENTS = {"service": "api-server", "key": "DB_POOL_SIZE", "value": "20", "redeploy": True}
CATALOG = load_catalog(ROOT / "config")


@dataclass
class Board:
    """Where proposals hang.

    Attributes:
        cards: what each message has shown, the newest last, by its timestamp.
        faults: what becomes of the next calls.
    """

    cards: dict[str, list[ProposalCard]] = field(default_factory=dict)
    faults: deque[str] = field(default_factory=deque)

    async def show_proposal(self, now: Callable[[], Awaitable[ProposalCard]], *, search: bool) -> str:
        fault = self.faults.popleft() if self.faults else ""
        if fault == BEFORE:
            raise Unreachable("Slack is away.")
        card = await now()
        ts = card.approval.card_ts or (self.found(card.approval.id) if search else "") or f"{len(self.cards) + 1}.0"
        self.cards.setdefault(ts, []).append(card)
        if fault == AFTER:
            raise Unreachable("Slack did not answer.")
        return ts

    def found(self, approval_id: int) -> str:
        return next((ts for ts, shown in self.cards.items() if shown[-1].approval.id == approval_id), "")

    def state(self) -> ApprovalState | None:
        """What the one card says."""
        assert len(self.cards) < 2, "shown twice"
        return next((shown[-1].approval.state for shown in self.cards.values()), None)


@dataclass
class Electorate:
    """Ada and Bo may decide, unless nobody may."""

    may: tuple[str, ...] = ("Ada", "Bo")

    async def words(self) -> str:
        return ", ".join(self.may)

    async def name(self, person: str) -> str:
        return person

    async def refuse(self, person: str) -> str:
        return "" if person in self.may else f"{person} may not decide."


@dataclass
class Figures:
    """Counts how often it was asked; each sample differs from the last."""

    sampled: int = 0
    scheduled: list[int] = field(default_factory=list)

    async def sample(self, approval: Approval) -> dict[str, float]:
        self.sampled += 1
        return {approval.tool: float(self.sampled)}

    async def schedule(self, approval: Approval) -> None:
        self.scheduled.append(approval.id)


@dataclass
class Hall:
    """One life of the bot, as far as proposals go."""

    ledger: Ledger
    proposals: Proposals
    board: Board
    desk: AskedOnly
    electorate: Electorate
    figures: Figures
    seal: Seal
    planner: Planner
    folder: Path

    @property
    def env_file(self) -> Path:
        return self.folder / "env" / "api-server.env"

    async def record(self, *, seconds: float = 600, call: str = "toolu_1", **changes: Any) -> Approval:
        """A call that was sealed, with a run that has not ended yet."""
        arguments = {**ARGUMENTS, **changes}
        plan, file_hash = self.planner.plan(TOOL, arguments)
        expires = datetime.now(UTC) + timedelta(seconds=seconds)
        return await self.ledger.approvals.propose(
            Proposal(call, uuid4(), TOOL, arguments, expires, file_hash, "C1", "1.0", plan)
        )

    async def propose(self, *, seconds: float = 600, call: str = "toolu_1", **changes: Any) -> Approval:
        """A proposal that people may see."""
        approval = await self.record(seconds=seconds, call=call, **changes)
        await self.proposals.proposed(approval.tool_use_id)
        return await self.get(approval.id)

    async def get(self, approval_id: int) -> Approval:
        found = await self.ledger.approvals.get(approval_id)
        assert found
        return found

    async def shows(self, state: ApprovalState) -> None:
        """Wait until the card says so."""
        async with asyncio.timeout(30):
            while self.board.state() is not state:
                await asyncio.sleep(0.01)

    async def asked(self, count: int = 1) -> None:
        """Wait until the conversation goes on."""
        async with asyncio.timeout(30):
            while len(self.desk.prompts) < count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def living(
    folder: Path, board: Board, *, boot: str = "b1", may: tuple[str, ...] = ("Ada", "Bo"), longest: float = 60.0
) -> AsyncIterator[Hall]:
    """A bot that lives until the block ends."""
    url = f"sqlite:///{folder / 'hall.db'}"
    env_dir = folder / "env"
    if not env_dir.exists():
        env_dir.mkdir()
        (env_dir / "api-server.env").write_text("DB_POOL_SIZE=1\n")
    async with AsyncExitStack() as stack:
        ledger = await Ledger.open(url)
        stack.push_async_callback(ledger.close)
        engine = Engine(url, "local", polling=QUICK, pause=QUICK)
        specs = {spec.name: spec for spec in describe_tools()}
        planner = Planner(specs, CATALOG, EnvFiles(env_dir))
        seal = Seal(ledger, planner, Policy(), frozenset({TOOL}), frozenset())
        desk, electorate, figures = AskedOnly(ledger), Electorate(may), Figures()
        proposals = Proposals(
            ledger,
            engine,
            board,
            cast(Turns, desk),
            seal,
            planner,
            electorate,
            figures,
            team="T1",
            boot=boot,
            look_every=0.2,
            longest=longest,
        )
        proposals.define()
        stack.push_async_callback(engine.close)
        await engine.open()
        await proposals.open()
        yield Hall(ledger, proposals, board, desk, electorate, figures, seal, planner, folder)
