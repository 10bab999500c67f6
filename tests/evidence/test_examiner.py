"""A report line by line: what is marked, and what its verdict comes to."""

from datetime import UTC, datetime

import pytest

from sre_bot.evidence.examiner import Assessment, Examiner
from sre_bot.evidence.exhibit import Exhibit
from sre_bot.evidence.report import Confidence, Verdict, headline, read_report

SERVICES = ("api-server", "payment-svc")
READ = {
    1: Exhibit(
        1, "get_service_health", {}, "api-server CRITICAL\n  error_rate 33.1 %\npayment-svc OK", True, datetime.now(UTC)
    ),
    2: Exhibit(2, "get_recent_deployments", {}, "api-server 14:03:12Z: DB_POOL_SIZE 20 → 1", True, datetime.now(UTC)),
}
REPORT = """Looking at it.

**Verdict:** CAUSE FOUND: api-server has run out of connections. [E2]
**Cause:** api-server: connection pool too small [E2]
**Impact:** 33.1 % of its requests fail. [E1]
**Confidence:** high: change and symptom agree.
**What changed:** `DB_POOL_SIZE` 20 → 1 at 14:03Z. [E2]
**Next step:** set it back to 20.

**Evidence**
- api-server fails 33.1 % of its requests. [E1]
- its pool went 20 → 1. [E2]

**Ruled out**
- payment-svc: it is OK. [E1]
"""


def examine(text: str) -> tuple[list[str], Assessment | None]:
    """The lines that are marked, and the assessment."""
    examiner = Examiner(SERVICES)
    marked = []
    for line in text.splitlines():
        claim = examiner.read(line)
        if claim and examiner.judge(claim, READ).mark:
            marked.append(line)
    return marked, examiner.conclude()


def test_a_report_that_its_evidence_bears_out_keeps_its_verdict_and_its_confidence() -> None:
    marked, assessment = examine(REPORT)
    assert marked == []
    assert assessment is not None
    assert (assessment.verdict, assessment.confidence) == (Verdict.FOUND, Confidence.HIGH)
    assert assessment.words == "✅ _7 of 7 claims are borne out by the evidence that they cite._"


def test_a_claim_that_is_not_there_is_marked_and_costs_confidence() -> None:
    marked, assessment = examine(REPORT.replace("fails 33.1 %", "fails 61.3 %"))
    assert marked == ["- api-server fails 61.3 % of its requests. [E1]"]
    assert assessment is not None
    assert (assessment.verdict, assessment.confidence) == (Verdict.FOUND, Confidence.MEDIUM)
    assert "6 of 7 claims" in assessment.words
    assert "Confidence is medium, not high." in assessment.words


def test_a_cause_that_nothing_supports_is_inconclusive() -> None:
    report, _, _ = REPORT.partition("**Evidence**")
    _, assessment = examine(f"{report}**Evidence**\n- api-server fails 61.3 % [E1]\n- payment-svc is OK [E1]\n")
    assert assessment is not None
    assert assessment.verdict is Verdict.INCONCLUSIVE
    assert assessment.confidence is Confidence.NONE
    assert assessment.words.startswith("⚠️ **INCONCLUSIVE: no claim about api-server is supported by evidence.**")


def test_a_cause_whose_own_line_is_false_is_inconclusive() -> None:
    _, assessment = examine(
        REPORT.replace("**Cause:** api-server: connection pool too small [E2]", "**Cause:** payment-svc: pool [E2]")
    )
    assert assessment is not None
    assert assessment.verdict is Verdict.INCONCLUSIVE


def test_a_clean_bill_without_evidence_is_inconclusive() -> None:
    _, assessment = examine("**Verdict:** NOTHING WRONG: all is well.\n**Evidence**\n- All is well.\n")
    assert assessment is not None
    assert assessment.verdict is Verdict.INCONCLUSIVE
    _, borne_out = examine("**Verdict:** NOTHING WRONG: all is well.\n**Evidence**\n- payment-svc is OK [E1].\n")
    assert borne_out is not None
    assert borne_out.verdict is Verdict.NOTHING


def test_small_talk_is_no_report_but_what_it_cites_is_looked_at() -> None:
    marked, assessment = examine("You are welcome.\nIt failed 33.1 % then [E1].\nIt fails 12 % now [E1].")
    assert marked == ["It fails 12 % now [E1]."]
    assert assessment is None


def test_what_is_advised_or_felt_is_no_claim() -> None:
    marked, _ = examine("**Verdict:** INCONCLUSIVE\n**Confidence:** low: 3 of 9 tools failed\n**Next step:** set 20")
    assert marked == []


def test_the_last_of_two_reports_counts() -> None:
    _, assessment = examine(f"**Verdict:** INCONCLUSIVE\n**Evidence**\n- 99 % [E1]\n\n{REPORT}")
    assert assessment is not None
    assert assessment.failed == 0


@pytest.mark.parametrize("style", ["**{}:** ", "**{}**: ", "{}: ", "### {}: ", "- **{}:** "])
def test_a_part_is_recognised_however_its_name_is_written(style: str) -> None:
    text = f"{style.format('Verdict')}INCONCLUSIVE: x\n{style.format('Confidence')}low\n"
    report = read_report(text, SERVICES)
    assert report is not None
    assert (report.verdict, report.confidence) == (Verdict.INCONCLUSIVE, Confidence.LOW)


def test_a_headline_is_what_a_card_shows_of_a_verdict() -> None:
    assert headline("CAUSE FOUND: its pool is full. [E1, E2]") == "its pool is full."
    assert headline("INCONCLUSIVE: no data [E1] ⚠️ _not supported by evidence: x_") == "INCONCLUSIVE: no data"


def test_a_report_is_read_into_its_parts() -> None:
    report = read_report(REPORT, SERVICES)
    assert report is not None
    assert (report.service, report.kind) == ("api-server", "connection pool too small")
    assert report.headline == "CAUSE FOUND: api-server has run out of connections."
    assert (report.impact, report.next_step) == ("33.1 % of its requests fail.", "set it back to 20.")
    assert [claim.cites for claim in report.claims] == [(1,), (2,)]
    assert [claim.text for claim in report.ruled_out] == ["payment-svc: it is OK."]
    assert read_report("All is well.", SERVICES) is None
