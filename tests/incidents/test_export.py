"""An incident's whole record, by any of its names; and nothing of its neighbours."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from sre_bot.errors import LedgerError
from sre_bot.incidents import Ledger, Proposal, Thread, Turn
from sre_bot.incidents.export import export_incident

from .pages import deliver, fold, only_case, page, resolution


@pytest.mark.parametrize("name", ["P1", "pd:P1", "case", "place"])
async def test_a_record_is_found_by_any_of_its_names(
    ledger: Ledger, url: str, thread: Thread, turn: Turn, name: str
) -> None:
    await deliver(ledger, page("P1"), page("P2", 1, "auth"), resolution("P1", 60))
    await fold(ledger)
    case = await only_case(ledger, "P1")
    await ledger.cases.posted(case.id, thread.channel, thread.thread_ts)
    names = {"case": f"case:{case.id}", "place": f"{thread.channel}/{thread.thread_ts}"}

    record = await export_incident(url, names.get(name, name))

    assert record
    assert [each["key"] for each in record["incidents"]] == ["pd:P1"]
    assert [each["kind"] for each in record["deliveries"]] == ["triggered", "resolved"]
    assert [each["prompt"] for each in record["turns"]] == [turn.prompt]
    assert (record["approvals"], record["transcript"]) == ([], [])


async def test_a_rollback_is_in_the_record_of_the_thread_in_which_it_was_offered(
    ledger: Ledger, url: str, thread: Thread
) -> None:
    expires = datetime.now(UTC) + timedelta(minutes=15)
    for number, place in enumerate((thread.thread_ts, "9.9")):
        sealed = Proposal(
            f"rollback:{number}", uuid4(), "x", {}, expires, None, thread.channel, place, rolls_back=number
        )
        await ledger.approvals.propose(sealed)
    record = await export_incident(url, f"{thread.channel}/{thread.thread_ts}")
    assert record
    assert [each["rolls_back"] for each in record["approvals"]] == [0]


async def test_a_case_without_a_card_has_a_record_too(ledger: Ledger, url: str) -> None:
    await deliver(ledger, page("P1"))
    await fold(ledger)
    record = await export_incident(url, "P1")
    assert record
    assert (record["thread"], record["turns"]) == (None, [])


@pytest.mark.parametrize("name", ["P9", "case:99", "C9/1.0", "", "/", "case:x"])
async def test_what_nobody_knows_has_none(ledger: Ledger, url: str, name: str) -> None:
    assert await export_incident(url, name) is None


async def test_no_database_is_made(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(LedgerError, match="There is no ledger"):
            await export_incident(f"sqlite:///{tmp_path / 'none.db'}", "P1")
