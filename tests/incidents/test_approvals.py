"""Approvals in the ledger: every arrow once, none that is not drawn, and one use in all processes."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from sre_bot.errors import LedgerError, NotApproved
from sre_bot.incidents import ApprovalState, IllegalMove, Ledger, Proposal, hash_call
from sre_bot.incidents.approvals import Approvals
from sre_bot.incidents.model import APPROVAL_PREDECESSORS

from .conftest import OpenLedger, start_python

TOOL = "update_service_config"
ARGUMENTS = {"service": "api-server", "key": "DB_POOL_SIZE", "value": "20", "redeploy": True}
WAY: list[ApprovalState] = [ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXECUTING]


def proposal(call: str = "toolu_1", minutes: float = 15, **changes: Any) -> Proposal:
    expires = datetime.now(UTC) + timedelta(minutes=minutes)
    return Proposal(call, UUID(int=7), TOOL, {**ARGUMENTS, **changes}, expires, "0123456789abcdef")


async def executing(ledger: Ledger, call: str = "toolu_1", minutes: float = 15) -> None:
    await ledger.approvals.propose(proposal(call, minutes))
    for state in WAY:
        assert await ledger.approvals.move(call, state, by="U1")


async def bring(ledger: Ledger, call: str, state: ApprovalState) -> None:
    """Move a new approval to a state by the arrows of the drawing."""
    await ledger.approvals.propose(proposal(call))
    steps = [state]
    while before := APPROVAL_PREDECESSORS[steps[0]] - {ApprovalState.PROPOSED}:
        steps.insert(0, min(before, key=list(ApprovalState).index))
    for step in steps:
        if step is ApprovalState.CONSUMED:
            await ledger.approvals.consume(call, TOOL, ARGUMENTS)
        elif step is not ApprovalState.PROPOSED:
            await ledger.approvals.move(call, step)


async def test_an_approved_call_is_consumed_once_and_its_outcome_kept(ledger: Ledger) -> None:
    await executing(ledger)
    consumed = await ledger.approvals.consume("toolu_1", TOOL, dict(reversed(ARGUMENTS.items())))
    assert (consumed.state, consumed.file_hash) == (ApprovalState.CONSUMED, "0123456789abcdef")
    with pytest.raises(NotApproved, match=r"used already.* Nothing was executed\."):
        await ledger.approvals.consume("toolu_1", TOOL, ARGUMENTS)
    assert await ledger.approvals.move("toolu_1", ApprovalState.SUCCEEDED, outcome="CHANGED")
    found = await ledger.approvals.find("toolu_1")
    assert found
    assert (found.outcome, found.decided_by, found.arguments) == ("CHANGED", "U1", ARGUMENTS)
    moments = [found.proposed_at, found.decided_at, found.started_at, found.consumed_at, found.ended_at]
    assert moments == sorted(filter(None, moments))


@pytest.mark.parametrize(
    ("call", "tool", "arguments", "words"),
    [
        ("toolu_2", TOOL, ARGUMENTS, "no approval in the ledger"),
        ("toolu_1", "redeploy_service", ARGUMENTS, "differs from the one that was approved"),
        ("toolu_1", TOOL, {**ARGUMENTS, "value": "200"}, "differs"),
        ("toolu_1", TOOL, {**ARGUMENTS, "redeploy": 1}, "differs"),
        ("toolu_1", TOOL, {**ARGUMENTS, "expected_hash": None}, "differs"),
        ("toolu_1", TOOL, {}, "differs"),
    ],
)
async def test_another_call_uses_nothing_up(
    ledger: Ledger, call: str, tool: str, arguments: dict[str, Any], words: str
) -> None:
    await executing(ledger)
    with pytest.raises(NotApproved, match=words):
        await ledger.approvals.consume(call, tool, arguments)
    await ledger.approvals.consume("toolu_1", TOOL, ARGUMENTS)


async def test_an_approval_in_any_other_state_lets_nothing_through(ledger: Ledger) -> None:
    for state in set(ApprovalState) - {ApprovalState.EXECUTING}:
        await bring(ledger, f"toolu_{state}", state)
        with pytest.raises(NotApproved, match="Nothing was executed"):
            await ledger.approvals.consume(f"toolu_{state}", TOOL, ARGUMENTS)
        found = await ledger.approvals.find(f"toolu_{state}")
        assert found
        assert found.state is state


async def test_an_approval_whose_time_is_over_lets_nothing_through(ledger: Ledger) -> None:
    await executing(ledger, minutes=-1)
    with pytest.raises(NotApproved, match="has expired"):
        await ledger.approvals.consume("toolu_1", TOOL, ARGUMENTS)


async def test_only_the_arrows_of_the_drawing_are_gone(ledger: Ledger) -> None:
    for before, to in product(ApprovalState, set(ApprovalState) - {ApprovalState.CONSUMED}):
        call = f"toolu_{before}_{to}"
        await bring(ledger, call, before)
        if before in APPROVAL_PREDECESSORS[to]:
            assert await ledger.approvals.move(call, to)
        elif before is to:
            assert not await ledger.approvals.move(call, to)
        else:
            with pytest.raises(IllegalMove, match=f"is {before} and cannot become {to}; it stays {before}"):
                await ledger.approvals.move(call, to)


async def test_nobody_moves_an_approval_to_consumed_but_its_call(ledger: Ledger) -> None:
    await executing(ledger)
    with pytest.raises(IllegalMove):
        await ledger.approvals.move("toolu_1", ApprovalState.CONSUMED)


async def test_of_two_decisions_at_once_one_counts(ledger: Ledger, url: str, open_ledger: OpenLedger) -> None:
    other = await open_ledger(url)
    await ledger.approvals.propose(proposal())
    await ledger.approvals.move("toolu_1", ApprovalState.PENDING)
    results = await asyncio.gather(
        ledger.approvals.move("toolu_1", ApprovalState.APPROVED, by="U1"),
        other.approvals.move("toolu_1", ApprovalState.REJECTED, by="U2"),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["IllegalMove", "bool"]


async def test_proposing_again_gives_the_row_that_is_there_and_never_another_call(ledger: Ledger) -> None:
    first = await ledger.approvals.propose(proposal())
    await ledger.approvals.move("toolu_1", ApprovalState.PENDING)
    again = await ledger.approvals.propose(proposal(minutes=99))
    assert (again.id, again.state, again.expires_at) == (first.id, ApprovalState.PENDING, first.expires_at)
    with pytest.raises(LedgerError, match="was proposed before, with other arguments"):
        await ledger.approvals.propose(proposal(value="200"))


async def test_what_is_unfinished_is_found_after_a_crash(ledger: Ledger) -> None:
    await executing(ledger, "toolu_1")
    await executing(ledger, "toolu_2")
    await ledger.approvals.consume("toolu_2", TOOL, ARGUMENTS)
    await ledger.approvals.propose(proposal("toolu_3"))
    await ledger.approvals.move("toolu_3", ApprovalState.EXPIRED, reason="the file changed")
    found = [(each.tool_use_id, each.state) for each in await ledger.approvals.unfinished()]
    assert found == [("toolu_1", ApprovalState.EXECUTING), ("toolu_2", ApprovalState.CONSUMED)]


async def test_an_approval_outlives_the_pruning_of_its_thread(ledger: Ledger) -> None:
    await ledger.approvals.propose(proposal())
    await ledger.prune(datetime.now(UTC) + timedelta(days=1))
    assert await ledger.approvals.find("toolu_1")


async def test_of_many_processes_that_want_an_approval_one_gets_it(ledger: Ledger, url: str) -> None:
    await executing(ledger)
    tools = [start_python(CONSUMES_WHEN_TOLD, url) for _ in range(5)]
    for tool in tools:
        assert tool.stdout
        assert await asyncio.to_thread(tool.stdout.readline) == "ready\n"
    for tool in tools:
        assert tool.stdin
        tool.stdin.write("go\n")
        tool.stdin.flush()
    said = [(await asyncio.to_thread(tool.communicate))[0] for tool in tools]
    assert sorted(said) == ["consumed\n"] + ["refused\n"] * 4


CONSUMES_WHEN_TOLD = f"""
import asyncio, sys
from sre_bot.errors import NotApproved
from sre_bot.incidents.approvals import Approvals

async def run():
    approvals = Approvals.open(sys.argv[1])
    await approvals.find("warm")
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        await approvals.consume("toolu_1", {TOOL!r}, {ARGUMENTS!r})
        print("consumed")
    except NotApproved:
        print("refused")
    await approvals.close()

asyncio.run(run())
"""


def test_a_ledger_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"There is no ledger .*\. Check DATABASE_URL"):
        Approvals.open(f"sqlite:///{tmp_path}/x.db")


async def test_a_database_without_a_ledger_lets_nothing_through(empty_postgres_url: str) -> None:
    approvals = Approvals.open(empty_postgres_url)
    with pytest.raises(LedgerError, match=r"is not the bot's own, .* Check DATABASE_URL"):
        await approvals.consume("toolu_1", TOOL, ARGUMENTS)
    await approvals.close()


def test_the_same_call_has_the_same_hash_however_it_is_written() -> None:
    assert hash_call("t", {"a": 1, "b": {"c": [1, 2], "d": "é"}}) == hash_call(
        "t", {"b": {"d": "é", "c": [1, 2]}, "a": 1}
    )
    assert hash_call("t", {"a": "1"}) != hash_call("t", {"a": 1})
    assert hash_call("t", {"a": 1}) != hash_call("u", {"a": 1})
