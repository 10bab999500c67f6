"""Claims against cited results, and the labelled set of them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.claims import HELD_OUT, LABELLED, judge_all, precision_and_recall
from sre_bot.evidence.claims import find_faults, read_claim
from sre_bot.evidence.exhibit import Exhibit

SERVICES = ("api-server", "payment-svc", "auth-svc")


def exhibit(text: str, number: int = 1, *, ok: bool = True, **arguments: str) -> Exhibit:
    return Exhibit(number, "get_logs", arguments, text, ok, datetime(2026, 1, 1, tzinfo=UTC))


def faults(claim: str, *exhibits: Exhibit) -> tuple[str, ...]:
    return find_faults(read_claim(claim), {each.number: each for each in exhibits}, SERVICES)


HEALTH = exhibit("api-server CRITICAL\n  error_rate 33.1 %\npayment-svc OK\n  error_rate 0.2 %; auth-svc is slower")


@pytest.mark.parametrize("path", [LABELLED, HELD_OUT], ids=lambda path: path.stem)
def test_the_labelled_claims_are_judged_as_well_as_is_written(path: Path) -> None:
    judged = judge_all(path)
    assert len(judged) >= 45
    assert min(precision_and_recall(judged)) >= 0.95


@pytest.mark.parametrize(
    ("text", "cites"),
    [
        ("It fails [E1].", (1,)),
        ("It fails (E2, E3).", (2, 3)),
        ("It fails [E2][E1]", (2, 1)),
        ("It fails [E1-E3, E7]", (1, 2, 3, 7)),
        ("It fails [E1 and 4]", (1, 4)),
        ("It fails [1] (see E1)", ()),
    ],
)
def test_citations_are_read_in_the_forms_that_people_write(text: str, cites: tuple[int, ...]) -> None:
    assert read_claim(text).cites == cites


def test_a_claim_without_its_citation_reads_as_a_sentence() -> None:
    assert read_claim("It fails [E1], and 33.1 % of it [E2].").text == "It fails, and 33.1 % of it."


def test_a_figure_holds_for_the_service_of_which_it_was_read() -> None:
    assert faults("api-server fails 33.1 % [E1]", HEALTH) == ()
    assert faults("payment-svc fails 33.1 % [E1]", HEALTH) == ("33.1 % is not in E1 for payment-svc",)
    assert faults("auth-svc fails 33.1 % [E1]", HEALTH) == ("33.1 % is not in E1 for auth-svc",)


def test_what_names_no_service_is_about_the_one_that_the_call_asked_for() -> None:
    logs = exhibit("12 lines\nERROR x12 timeout after 300 ms", service="api-server")
    assert faults("api-server logs 12 errors [E1]", logs) == ()
    assert faults("payment-svc logs 12 errors [E1]", logs) == ("payment-svc is not in E1",)


def test_a_quotation_has_to_stand_there_word_for_word() -> None:
    logs = exhibit("api-server ERROR could not obtain a  connection *now*")
    assert faults("It logs “Could not obtain a connection now” [E1]", logs) == ()
    assert faults('It logs "could not … connection" [E1]', logs) == ()
    assert faults("It logs “connection could not” [E1]", logs) == ("“connection could not” is not in E1",)


def test_a_setting_with_its_value_is_read_from_a_change() -> None:
    change = exhibit("api-server 14:03:12Z version 7; DB_POOL_SIZE 20 → 1")
    assert faults("`DB_POOL_SIZE=1` since 14:03 [E1]", change) == ()
    assert faults("`DB_POOL_SIZE=3` since 14:03 [E1]", change) == ("“DB_POOL_SIZE=3” is not in E1",)
    assert faults("it went from 20 to 1 [E1]", change) == ()
    assert faults("it went 1 → 20 [E1]", change) == ("1 → 20 is not in E1",)


def test_a_call_that_failed_supports_only_that_nothing_was_seen() -> None:
    away = exhibit("UNREACHABLE: no answer", ok=False)
    assert faults("The database is fine [E1]", away) == ("E1 is a call that failed",)
    assert faults("The database could not be read [E1]", away) == ()


def test_evidence_that_is_not_there_supports_nothing() -> None:
    assert faults("api-server fails [E9]", HEALTH) == ("there is no E9",)
    assert faults("api-server fails", HEALTH) == ("it cites no evidence",)


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_claim_can_be_judged_against_any_result(claim: str, result: str) -> None:
    assert isinstance(faults(f"{claim} [E1]", exhibit(result)), tuple)


@given(st.from_regex(r"api-server [a-z]{3,8} [1-9]\d{1,4}( %| ms|/s)?", fullmatch=True))
def test_what_was_read_may_be_said(line: str) -> None:
    assert faults(f"{line} [E1]", exhibit(line)) == ()
