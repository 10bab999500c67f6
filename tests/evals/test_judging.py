"""The oracles of the scenario evals agree with right answers and see through wrong ones."""

import pytest

from evals import report
from evals.__main__ import as_json, summarize, tabulate
from evals.ranking import Ranked, judge
from evals.report import Report
from evals.scenario import Scenario
from evals.suite import SCENARIOS
from sandbox.slack.rendering import as_mrkdwn
from sre_bot.incidents.model import ApprovalState
from sre_bot.slack.cards.proposal import render
from sre_bot.tools.offer import describe_tools
from sre_bot.workflows.people import ProposalCard
from tests.slack.test_proposal_card import make

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
POOL, BOTH, HEALTHY = BY_NAME["pool exhausted in payment-svc"], BY_NAME["two faults at once"], BY_NAME["healthy"]
SURGE, MISLED = BY_NAME["traffic surge"], BY_NAME["misleading deployment"]


def test_there_are_enough_of_each_and_no_two_are_alike():
    faults = [scenario for scenario in SCENARIOS if not scenario.false_alarm]
    assert len(faults) >= 12
    assert len(SCENARIOS) - len(faults) >= 4
    assert len(BY_NAME) == len(SCENARIOS)
    assert len({scenario.code for scenario in SCENARIOS}) == len(SCENARIOS)
    assert all(scenario.hides for scenario in faults), "each fault plants a line that the report must quote"
    known = {spec.name for spec in describe_tools()}
    assert all(set(scenario.evidence) <= known for scenario in SCENARIOS)


@pytest.mark.parametrize(
    ("scenario", "text", "place", "right"),
    [
        (POOL, "CLEAR: x\n1. payment-svc: score 0.9\n2. api-server: score 0.1", 1, True),
        (POOL, "CLEAR: x\n1. api-server: score 0.9\n2. payment-svc: score 0.1", 2, False),
        (POOL, "NOT SIGNIFICANT: x", 0, False),
        (BOTH, "1. payment-svc: score 0.9\nalso api-server errors: first suspect auth-svc", 2, True),
        (BOTH, "1. payment-svc: score 0.9", 0, False),
        (HEALTHY, "NOT SIGNIFICANT: nothing; weak lead: auth-svc\n1. auth-svc: score 1", 0, True),
        (HEALTHY, "AMBIGUOUS: x\n1. auth-svc: score 0.5", 0, False),
        (HEALTHY, "CLEAR: x\nsymptom: y, back to usual by now", 0, True),
        (SURGE, "symptom: its requests x2.9: clients send more\n1. postgres: score 1", 1, True),
        (SURGE, "symptom: slow\n1. postgres: score 1", 1, False),
    ],
    ids=["right", "second", "none", "both", "one of both", "quiet", "noise", "over", "surge", "surge unseen"],
)
def test_a_ranking_is_judged_by_the_place_of_what_broke(scenario: Scenario, text: str, place: int, right: bool):
    assert judge(scenario, text) == (place, right)


def lines(scenario: Scenario) -> str:
    """The lines of a thread in which all the evidence was read."""
    return "\n".join(f"- {report._asked(tool)} `x` · 0.4 s" for tool in scenario.evidence)


def test_a_right_report_passes_every_oracle():
    text = f"{lines(POOL)}\n**Verdict** payment-svc: its connection pool is exhausted (“{POOL.code}” in its log)"
    assert all(report.judge(POOL, text).values())


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("**Verdict** api-server: connection pool, KX-CODE", "names payment-svc"),
        ("**Verdict** payment-svc is slow, KX-CODE", "kind"),
        ("**Verdict** payment-svc: connection pool", "quotes the code"),
    ],
    ids=["another service", "another kind", "nothing quoted"],
)
def test_a_wrong_report_fails_the_oracle_that_it_should(text: str, failed: str):
    verdicts = report.judge(POOL, f"{lines(POOL)}\n{text.replace('KX-CODE', POOL.code)}")
    assert [name for name, held in verdicts.items() if not held] == [failed]


def test_evidence_that_was_not_read_and_claims_that_are_forbidden_are_seen():
    verdicts = report.judge(
        MISLED, "**Verdict** api-server fails\nRoot cause: `APP_VERSION` 2.14.1 to 2.14.2. Also auth-svc."
    )
    assert not verdicts["nothing forbidden"]
    assert not verdicts["read get_logs"]
    assert not verdicts["names auth-svc"], "the verdict itself has to name it"


def test_results_become_a_table_a_sentence_and_json():
    ranked = Ranked(1, right=True, seconds=0.4, read=600, without=6_000, text="CLEAR")
    asked = Report({"kind": True, "quotes the code": False}, 5, 0.0, "text")
    results = [(POOL, ranked, asked, ""), (HEALTHY, None, None, "NotReady: no fleet")]
    rows = tabulate(results, "the offline playbook").rows
    assert rows[0][2:] == ["1", "0.40", "600", "6,000", "right", "not: quotes the code", "5"]
    assert rows[1][6:] == ["not run", "NotReady: no fleet", ""]
    assert "Ranking right: 1 of 1 faults, 0 of 0 false alarms. Characters with it: 10% of" in summarize(results)
    assert as_json(*results[0])["report"]["verdicts"] == {"kind": True, "quotes the code": False}


@pytest.mark.parametrize(
    "verdict", ["RECOVERED: no threshold", "NOT RECOVERED: still breached", "INCONCLUSIVE: no data"]
)
def test_what_the_figures_say_is_read_from_the_card_and_not_from_the_bots_words(verdict: str):
    card = ProposalCard(make(state=ApprovalState.SUCCEEDED, outcome="CHANGED", verdict=verdict), "Ada", "Ada")
    shown = as_mrkdwn(render(card))
    found = report.VERDICT.search(f"**Verdict:** INCONCLUSIVE\nIt has RECOVERED: all is well\n{shown}")
    assert found
    assert found[1].startswith(verdict)
    assert not report.VERDICT.search("**Verdict:** INCONCLUSIVE\nRECOVERED: all is well, as I think")
