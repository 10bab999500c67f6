"""The positive control: what a person approved happens, once, and exactly that; everything else still does not."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, update

from sre_bot.agent.approvals import ONE_AT_A_TIME
from sre_bot.agent.events import Outcome
from sre_bot.incidents.model import ApprovalState
from sre_bot.incidents.tables import approvals

from .target import BEFORE, Target, change

AFTER = BEFORE.replace(b"DB_POOL_SIZE=1\n", b"DB_POOL_SIZE=20\n")


async def test_an_approved_change_is_executed_once_and_no_resume_repeats_it(target: Target):
    approval, session = await target.propose()
    await target.decide(approval, ApprovalState.APPROVED)
    end = await target.resume(session)
    assert (end.outcome, end.answer) == (Outcome.ANSWERED, "It is done.")
    assert target.env_file.read_bytes() == AFTER
    row = await target.approval(approval.tool_use_id)
    assert row.state is ApprovalState.SUCCEEDED
    assert "CHANGED" in row.outcome
    target.env_file.write_bytes(BEFORE)  # a second execution would show
    end, _ = await target.run({"text": "Nothing more."}, session=session)
    assert end.outcome is Outcome.ANSWERED
    assert target.env_file.read_bytes() == BEFORE
    assert await target.approval(approval.tool_use_id) == row


async def test_a_process_that_waits_for_the_decision_executes_it_once(target: Target):
    approval, session = await target.propose()
    target.agent.pool.expect(session)
    await target.decide(approval, ApprovalState.APPROVED)
    assert (await target.resume(session)).outcome is Outcome.ANSWERED
    assert target.env_file.read_bytes() == AFTER
    assert (await target.approval(approval.tool_use_id)).state is ApprovalState.SUCCEEDED


@pytest.mark.parametrize("again", [change("200"), change(), change(redeploy=True)])
async def test_after_an_approval_the_next_call_needs_one_of_its_own(target: Target, again):
    if again == change():
        again = change("20", expected_hash="0" * 16)  # the same once more could not even be proposed: it stands there
    approval, session = await target.propose(change(), [{"text": "Approved, so I go on."}, again], {"text": "Done."})
    await target.decide(approval, ApprovalState.APPROVED)
    await target.resume(session)
    assert target.env_file.read_bytes() == AFTER
    first, *others = await target.approvals()
    assert first.state is ApprovalState.SUCCEEDED
    assert all(row.started_at is None and row.state is ApprovalState.PROPOSED for row in others)


async def test_of_two_calls_in_one_turn_the_approval_lets_one_happen(target: Target):
    approval, session = await target.propose([change("20"), change("200")], {"text": "Done."})
    await target.decide(approval, ApprovalState.APPROVED)
    assert (await target.resume(session)).outcome is Outcome.ANSWERED
    assert target.env_file.read_bytes() == AFTER
    assert ONE_AT_A_TIME in target.heard()
    assert len(await target.approvals()) == 1


async def test_what_is_rejected_is_not_executed_and_the_model_reads_why(target: Target):
    approval, session = await target.propose()
    await target.decide(approval, ApprovalState.REJECTED, "the pool is not the cause")
    end = await target.resume(session)
    assert end.outcome is Outcome.ANSWERED
    await target.untouched()
    assert "A person rejected this: the pool is not the cause." in target.heard()


@pytest.mark.parametrize("decided", [True, False])
async def test_what_has_expired_is_not_executed(target: Target, decided: bool):
    approval, session = await target.propose()
    if decided:
        await target.decide(approval, ApprovalState.APPROVED)
        engine = create_engine(f"sqlite:///{target.folder / 'ledger.db'}")
        with engine.begin() as connection:
            past = datetime.now(UTC) - timedelta(seconds=1)
            connection.execute(update(approvals).values(expires_at=past))
        engine.dispose()
    else:
        await target.decide(approval, ApprovalState.EXPIRED)
    assert (await target.resume(session)).outcome is Outcome.ANSWERED
    await target.untouched()
    assert (await target.approval(approval.tool_use_id)).state is ApprovalState.EXPIRED


async def test_a_file_that_was_changed_after_the_proposal_voids_it(target: Target):
    approval, session = await target.propose()
    await target.decide(approval, ApprovalState.APPROVED)
    edited = BEFORE + b"APP_VERSION=1.2.3\n"
    target.env_file.write_bytes(edited)
    assert (await target.resume(session)).outcome is Outcome.ANSWERED
    assert target.env_file.read_bytes() == edited
    assert (await target.approval(approval.tool_use_id)).state is ApprovalState.FAILED
