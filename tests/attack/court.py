"""Where clicks and typed words are judged: real Bolt, ledger, engine and proposals on a loopback Slack; no agent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.agent.approvals import Seal
from sre_bot.catalog import load_catalog
from sre_bot.clients.env_files import EnvFiles
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState, Proposal
from sre_bot.policy import Policy
from sre_bot.settings import ROOT
from sre_bot.slack import listeners
from sre_bot.slack.approvers import Approvers
from sre_bot.slack.board import SlackBoard
from sre_bot.slack.cards import proposal
from sre_bot.slack.membership import Membership
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.sockets import Sockets
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.planning import Planner
from sre_bot.workflows.approvals import ACT, Proposals
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.people import Prompt
from sre_bot.workflows.rollback import Rollbacks
from sre_bot.workflows.turns import Turns
from tests.conftest import Slack
from tests.workflows.hall import Shelf, ToolHand
from tests.workflows.wall import AskedOnly

APPROVERS = ("U0ADA00001", "S0APPROVERS")  # Ada by name; Grace as a member of the group
TOOL = "update_service_config"
CATALOG = load_catalog(ROOT / "config")
SPEED = 20.0


@dataclass
class Public:
    """What is neither a decision nor a stop; stands where the agent's turns do."""

    prompts: list[Prompt] = field(default_factory=list)

    async def submit(self, prompt: Prompt) -> None:
        self.prompts.append(prompt)

    async def knows(self, _channel: str, thread_ts: str) -> bool:
        return bool(thread_ts)

    async def stop(self, _channel: str, _thread_ts: str) -> bool:
        return False

    async def amend(self, channel: str, thread_ts: str, ts: str, text: str | None) -> None:
        self.prompts.append(Prompt("amended", channel, thread_ts, ts, "", text or ""))


@dataclass
class Court:
    """One life of the bot, as far as decisions go, and what people do in its Slack."""

    slack: Slack
    ledger: Ledger
    proposals: Proposals
    planner: Planner
    public: Public
    resumed: AskedOnly

    async def propose(self, value: str = "20", channel: str = "", thread_ts: str = "") -> Approval:
        """A proposal whose card hangs in Slack, in a thread of its own unless one is given."""
        channel = channel or self.slack.channel
        thread_ts = thread_ts or await self.slack.say("why is it slow?", channel=channel)
        arguments = {"service": "api-server", "key": "DB_POOL_SIZE", "value": value}
        plan, file_hash = self.planner.plan(TOOL, arguments)
        call, expires = f"toolu_{uuid4().hex}", datetime.now(UTC) + timedelta(minutes=30)
        await self.ledger.approvals.propose(
            Proposal(call, uuid4(), TOOL, arguments, expires, file_hash, channel, thread_ts, plan)
        )
        await self.proposals.proposed(call)
        async with asyncio.timeout(30):
            while True:
                found = await self.ledger.approvals.find(call)
                assert found
                if found.card_ts:
                    return found
                await asyncio.sleep(0.05)

    async def state(self, approval: Approval) -> ApprovalState:
        found = await self.ledger.approvals.get(approval.id)
        assert found
        return found.state

    async def becomes(self, approval: Approval, state: ApprovalState) -> None:
        async with asyncio.timeout(30):
            while await self.state(approval) is not state:
                await asyncio.sleep(0.05)

    async def card(self, approval: Approval) -> dict[str, Any]:
        """The card's message as Slack has it."""
        found = await self.slack.look("thread", channel=approval.channel, ts=approval.thread_ts)
        return next(message for message in found["messages"] if message["ts"] == approval.card_ts)

    async def click(self, approval: Approval, user: str, action: str) -> None:
        where = {"channel": approval.channel, "ts": approval.card_ts}
        await self.slack.order("actions", **where, user=user, action_id=action)

    async def told(self, words: str, user: str = "Ada", times: int = 1) -> None:
        """Wait until somebody alone was told so, that many times in all."""
        person = self.slack.world["users"][user]
        async with asyncio.timeout(30):
            while (
                sum(
                    words in str(call["args"].get("text")) and call["args"].get("user") == person
                    for call in (await self.slack.look("calls", method="chat.postEphemeral"))["calls"]
                )
                < times
            ):
                await asyncio.sleep(0.05)

    async def asked(self) -> None:
        """Wait until somebody was asked for a reason."""
        async with asyncio.timeout(30):
            while not (await self.slack.look("calls", method="views.open"))["calls"]:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def sitting(folder: Path, slack: Slack, approvers: tuple[str, ...] = APPROVERS) -> AsyncIterator[Court]:
    """A court that sits until the block ends; the next one on the same folder finds what this one left."""
    env_dir = folder / "env"
    env_dir.mkdir(exist_ok=True)
    (env_dir / "api-server.env").write_text("DB_POOL_SIZE=1\n")
    url = f"sqlite:///{folder / 'court.db'}"
    async with AsyncExitStack() as stack:
        ledger = await Ledger.open(url)
        stack.push_async_callback(ledger.close)
        engine = Engine(url, "local", polling=0.05, pause=0.05)
        planner = Planner({spec.name: spec for spec in describe_tools()}, CATALOG, EnvFiles(env_dir))
        client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
        public, resumed = Public(), AskedOnly(ledger)
        shelf, hand = Shelf(), ToolHand(url, env_dir)
        stack.push_async_callback(hand.close)
        turns, hour = cast(Turns, resumed), timedelta(hours=1)
        rollbacks = Rollbacks(ledger, engine, planner, shelf, hand, turns, expires=hour, act=ACT, team="T1")
        proposals = Proposals(
            ledger,
            engine,
            SlackBoard(Outbox(client, SPEED)),
            turns,
            Seal(ledger, planner, Policy(), frozenset({TOOL}), frozenset()),
            planner,
            Approvers(client, approvers),
            None,
            shelf,
            rollbacks,
            team=slack.world["team"],
            boot=uuid4().hex,
        )
        proposals.define()
        rollbacks.define()
        stack.push_async_callback(engine.close)
        await engine.open()
        await proposals.open()
        app, door = AsyncApp(client=client), Membership(client)
        listeners.register(app, public, door, slack.bot, proposals)
        proposal.register(app, proposals, door)
        sockets = Sockets(app, slack.world["tokens"]["app"])
        stack.push_async_callback(sockets.close)
        await sockets.open()
        yield Court(slack, ledger, proposals, planner, public, resumed)
