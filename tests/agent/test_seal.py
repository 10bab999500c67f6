"""The hook by itself: whatever stands in the ledger, one call is let through at most once, and in doubt nothing is."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from claude_agent_sdk.types import HookContext, HookInput

from sre_bot.agent.approvals import NOT_OFFERED, ONE_AT_A_TIME, POLICY, Seal
from sre_bot.catalog import load_catalog
from sre_bot.clients.env_files import EnvFiles
from sre_bot.incidents import ApprovalState, Ledger, Proposal
from sre_bot.incidents.model import APPROVAL_PREDECESSORS, Approval
from sre_bot.policy import ApprovalPolicy, Policy
from sre_bot.settings import ROOT
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.planning import Planner
from sre_bot.tools.spec import Access
from tests.incidents.conftest import no_connection_is_left_behind as no_connection_is_left_behind

TOOL = "update_service_config"
ARGUMENTS = {"service": "api-server", "key": "DB_POOL_SIZE", "value": "20"}
OTHER = {**ARGUMENTS, "value": "200"}
PAGE = {"title": "api-server is down", "details": "", "urgency": "high"}
SESSION = UUID(int=7)

Ask = Callable[..., Awaitable[tuple[str, str]]]


@pytest_asyncio.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(database_url)
    thread = await opened.thread("C1", "1.0", team="T1", started_by="U1")
    await opened.bind_session(thread.id, SESSION)
    yield opened
    await opened.close()


@pytest.fixture
def env_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "env"
    folder.mkdir()
    (folder / "api-server.env").write_text("DB_POOL_SIZE=1\n")
    return folder


@pytest.fixture
def make_seal(ledger: Ledger, env_dir: Path) -> Callable[..., Seal]:
    specs = {spec.name: spec for spec in describe_tools()}
    gated = frozenset(name for name, spec in specs.items() if spec.access is not Access.READ)
    free = frozenset(f"mcp__sre__{name}" for name in specs if name not in gated)
    planner = Planner(specs, load_catalog(ROOT / "config"), EnvFiles(env_dir))

    def make(**approval: Any) -> Seal:
        policy = Policy(approval=ApprovalPolicy.model_validate(approval))
        return Seal(ledger, planner, policy, gated, free)

    return make


def asker(seal: Seal, session: UUID = SESSION, *, waits: bool = False) -> Ask:
    """The hook of one process; gives the decision and its reason."""
    (matcher,) = seal.hooks(session, waits=waits)["PreToolUse"]
    (hook,) = matcher.hooks

    async def ask(
        call: str | None = "toolu_1", arguments: Any = ARGUMENTS, name: str = f"mcp__sre__{TOOL}"
    ) -> tuple[str, str]:
        given = cast(HookInput, {"tool_name": name, "tool_input": arguments})
        said = cast(dict[str, Any], await hook(given, call, cast(HookContext, {"signal": None})))
        output = said.get("hookSpecificOutput", {})
        return output.get("permissionDecision", ""), output.get("permissionDecisionReason", "")

    return ask


async def bring(ledger: Ledger, state: ApprovalState, minutes: float = 15, call: str = "toolu_1") -> Approval:
    """An approval in this state."""
    expires = datetime.now(UTC) + timedelta(minutes=minutes)
    await ledger.approvals.propose(Proposal(call, SESSION, TOOL, ARGUMENTS, expires, channel="C1", thread_ts="1.0"))
    steps = [state]
    while before := APPROVAL_PREDECESSORS[steps[0]] - {ApprovalState.PROPOSED}:
        steps.insert(0, min(before, key=list(ApprovalState).index))
    for step in steps:
        if step is ApprovalState.CONSUMED:
            await ledger.approvals.consume(call, TOOL, ARGUMENTS)
        elif step is not ApprovalState.PROPOSED:
            await ledger.approvals.move(call, step, by="U1")
    return await find(ledger, call)


def take_away(database: Path) -> None:
    """From now on it cannot be opened."""
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    database.mkdir()


async def find(ledger: Ledger, call: str = "toolu_1") -> Approval:
    found = await ledger.approvals.find(call)
    assert found
    return found


@pytest.mark.parametrize("state", list(ApprovalState))
async def test_only_the_approved_call_of_its_own_conversation_is_let_through(
    ledger: Ledger, make_seal, state: ApprovalState
):
    seal = make_seal()
    for number, session in enumerate([SESSION, UUID(int=8)]):
        for at, arguments in enumerate([ARGUMENTS, dict(reversed(ARGUMENTS.items())), OTHER]):
            call = f"toolu_{number}_{at}"
            await bring(ledger, state, call=call)
            decision, reason = await asker(seal, session)(call, arguments)
            after = (await find(ledger, call)).state
            expected = ("deny", state)
            if session == SESSION and state in (ApprovalState.PROPOSED, ApprovalState.PENDING):
                expected = ("defer", state)
            elif session == SESSION and arguments != OTHER:
                if state is ApprovalState.APPROVED:
                    expected = ("allow", ApprovalState.EXECUTING)
                elif state is ApprovalState.EXECUTING:  # whoever began it is gone
                    expected = ("deny", ApprovalState.EXPIRED)
            assert (decision, after) == expected, (session, arguments)
            said = re.search("othing was executed|executed once already|outcome is unknown", reason)
            assert bool(said) is (decision == "deny")


async def test_an_approval_that_is_too_old_begins_nothing(ledger: Ledger, make_seal):
    await bring(ledger, ApprovalState.APPROVED, minutes=-1)
    decision, reason = await asker(make_seal())()
    assert (decision, (await find(ledger)).state) == ("deny", ApprovalState.EXPIRED)
    assert "expired" in reason


async def test_a_new_call_is_sealed_with_its_plan_and_deferred_and_the_next_is_to_be_asked_for_again(
    ledger: Ledger, make_seal
):
    ask = asker(make_seal())
    assert await ask() == ("defer", "")
    assert await ask("toolu_2", OTHER) == ("deny", ONE_AT_A_TIME)
    assert await ask() == ("defer", ""), "asked about again it is the same proposal"
    row = await find(ledger)
    assert (row.state, row.channel, row.thread_ts) == (ApprovalState.PROPOSED, "C1", "1.0")
    assert "+DB_POOL_SIZE=20" in row.plan.diff
    assert await ledger.approvals.find("toolu_2") is None


async def test_of_calls_side_by_side_one_is_sealed(ledger: Ledger, make_seal):
    ask = asker(make_seal())
    said = await asyncio.gather(*(ask(f"toolu_{number}") for number in range(10)))
    assert sorted(decision for decision, _ in said) == sorted(["defer", *["deny"] * 9])


@pytest.mark.parametrize("shared", [True, False], ids=["one process", "twenty processes"])
async def test_of_twenty_that_are_asked_about_one_approved_call_one_lets_it_through(ledger: Ledger, make_seal, shared):
    await bring(ledger, ApprovalState.APPROVED)
    seal, process = make_seal(), asker(make_seal())
    said = await asyncio.gather(*((process if shared else asker(seal))() for _ in range(20)))
    assert [decision for decision, _ in said].count("allow") == 1
    assert {decision for decision, _ in said} == {"allow", "deny"}


@pytest.mark.parametrize(
    "arguments",
    [
        {**ARGUMENTS, "service": "nobody"},
        {**ARGUMENTS, "service": "../api-server"},
        {**ARGUMENTS, "key": "PATH"},
        {**ARGUMENTS, "value": "20\nX=1"},
        {**ARGUMENTS, "value": "1"},
        {**ARGUMENTS, "approved": True},
        {**ARGUMENTS, "expected_hash": "0" * 16},
        {},
    ],
)
async def test_what_could_not_succeed_is_refused_and_nobody_is_asked(ledger: Ledger, make_seal, arguments):
    ask = asker(make_seal())
    decision, reason = await ask(arguments=arguments)
    assert decision == "deny"
    assert reason.endswith("Nothing was executed, and nobody was asked.")
    assert await ledger.approvals.find("toolu_1") is None
    assert await ask("toolu_2") == ("defer", ""), "a better call may be proposed in the same turn"


@pytest.mark.parametrize(
    "name",
    [
        TOOL,
        f"mcp__SRE__{TOOL}",
        f"mcp__sre__{TOOL.upper()}",
        f"mcp__sre__{TOOL} ",
        f"mcp__sre__mcp__sre__{TOOL}",
        "mcp__sre__",
        "mcp__other__get_logs",
        "Bash",
        "",
    ],
)
async def test_a_name_that_is_not_exactly_a_tools_is_refused(ledger: Ledger, make_seal, name):
    assert await asker(make_seal())(name=name) == ("deny", NOT_OFFERED)
    assert await ledger.approvals.find("toolu_1") is None


@pytest.mark.parametrize("call", [None, ""])
async def test_a_call_without_an_id_is_refused(make_seal, call):
    assert await asker(make_seal())(call) == ("deny", NOT_OFFERED)


async def test_a_tool_that_reads_is_left_to_the_allow_list(make_seal):
    assert await asker(make_seal())(None, {}, "mcp__sre__read_service_config") == ("", "")


async def test_a_conversation_without_a_thread_can_propose_nothing(ledger: Ledger, make_seal):
    decision, reason = await asker(make_seal(), uuid4())()
    assert decision == "deny"
    assert "no thread" in reason


@pytest.mark.parametrize("state", [None, ApprovalState.APPROVED])
async def test_while_the_ledger_is_away_nothing_is_let_through(tmp_path: Path, env_dir: Path, state):
    path = tmp_path / "away.db"
    ledger = await Ledger.open(f"sqlite:///{path}")
    thread = await ledger.thread("C1", "1.0", team="T1", started_by="U1")
    await ledger.bind_session(thread.id, SESSION)
    if state:
        await bring(ledger, state)
    await ledger.close()
    take_away(path)
    specs = {spec.name: spec for spec in describe_tools()}
    planner = Planner(specs, load_catalog(ROOT / "config"), EnvFiles(env_dir))
    seal = Seal(ledger, planner, Policy(), frozenset({TOOL}), frozenset())
    decision, reason = await asker(seal)()
    assert decision == "deny"
    assert "could not be recorded" in reason
    await ledger.close()


async def test_what_the_policy_frees_runs_on_a_row_of_its_own(ledger: Ledger, make_seal):
    ask = asker(make_seal(free=["pagerduty_create_incident"]))
    page = "mcp__sre__pagerduty_create_incident"
    assert await ask("toolu_page", PAGE, page) == ("allow", "")
    row = await find(ledger, "toolu_page")
    assert (row.state, row.decided_by) == (ApprovalState.EXECUTING, POLICY)
    assert (await ask("toolu_page", PAGE, page))[0] == "deny", "not twice"
    assert await ask() == ("defer", ""), "and frees nothing else"
    assert await ask("toolu_more", PAGE, page) == ("allow", ""), "beside one that waits"


async def test_what_the_policy_does_not_free_waits(ledger: Ledger, make_seal):
    assert await asker(make_seal())("toolu_page", PAGE, "mcp__sre__pagerduty_create_incident") == ("defer", "")


# --- A process that waits -------------------------------------------------------------------------------------------


async def waiting(seal: Seal) -> asyncio.Task[tuple[str, str]]:
    task = asyncio.create_task(cast(Any, asker(seal, waits=True)()))
    async with asyncio.timeout(60):
        while "toolu_1" not in seal._decided:
            await asyncio.sleep(0.01)
    return cast("asyncio.Task[tuple[str, str]]", task)


@pytest.mark.parametrize(("to", "said"), [(ApprovalState.APPROVED, "allow"), (ApprovalState.REJECTED, "deny")])
@pytest.mark.parametrize("told", [True, False], ids=["told", "decided elsewhere"])
async def test_a_process_that_waits_goes_on_with_the_decision(ledger: Ledger, make_seal, to, said, told):
    await bring(ledger, ApprovalState.PENDING)
    seal = make_seal()
    task = await waiting(seal)
    await ledger.approvals.move("toolu_1", to, by="U1", reason="not now")
    if told:
        seal.decided("toolu_1")
    async with asyncio.timeout(60):
        decision, reason = await task
    assert decision == said
    assert ("not now" in reason) is (said == "deny")


async def test_a_process_that_is_let_go_leaves_the_call_deferred_and_the_next_waits_again(ledger: Ledger, make_seal):
    await bring(ledger, ApprovalState.PENDING)
    seal = make_seal()
    task = await waiting(seal)
    seal.release(SESSION)
    assert await task == ("defer", "")
    again = await waiting(seal)
    assert not again.done()
    await ledger.approvals.move("toolu_1", ApprovalState.APPROVED, by="U1")
    seal.decided("toolu_1")
    assert await again == ("allow", "")


async def test_what_let_an_earlier_process_go_does_not_let_the_next_one_go(ledger: Ledger, make_seal):
    await bring(ledger, ApprovalState.PENDING)
    seal = make_seal()
    seal.release(SESSION)  # when nobody waited any more
    task = await waiting(seal)
    await asyncio.sleep(0)
    await ledger.approvals.move("toolu_1", ApprovalState.APPROVED, by="U1")
    seal.decided("toolu_1")
    assert await task == ("allow", "")


async def test_a_process_does_not_wait_beyond_the_end_of_the_proposal(ledger: Ledger, make_seal):
    await bring(ledger, ApprovalState.PENDING, minutes=0.005)
    async with asyncio.timeout(60):
        assert await asker(make_seal(), waits=True)() == ("defer", "")
