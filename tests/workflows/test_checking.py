"""An answer checked while it is written: marks at the ends of lines, a verdict that stands or does not."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre_bot.agent.events import Event, Outcome, RunEnded, TextBreak, TextDelta, ToolFinished, ToolStarted
from sre_bot.errors import LedgerError
from sre_bot.evidence.exhibit import Exhibit
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Thread
from sre_bot.workflows.checking import UNCHECKED, Checking
from sre_bot.workflows.exhibits import ExhibitRoom

SERVICES = ("api-server", "payment-svc")
HEALTH = "api-server CRITICAL\n  error_rate 33.1 %\npayment-svc OK"
CHANGE = "api-server 14:03:12Z: DB_POOL_SIZE 20 → 1"
GOOD = (
    "**Verdict:** CAUSE FOUND: api-server has run out of connections. [E2]\n"
    "**Cause:** api-server: connection pool too small [E2]\n"
    "**Confidence:** high: they agree.\n"
    "**Next step:** set it back to 20.\n\n"
    "**Evidence**\n- api-server fails 33.1 % of its requests. [E1]\n- `DB_POOL_SIZE` went 20 → 1. [E2]"
)
BAD = GOOD.replace("33.1 %", "61 %").replace("20 → 1", "50 → 1")


def describe(name: str, arguments: Mapping[str, Any]) -> str:
    return f"calling {name} {dict(arguments)}"


@pytest.fixture
async def thread(ledger: Ledger) -> Thread:
    """A thread with two results."""
    thread = await ledger.thread("C1", "1.0", team="T1", started_by="U1")
    await ledger.bind_session(thread.id, session := uuid4())
    await keep(ledger, session, "a", "get_service_health", HEALTH)
    await keep(ledger, session, "b", "get_recent_deployments", CHANGE)
    return thread


async def keep(ledger: Ledger, session: UUID, call: str, tool: str, text: str) -> None:
    await ledger.exhibits.keep(session, call, tool, {}, text, ok=True)


def ended(answer: str = "") -> RunEnded:
    return RunEnded(Outcome.ANSWERED, "", answer, 0.1, 1.0, 2)


async def follow(checking: Checking, *events: Event) -> tuple[str, RunEnded]:
    """What people see of the text, and the end."""
    shown: list[Event] = []
    for event in events:
        shown += await checking.take(event)
    said, end = await checking.finish(ended("".join(each.text for each in events if isinstance(each, TextDelta))))
    text = "".join(
        each.text if isinstance(each, TextDelta) else "\n\n" if isinstance(each, TextBreak) else ""
        for each in [*shown, *said]
    )
    return text, end


async def test_an_answer_that_is_borne_out_is_shown_as_it_was_written(ledger: Ledger, thread: Thread) -> None:
    text, end = await follow(Checking(ledger, thread.id, SERVICES, describe), TextDelta(GOOD))
    assert text == f"{GOOD}\n\n✅ _4 of 4 claims are borne out by the evidence that they cite._"
    assert end.answer == text
    assert end.correction is None
    assert end.cited == ((1, "calling get_service_health {}"), (2, "calling get_recent_deployments {}"))


async def test_each_false_line_is_marked_where_it_ends_and_the_verdict_falls(ledger: Ledger, thread: Thread) -> None:
    text, end = await follow(Checking(ledger, thread.id, SERVICES, describe), TextDelta(BAD))
    lines = text.splitlines()
    assert [line.partition(" ⚠️ ")[2] for line in lines if line.startswith("- ")] == [
        "_not supported by evidence: 61 % is not in E1 for api-server_",
        "_not supported by evidence: 50 → 1 is not in E2; 50 is not in E2_",
    ]
    assert "⚠️ **INCONCLUSIVE: no claim about api-server is supported by evidence.**" in lines[-1]
    assert lines[0].startswith("**Verdict:** CAUSE FOUND"), "what was shown is not taken back"
    assert end.correction
    assert end.correction[1].startswith("**Verdict:** INCONCLUSIVE (I had said CAUSE FOUND): api-server")
    assert end.answer.startswith(end.correction[1]), "the record says what stands"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(cuts=st.lists(st.integers(min_value=0, max_value=len(BAD)), max_size=8))
async def test_however_the_text_arrives_the_marks_are_the_same(ledger: Ledger, thread: Thread, cuts: list[int]) -> None:
    places = sorted({0, len(BAD), *cuts})
    pieces = [BAD[start:end] for start, end in pairwise(places)]
    checking, whole = (Checking(ledger, thread.id, SERVICES, describe) for _ in range(2))
    assert await follow(checking, *map(TextDelta, pieces)) == await follow(whole, TextDelta(BAD))


async def test_evidence_of_the_same_run_is_known_when_it_is_cited(ledger: Ledger, thread: Thread) -> None:
    checking = Checking(ledger, thread.id, SERVICES, describe)
    shown = await checking.take(TextDelta("It fails 12 % [E3]"))
    shown += await checking.take(ToolStarted("c", "get_logs", "Reading the logs"))
    assert "there is no E3" in str(shown)
    assert thread.session_id is None
    bound = await ledger.find_thread("C1", "1.0")
    assert bound
    assert bound.session_id
    await keep(ledger, bound.session_id, "c", "get_logs", "api-server fails 12 %")
    shown = await checking.take(ToolFinished("c", True, 0.1))
    shown += await checking.take(TextDelta("It fails 12 % [E3]\n"))
    assert shown[-1] == TextDelta("It fails 12 % [E3]\n")


async def test_evidence_of_another_thread_is_none(ledger: Ledger, thread: Thread) -> None:
    other = await ledger.thread("C2", "1.0", team="T1", started_by="U1")
    text, end = await follow(Checking(ledger, other.id, SERVICES, describe), TextDelta("api-server fails 33.1 % [E1]"))
    assert text.endswith("_not supported by evidence: there is no E1_")
    assert end.cited == ()
    room = ExhibitRoom(ledger, describe)
    assert await room.find("C2", "1.0", 1) is None
    assert await room.find("C9", "1.0", 1) is None
    found = await room.find("C1", "1.0", 1)
    assert found
    assert (found[0].text, found[1]) == (HEALTH, "calling get_service_health {}")


async def test_a_report_that_was_broken_off_gets_no_verdict_of_ours(ledger: Ledger, thread: Thread) -> None:
    checking = Checking(ledger, thread.id, SERVICES, describe)
    await checking.take(TextDelta(GOOD.partition("**Evidence**")[0]))
    said, end = await checking.finish(RunEnded(Outcome.STOPPED, "Stopped.", "x", 0.1, 1.0, 2))
    assert said == []
    assert end.correction is None
    assert end.answer == GOOD.partition("**Evidence**")[0].strip()


async def test_small_talk_is_shown_as_it_is(ledger: Ledger, thread: Thread) -> None:
    text, end = await follow(Checking(ledger, thread.id, SERVICES, describe), TextDelta("You are welcome."))
    assert (text, end.answer, end.cited) == ("You are welcome.",) * 2 + ((),)


class Away:
    """A ledger that does not answer."""

    async def read(self, thread_id: int, numbers: object) -> dict[int, Exhibit]:
        raise LedgerError("The database does not answer.")

    @property
    def exhibits(self) -> "Away":
        return self


async def test_without_the_ledger_nothing_is_marked_and_that_is_said() -> None:
    away: Any = Away()
    text, end = await follow(Checking(away, 1, SERVICES, describe), TextDelta(BAD))
    assert text == f"{BAD}\n\n{UNCHECKED}"
    assert end.correction is None
