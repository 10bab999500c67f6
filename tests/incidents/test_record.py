"""What is recorded of a thread, read back whole, and nothing of another one."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import update

from sre_bot.incidents import ApprovalState, Ledger, Proposal
from sre_bot.incidents.database import Database
from sre_bot.incidents.plan import Plan
from sre_bot.incidents.tables import deliveries
from tests.incidents.pages import change, deliver, fold, page


async def propose(ledger: Ledger, call: str, thread_ts: str) -> None:
    expires = datetime.now(UTC) + timedelta(minutes=5)
    plan = Plan("Set it", sealed={"recorded": {"timeline": "x"}})
    await ledger.approvals.propose(Proposal(call, uuid4(), "tool", {}, expires, None, "C1", thread_ts, plan))


async def test_a_threads_record_is_its_pages_its_turns_and_its_proposals(ledger: Ledger):
    await deliver(ledger, change("Q1", "annotated", 60), page("Q1"), page("Q2", 5, service="billing"))
    for case_id in sorted(await fold(ledger)):
        await ledger.cases.posted(case_id, "C1", f"{case_id}.0")
    case = await ledger.cases.of_incident("pd:Q1")
    assert case
    assert case.thread_ts
    for ts in (case.thread_ts, "9.0"):
        thread = await ledger.thread("C1", ts, team="T1", started_by="U1")
        await ledger.queue_turn(thread.id, turn_id=uuid4(), prompt_ts="auto:1", author="", prompt=f"look at {ts}")
        await propose(ledger, f"toolu_{ts}", ts)
    record = await ledger.records.of_thread("C1", case.thread_ts)
    assert record.case == case
    assert [(each.incident, each.kind) for each in record.changes] == [("pd:Q1", "triggered"), ("pd:Q1", "annotated")]
    assert [turn.prompt for turn in record.turns] == [f"look at {case.thread_ts}"]
    (approval,) = record.approvals
    assert approval.tool_use_id == f"toolu_{case.thread_ts}"
    assert approval.plan.sealed == {"recorded": {"timeline": "x"}}
    assert approval.state is ApprovalState.PROPOSED


async def test_a_thread_without_a_card_has_no_case_and_an_unknown_one_has_nothing(ledger: Ledger):
    thread = await ledger.thread("C1", "1.0", team="T1", started_by="U1")
    await ledger.queue_turn(thread.id, turn_id=uuid4(), prompt_ts="1.0", author="U1", prompt="look")
    record = await ledger.records.of_thread("C1", "1.0")
    assert (record.case, record.changes, len(record.turns)) == (None, (), 1)
    nothing = await ledger.records.of_thread("C1", "2.0")
    assert (nothing.case, nothing.turns, nothing.approvals) == (None, (), ())


async def test_a_delivery_of_another_version_is_left_out(ledger: Ledger, url: str):
    await deliver(ledger, page("Q1"), change("Q1", "annotated", 60))
    (case_id,) = await fold(ledger)
    await ledger.cases.posted(case_id, "C1", "1.0")
    database = Database(url)
    async with database.writing() as connection:
        odd = [{"incident": "pd:Q1", "flavour": "strange"}]
        await connection.execute(update(deliveries).where(deliveries.c.kind == "annotated").values(changes=odd))
    await database.close()
    assert [each.kind for each in (await ledger.records.of_thread("C1", "1.0")).changes] == ["triggered"]
