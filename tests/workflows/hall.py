"""Where proposals are decided: real ledger, engine, planner, seal and tool; people, Slack and the agent are played."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from sre_bot.agent.approvals import Seal
from sre_bot.catalog import load_catalog
from sre_bot.clients.env_files import EnvFiles
from sre_bot.clients.prometheus import Prometheus
from sre_bot.clients.redeployment import Redeployer
from sre_bot.errors import BackendError, LedgerError, ToolsUnavailable, Unreachable
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState, Proposal
from sre_bot.incidents.paging import Urgency
from sre_bot.policy import Policy
from sre_bot.settings import ROOT
from sre_bot.settings.bot import VerificationSettings
from sre_bot.tools.approval import Gate
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.planning import Planner
from sre_bot.tools.remediation import Remediation
from sre_bot.tools.spec import Tool, specs_of
from sre_bot.workflows.approvals import ACT, Proposals
from sre_bot.workflows.closing import Closing
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.people import Prompt, ProposalCard
from sre_bot.workflows.rollback import Rollbacks
from sre_bot.workflows.turns import Turns
from sre_bot.workflows.verdict_chart import VerdictChart
from sre_bot.workflows.verification import Verifier
from tests.tools.conftest import FakeMetrics

from .wall import AFTER, BEFORE, AskedOnly

QUICK = 0.05
PATIENCE = 100.0  # seconds
TOOL = "update_service_config"
ARGUMENTS = {"service": "api-server", "key": "DB_POOL_SIZE", "value": "20", "redeploy": True}
CATALOG = load_catalog(ROOT / "config")


@dataclass
class Board:
    """Where proposals hang.

    Attributes:
        cards: what each message has shown, the newest last, by its timestamp.
        faults: what becomes of the next calls.
        after_next: happens once, as soon as a card has been shown.
    """

    cards: dict[str, list[ProposalCard]] = field(default_factory=dict)
    faults: deque[str] = field(default_factory=deque)
    after_next: Callable[[], Awaitable[None]] | None = None

    async def show_proposal(self, now: Callable[[], Awaitable[ProposalCard]], *, search: bool) -> str:
        fault = self.faults.popleft() if self.faults else ""
        if fault == BEFORE:
            raise Unreachable("Slack is away.")
        card = await now()
        ts = card.approval.card_ts or (self.found(card.approval.id) if search else "") or f"{len(self.cards) + 1}.0"
        self.cards.setdefault(ts, []).append(card)
        if self.after_next:
            told, self.after_next = self.after_next, None
            await told()
        if fault == AFTER:
            raise Unreachable("Slack did not answer.")
        return ts

    def found(self, approval_id: int) -> str:
        return next((ts for ts, shown in self.cards.items() if shown[-1].approval.id == approval_id), "")

    def newest(self, approval_id: int) -> ProposalCard | None:
        """What the card of a proposal shows."""
        ts = self.found(approval_id)
        return self.cards[ts][-1] if ts else None

    def state(self) -> ApprovalState | None:
        """What the one card says."""
        assert len(self.cards) < 2, "shown twice"
        return next((shown[-1].approval.state for shown in self.cards.values()), None)


@dataclass
class Electorate:
    """Ada and Bo may decide, unless nobody may."""

    may: tuple[str, ...] = ("Ada", "Bo")
    meanwhile: Callable[[], Awaitable[None]] | None = None  # happens once, while the next person is looked up

    async def words(self) -> str:
        return ", ".join(self.may)

    async def name(self, person: str) -> str:
        return person

    async def refuse(self, person: str) -> str:
        if self.meanwhile:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
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
class Shelf:
    """Where files lie beside cards.

    Attributes:
        filed: numbers of the proposals that were looked at, in their order.
        refused: why Slack takes no file; empty where it does.
        pictures: what was uploaded, with its description, by its id.
        shared: what people see, twice there if it was shared twice.
        faults: what becomes of the next sharings.
    """

    filed: list[int] = field(default_factory=list)
    refused: str = ""
    pictures: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    shared: list[str] = field(default_factory=list)
    faults: deque[str | BackendError] = field(default_factory=deque)

    async def file_proposal(self, approval: Approval) -> str:
        self.filed.append(approval.id)
        return self.refused

    async def upload(self, name: str, data: bytes, description: str) -> str:
        file_id = f"F{len(self.pictures) + 1}"
        self.pictures[file_id] = (data, description)
        return file_id

    async def share(self, channel: str, thread_ts: str, file_id: str, title: str) -> None:
        fault = self.faults.popleft() if self.faults else ""
        if isinstance(fault, BackendError):
            raise fault
        if fault == BEFORE:
            raise Unreachable("Slack is away.")
        if file_id not in self.shared:
            self.shared.append(file_id)
        if fault == AFTER:
            raise Unreachable("Slack did not answer.")


class ToolHand:
    """The tool process without the process: its gate and its tool, on the hall's ledger and file.

    Attributes:
        calls: the approvals that it was asked to use up.
        broken: what it says instead of being there; empty where it is.
        hangs: whether a call reaches nobody, and is not answered.
    """

    def __init__(self, url: str, env_dir: Path) -> None:
        self.calls: list[str] = []
        self.broken = ""
        self.hangs = False
        group = Remediation(CATALOG, EnvFiles(env_dir), Redeployer(("true", "{service}"), 10.0, env_dir))
        self._tools = {spec.name: Tool(spec, group) for spec in specs_of(Remediation)}
        self._gate = Gate(url)

    async def call(self, tool: str, arguments: Mapping[str, Any], tool_use_id: str) -> str:
        self.calls.append(tool_use_id)
        if self.broken:
            raise ToolsUnavailable(self.broken)
        if self.hangs:
            await asyncio.Event().wait()
        return (await self._gate.run(self._tools[tool], arguments, tool_use_id)).text

    async def close(self) -> None:
        await self._gate.close()


class Desk(AskedOnly):
    """Also away when it is told to be."""

    away = False

    async def ask(self, prompt: Prompt, urgency: Urgency) -> bool:
        if self.away:
            raise LedgerError("The database is away.")
        return await super().ask(prompt, urgency)


@dataclass
class Hall:
    """One life of the bot, as far as proposals go."""

    ledger: Ledger
    proposals: Proposals
    board: Board
    desk: Desk
    electorate: Electorate
    figures: Figures
    seal: Seal
    planner: Planner
    folder: Path
    shelf: Shelf
    hand: ToolHand
    rollbacks: Rollbacks
    verifier: Verifier | None

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

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.03)

    async def reaches(self, approval_id: int, state: ApprovalState) -> Approval:
        """Wait until a proposal stands there."""
        async with asyncio.timeout(PATIENCE):
            while (approval := await self.get(approval_id)).state is not state:
                await asyncio.sleep(0.03)
        return approval

    async def shows(self, state: ApprovalState) -> None:
        """Wait until the card says so."""
        async with asyncio.timeout(PATIENCE):
            while self.board.state() is not state:
                await asyncio.sleep(0.03)

    async def asked(self, count: int = 1) -> None:
        """Wait until the conversation goes on."""
        async with asyncio.timeout(PATIENCE):
            while len(self.desk.prompts) < count:
                await asyncio.sleep(0.03)


@asynccontextmanager
async def living(
    folder: Path,
    board: Board,
    *,
    boot: str = "b1",
    may: tuple[str, ...] = ("Ada", "Bo"),
    shelf: Shelf | None = None,
    metrics: FakeMetrics | None = None,
    expires: float = 600,
    longest: float = 60.0,
) -> AsyncIterator[Hall]:
    """A bot that lives until the block ends; with metrics it verifies by them, else figures are only counted."""
    shelf = shelf or Shelf()
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
        desk, electorate, figures = Desk(ledger), Electorate(may), Figures()
        turns = cast(Turns, desk)
        hand = ToolHand(url, env_dir)
        stack.push_async_callback(hand.close)
        rollbacks = Rollbacks(
            ledger,
            engine,
            planner,
            shelf,
            hand,
            turns,
            expires=timedelta(seconds=expires),
            act=ACT,
            team="T1",
            longest=timedelta(seconds=longest),
        )
        closing = Closing(ledger, desk, "T1", publishes=True, resolves=False)
        verifier = None
        if metrics:
            source = cast(Prometheus, metrics)
            chart = VerdictChart(ledger, source, CATALOG, shelf)
            at_once = VerificationSettings.model_validate({"SRE_VERIFY_AFTER": QUICK, "SRE_VERIFY_WITHIN": QUICK})
            verifier = Verifier(ledger, engine, source, CATALOG, turns, chart, rollbacks, at_once, "T1", closing)
            verifier.define()
        proposals = Proposals(
            ledger,
            engine,
            board,
            turns,
            seal,
            planner,
            electorate,
            verifier or figures,
            shelf,
            rollbacks,
            team="T1",
            boot=boot,
            closing=closing,
            look_every=0.2,
            longest=longest,
        )
        proposals.define()
        rollbacks.define()
        stack.push_async_callback(engine.close)
        await engine.open()
        await proposals.open()
        yield Hall(
            ledger,
            proposals,
            board,
            desk,
            electorate,
            figures,
            seal,
            planner,
            folder,
            shelf,
            hand,
            rollbacks,
            verifier,
        )
