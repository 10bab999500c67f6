"""Two halves of the bot, put together: the agent with what it may do by itself, and the workflows around it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sre_bot.agent.approvals import Seal
from sre_bot.agent.exhibits import Keeper
from sre_bot.agent.options import AgentOptions, tool_process
from sre_bot.agent.pool import SessionPool
from sre_bot.agent.records import Name, Recorder
from sre_bot.agent.stream import Describe
from sre_bot.agent.tool_process import ToolProcess
from sre_bot.catalog import Catalog
from sre_bot.clients.env_files import EnvFiles
from sre_bot.clients.prometheus import Prometheus
from sre_bot.errors import CatalogError
from sre_bot.incidents.ledger import Ledger
from sre_bot.policy import Policy, load_policy, problem_of_server
from sre_bot.settings import Settings
from sre_bot.tools.offer import SERVER_NAME, describe_tools
from sre_bot.tools.planning import Planner
from sre_bot.tools.spec import Access, ToolSpec, shorten
from sre_bot.workflows.approvals import ACT, Electorate, Proposals
from sre_bot.workflows.budgets import Budgets
from sre_bot.workflows.cases import CaseWork
from sre_bot.workflows.circumstances import Circumstances
from sre_bot.workflows.closing import Closing
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.intake import Intake
from sre_bot.workflows.lease import Lease
from sre_bot.workflows.past import Library, PastIncidents
from sre_bot.workflows.people import Attachments, Board, People, ProposalBoard
from sre_bot.workflows.recovery import Recovery
from sre_bot.workflows.retention import Retention
from sre_bot.workflows.rollback import Rollbacks
from sre_bot.workflows.storms import Storms
from sre_bot.workflows.turns import Turns
from sre_bot.workflows.verdict_chart import VerdictChart
from sre_bot.workflows.verification import Verifier

NAME_LIMIT = 100  # characters of the name of a tool that is not ours
FURTHER = "mcp.json"
"""Further MCP servers, in the standard shape, in SRE_CONFIG_DIR."""


@dataclass(frozen=True)
class AgentParts:
    """What the workflows need of it."""

    pool: SessionPool
    seal: Seal
    planner: Planner
    describe: Describe
    policy: Policy
    hand: ToolProcess


async def _by_id(person: str) -> str:
    return person


def assemble_agent(settings: Settings, catalog: Catalog, ledger: Ledger, name: Name = _by_id) -> AgentParts:
    """Build the agent's half.

    Args:
        settings: the bot's settings.
        catalog: services and what depends on them.
        ledger: the ledger.
        name: names people in what is published; without it they are called by Slack's ids.

    Raises:
        CatalogError: policy.yaml or mcp.json cannot be used.
    """
    config_dir = settings.tools.config_dir
    specs = {spec.name: spec for spec in describe_tools(settings.tools)}
    writing = {name: spec for name, spec in specs.items() if spec.access is not Access.READ}
    # All tools, not only those that these settings offer: a policy is the same for a bot that lacks a system.
    every = {spec.name: spec.access is Access.NOTIFY for spec in describe_tools() if spec.access is not Access.READ}
    policy = load_policy(config_dir, every)
    free = _free(specs, policy)
    planner = Planner(specs, catalog, EnvFiles(settings.tools.remediation.env_dir or config_dir))
    seal = Seal(ledger, planner, policy, frozenset(writing), free, Recorder(ledger, name))
    keeper = Keeper(ledger.exhibits)
    options = AgentOptions(settings, sorted(free), ledger.transcripts, seal, load_further_servers(config_dir), keeper)

    def describe(name: str, given: Mapping[str, Any]) -> str:
        return _describe(specs, name, given)

    pool = SessionPool(options, settings.run, settings.house, describe)
    hand = ToolProcess(tool_process(settings.tools, settings.database_url))
    return AgentParts(pool, seal, planner, describe, policy, hand)


@dataclass(frozen=True)
class Flows:
    """The workflows, joined but not opened."""

    turns: Turns
    engine: Engine
    intake: Intake
    cases: CaseWork
    proposals: Proposals
    closing: Closing
    lease: Lease
    retention: Retention


class Boards(Board, ProposalBoard, Protocol):
    """Where cards of both kinds are shown."""


@dataclass(frozen=True)
class Place:
    """Who this process is, and in which workspace."""

    replica: str
    boot: str
    team: str


def assemble_flows(
    settings: Settings,
    catalog: Catalog,
    ledger: Ledger,
    agent: AgentParts,
    people: People,
    board: Boards,
    attachments: Attachments,
    electorate: Electorate,
    metrics: Prometheus,
    sources: frozenset[str],
    place: Place,
    library: Library | None = None,
) -> Flows:
    """Build the workflows and tell each of the others that it needs.

    Args:
        settings: the bot's settings.
        catalog: services and thresholds.
        ledger: the ledger.
        agent: the agent's half.
        people: the people in threads.
        board: where cards are shown.
        attachments: files beside cards.
        electorate: who may decide on proposals.
        metrics: answers PromQL, for the check after a change.
        sources: whom the buttons of a card can reach: `pd`, `am`.
        place: who this process is.
        library: has post-mortems beside those that the bot published; None where there is none.
    """
    around = Circumstances(
        replica=place.replica,
        alone=ledger.single,
        concurrent=settings.run.concurrent,
        in_all=settings.run.concurrent_in_all,
        budgets=Budgets(ledger.runs, settings.incidents),
        services=tuple(catalog.services),
        describe=agent.describe,
        past=PastIncidents(ledger, tuple(catalog.services), library).recall,
    )
    turns = Turns(ledger, agent.pool, people, around)
    engine = Engine(settings.database_url, place.replica)
    storms = Storms(catalog, settings.incidents.storm_window)
    intake = Intake(ledger.cases, storms, engine, settings.slack.incident_channel)
    cases = CaseWork(
        ledger,
        engine,
        intake,
        board,
        turns,
        catalog,
        settings.incidents,
        boot=place.boot,
        team=place.team,
        can_acknowledge="pd" in sources,
        silences=sources,
    )
    rollbacks = Rollbacks(
        ledger,
        engine,
        agent.planner,
        attachments,
        agent.hand,
        turns,
        expires=agent.policy.expires,
        act=ACT,
        team=place.team,
    )
    chart = VerdictChart(ledger, metrics, catalog, attachments)
    tools = settings.tools
    closing = Closing(ledger, turns, place.team, publishes=bool(tools.confluence), resolves=bool(tools.pagerduty))
    verifier = Verifier(
        ledger, engine, metrics, catalog, turns, chart, rollbacks, settings.verification, place.team, closing
    )
    proposals = Proposals(
        ledger,
        engine,
        board,
        turns,
        agent.seal,
        agent.planner,
        electorate,
        verifier,
        attachments,
        rollbacks,
        team=place.team,
        boot=place.boot,
        closing=closing,
    )
    for part in (cases, verifier, proposals, rollbacks):
        part.define()
    around.background, around.changed, around.proposals = cases.background, cases.changed, proposals
    cases.closed = proposals.offer_anew
    recovery = Recovery(ledger, people, turns, around)
    lease = Lease(ledger.replicas, engine, recovery, place.replica, alone=ledger.single, inherited=proposals.open)
    retention = Retention(ledger, engine, settings.incidents.retention_days)
    return Flows(turns, engine, intake, cases, proposals, closing, lease, retention)


def load_further_servers(config_dir: Path) -> Mapping[str, Any]:
    """The servers of mcp.json, by name; nothing where there is no such file.

    Raises:
        CatalogError: it is not of the standard shape, or a name could be taken for another server's.
    """
    path = config_dir / FURTHER
    if not path.exists():
        return {}
    try:
        servers = json.loads(path.read_text(encoding="utf-8"))["mcpServers"]
        if not all(isinstance(server, dict) for server in dict(servers).values()):
            raise TypeError("each server is an object")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CatalogError(
            f'{path}: must be {{"mcpServers": {{"name": {{"command": …}}}}}} ({type(error).__name__}: {error}).'
        ) from error
    if problems := [f"{path}: {problem}" for name in servers if (problem := problem_of_server(name))]:
        raise CatalogError("\n".join(problems))
    return dict(servers)


def _free(specs: Mapping[str, ToolSpec], policy: Policy) -> frozenset[str]:
    """The tools that run without asking, as Claude Code names them."""
    own = (name for name, spec in specs.items() if spec.access is Access.READ)
    return frozenset(f"mcp__{SERVER_NAME}__{name}" for name in own) | policy.foreign_tools()


def _describe(specs: Mapping[str, ToolSpec], name: str, arguments: Mapping[str, Any]) -> str:
    """The line that people read for a call: the tool's own words, or its name for one that we do not know."""
    spec = specs.get(name.removeprefix(f"mcp__{SERVER_NAME}__"))
    return spec.describe_call(arguments) if spec else f"`{shorten(name, NAME_LIMIT).replace('`', '')}`"
