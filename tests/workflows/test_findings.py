"""What answers come to: their verdict and what stands beside it, by name, from whatever a model wrote."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_bot.incidents.model import TurnState
from sre_bot.workflows.findings import LINE, read_findings

from .test_wording import turn

ANSWERED = TurnState.ANSWERED
WHOLE = """Looking at health first.

**Verdict:** api-server is failing because its pool is exhausted.

**Impact:** api-server: error rate 33 %.

**Confidence:** high: the pool is full.

**What changed:** `DB_POOL_SIZE` 20 → 1.

**Next step:** set it back.

**Evidence**
- verdict of the runbook: exhaustion"""


def test_an_answer_of_the_usual_form_is_read_part_by_part() -> None:
    assert read_findings([turn(ANSWERED, WHOLE)]).parts == {
        "verdict": "api-server is failing because its pool is exhausted.",
        "impact": "api-server: error rate 33 %.",
        "confidence": "high: the pool is full.",
        "what changed": "`DB_POOL_SIZE` 20 → 1.",
        "next step": "set it back.",
    }


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("### Verdict\n\nNothing is wrong.\n\n**Confidence** high", "Nothing is wrong."),
        ("Root cause: the pool.\n\n**Impact:** none", "the pool."),
        ("> **Verdict** - INCONCLUSIVE", "INCONCLUSIVE"),
        ("**Verdict:** CAUSE FOUND: its pool is full. [E1, E3]", "its pool is full."),
        ("Cause analysis takes a while.\n\nCause: the pool.", "the pool."),
    ],
)
def test_other_forms_have_a_verdict_too(answer: str, verdict: str) -> None:
    assert read_findings([turn(ANSWERED, answer)]).parts["verdict"] == verdict


def test_a_follow_up_without_a_verdict_does_not_hide_the_one_before_it() -> None:
    found = read_findings(
        [turn(ANSWERED, WHOLE), turn(ANSWERED, "**Yes**, since 3:04.\nMore."), turn(TurnState.FAILED)]
    )
    assert found.parts["verdict"].startswith("api-server is failing")
    assert found.since == "Yes**, since 3:04."


def test_without_a_verdict_the_first_line_of_the_newest_answer_counts() -> None:
    found = read_findings([turn(ANSWERED, "First."), turn(ANSWERED, "\n\nSecond.\nMore.")])
    assert (found.parts, found.since) == ({"answer": "Second."}, "")


def test_where_nothing_was_answered_there_are_no_findings() -> None:
    assert read_findings([turn(TurnState.FAILED, WHOLE), turn(ANSWERED, " \n ")]).parts == {}


@given(st.text(), st.text())
def test_no_answer_breaks_a_briefing(first: str, second: str) -> None:
    found = read_findings([turn(ANSWERED, first), turn(ANSWERED, f"Verdict: {second}")])
    assert all(len(words) <= LINE for words in (*found.parts.values(), found.since))


@pytest.mark.parametrize("answer", ["|---|\n\n" * 6_000, "verdict\n" * 5_000, "verdict " * 5_000, "_" * 40_000])
def test_an_answer_made_to_be_slow_takes_no_time(answer: str) -> None:
    began = time.process_time()
    read_findings([turn(ANSWERED, answer)])
    assert time.process_time() - began < 1
