"""The recorded half of a post-mortem: every moment is the record's, and nobody's words do anything."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.confluence.storage import check
from sre_bot.agent.approvals import POLICY
from sre_bot.incidents.model import ApprovalState, TurnState
from sre_bot.incidents.paging import IncidentStatus
from sre_bot.tools.page_markup import render_markdown, serialize
from sre_bot.tools.postmortem import SECTIONS, draft
from sre_bot.tools.timeline import CHANGES, LONGEST, MOST, people_in, write_resolution, write_timeline
from tests.incidents.pages import at, change, page, resolution
from tests.incidents.records import ADA, acknowledged, approval, case, incident, record, turn

NASTY = "<!channel> [click](https://evil.example) ![x](y) `code` **b** <ac:link/> @all \u202e|\n# h\n- [ ] x"


def test_an_incident_is_told_from_its_page_to_its_recovery():
    assert write_timeline(record()).splitlines() == [
        "- **Duration:** 8 m, from the first page until the figures had recovered",
        "- **Acknowledged:** after 1 m 5 s",
        "- **First conclusion:** after 1 m 5 s",
        "- **Change approved:** after 6 m",
        "- **Change carried out:** after 6 m 10 s",
        "",
        "**2026-03-01**",
        "",
        "- **03:00:00** PagerDuty Q1 paged: `api-server is slow` on `api-server`",
        "- **03:00:05** The bot began to investigate by itself",
        "- **03:01:05** PagerDuty Q1 acknowledged, with Ada Lovelace",
        "- **03:01:05** The bot's conclusion: `the pool is 1.`",
        "- **03:05:00** Proposal #1: `Set DB_POOL_SIZE=20 for api-server, and redeploy it`",
        "- **03:06:00** Proposal #1 was approved by Ada Lovelace",
        "- **03:06:10** Proposal #1 was carried out",
        "- **03:08:00** Figures after proposal #1: `RECOVERED: no threshold is breached any more`",
    ]


def test_the_resolution_is_each_change_with_who_let_it_happen_and_what_the_figures_said():
    what = "Proposal #1, `Set DB_POOL_SIZE=20 for api-server, and redeploy it`"
    assert write_resolution(record()).splitlines() == [
        "As recorded by the bot:",
        "",
        f"- {what}: approved by Ada Lovelace at 03:06:00, was carried out at 03:06:10",
        "- `RECOVERED: no threshold is breached any more`",
        "- `api-server Error rate (5xx): 33 % → 0 %`",
    ]


def test_without_an_incident_the_thread_begins_with_its_first_question():
    asked = turn(10, "1.0", "Verdict: the pool is 1.", author=ADA, prompt="why is it slow?")
    told = write_timeline(record(case=None, changes=(), turns=(asked, turn(480, "verdict:1"))))
    assert told.startswith("- **Duration:** 7 m 50 s, from the first question until the figures had recovered")
    assert "- **03:00:10** Ada Lovelace asked: `why is it slow?`" in told


def test_what_is_not_over_has_no_end():
    told = write_timeline(record(approvals=(), turns=()))
    assert told.startswith("- **Duration:** not over when this was written, 10 m after the first page\n")


@pytest.mark.parametrize(
    "later",
    [
        {"approvals": (approval(), approval(2, 500, verdict="NOT RECOVERED: still breached"))},
        {"changes": (page("Q1"), change("Q1", "reopened", 500))},
        {"changes": (page("Q1"), page("Q2", 500))},
    ],
    ids=["not recovered since", "come back", "paged again"],
)
def test_what_went_on_after_a_recovery_was_not_over_with_it(later: dict[str, Any]):
    assert "**Duration:** not over when this was written" in write_timeline(record(**later))


def test_what_ended_by_itself_ended_with_its_pages():
    over = case(incident(status=IncidentStatus.RESOLVED, resolved_at=at(120)), closed_at=at(120))
    told = write_timeline(record(case=over, approvals=(), turns=(), changes=(page("Q1"), resolution("Q1", 120))))
    assert told.startswith("- **Duration:** 2 m, from the first page until all of its pages were resolved")
    assert "- **03:02:00** PagerDuty Q1 resolved" in told


@pytest.mark.parametrize(
    ("state", "facts", "words"),
    [
        (ApprovalState.REJECTED, {"reason": "not at night"}, "was rejected by Ada Lovelace: `not at night`"),
        (ApprovalState.REJECTED, {}, "was rejected by Ada Lovelace"),
        (ApprovalState.FAILED, {"outcome": "The redeploy FAILED.\nMore."}, "failed: `The redeploy FAILED.`"),
        (ApprovalState.EXPIRED, {"decided_at": None}, "became void: `nobody decided in time`"),
        (ApprovalState.SUCCEEDED, {"decided_by": POLICY}, "was approved by policy.yaml"),
        (ApprovalState.SUCCEEDED, {"decided_by": "U0NOBODY01"}, "was approved by U0NOBODY01"),
    ],
    ids=["rejected", "rejected without a reason", "failed", "expired", "freed", "nameless"],
)
def test_what_became_of_a_proposal_is_told(state: ApprovalState, facts: dict[str, Any], words: str):
    told = write_timeline(record(approvals=(approval(state=state, verdict="", **facts),)))
    assert f"Proposal #1 {words}" in told


def test_only_people_are_looked_up():
    known = record(approvals=(approval(decided_by=POLICY), approval(2)), turns=(turn(0, "1.0", author="U1AB"),))
    assert people_in(known) == {ADA, "U1AB"}


def test_the_page_itself_is_no_part_of_what_happened():
    own = approval(2, 500, tool="confluence_create_postmortem", state=ApprovalState.REJECTED, reason="too long")
    asked = turn(490, "close:1:1", "Cause: x", state=TurnState.PROPOSED)
    plain = record()
    assert write_timeline(replace(plain, approvals=(*plain.approvals, own), turns=(*plain.turns, asked))) == (
        write_timeline(plain)
    )


def test_what_still_runs_is_not_told():
    running = turn(550, "9.0", state=TurnState.RUNNING, ended_at=None, author=ADA)
    assert "9.0" not in (told := write_timeline(record(turns=(*record().turns, running))))
    assert "asked" not in told


def test_pages_of_a_storm_are_one_line():
    pages = tuple(page(f"Q{number}", number, f"svc-{number}") for number in range(14))
    told = write_timeline(record(changes=pages))
    assert told.count("paged") == 1
    assert (
        "- **03:00:00** until 03:00:13: 14 incidents of PagerDuty paged: `svc-0 is slow`, `svc-1 is slow`, "
        "`svc-2 is slow`"
    ) in told


def test_a_source_that_repeats_itself_tells_it_once():
    again = [replace(page("x", seconds), incident="am:f:1") for seconds in (0, 240, 480)]
    assert write_timeline(record(changes=tuple(again))).count("Alertmanager paged") == 1


def test_a_new_day_is_named():
    late = replace(approval(), proposed_at=at(86_400), decided_at=at(86_460), ended_at=at(86_470))
    told = write_timeline(record(approvals=(late,)))
    assert [line for line in told.splitlines() if line.startswith("**")] == ["**2026-03-01**", "**2026-03-02**"]


def test_of_very_much_the_beginning_and_the_end_are_told_and_the_rest_counted():
    many = tuple(change("Q1", kind, number) for number in range(100) for kind in ("annotated", "escalated"))
    told = write_timeline(record(changes=many))
    lines = [line for line in told.splitlines() if re.match(r"- \*\*\d\d:", line)]
    assert MOST - 20 < len(lines) <= MOST
    assert len(told) <= LONGEST
    (left,) = re.findall(r"_(\d+) more events are not listed", told)
    assert int(left) == len(many) + 6 - len(lines), "six of turns and of the proposal"
    assert lines[0].endswith("got a note")
    assert "Figures after proposal" in lines[-1]


def test_nothing_recorded_is_said_to_be_nothing():
    nothing = record(case=None, changes=(), turns=(), approvals=())
    assert write_timeline(nothing) == "Nothing of it is recorded."
    assert write_resolution(nothing) == "The bot has no record of a change that was made through it."


def test_clocks_that_differ_make_no_negative_duration():
    early = record(turns=(turn(480, "verdict:1"),), approvals=(approval(ended_at=at(-99), decided_at=at(-100)),))
    assert "-" not in "".join(re.findall(r"after (.*)", write_timeline(early)))


@settings(max_examples=50)
@given(words=st.text(max_size=300) | st.sampled_from([NASTY, NASTY * 30, "`" * 50, "x" * 9_000]))
def test_whatever_others_wrote_the_page_is_sound_and_nothing_in_it_acts(words: str):
    seen = replace(page("Q1").snapshot, title=words, service=words)  # type: ignore[type-var]  # a page has one
    told = record(
        case=case(incident(title=words)),
        changes=(replace(page("Q1"), snapshot=seen), acknowledged(who=words)),
        turns=(turn(5, "1.0", f"cause: {words}", author=ADA, prompt=words),),
        approvals=(approval(state=ApprovalState.FAILED, outcome=words, reason=words, verdict=words),),
        names={ADA: words},
    )
    for text in (write_timeline(told), write_resolution(told)):
        rendered = render_markdown(text)
        check(serialize(rendered))
        tags = {element.tag for element in rendered.iter()}
        assert tags <= {"div", "p", "ul", "li", "strong", "em", "code"}
    page_of_it = draft("x", {**dict.fromkeys(SECTIONS, ""), "timeline": write_timeline(told)}, "")
    check(page_of_it.to_storage())


def test_the_longest_record_leaves_room_for_the_models_half():
    long = "x" * 5_000
    many = tuple(
        replace(page(f"Q{n}", n), kind=kind, snapshot=replace(page("Q").snapshot, title=long, service=long))  # type: ignore[type-var]
        for n in range(200)
        for kind in ("triggered", "annotated")
    )
    told = record(changes=many, approvals=tuple(approval(n, n, outcome=long, reason=long) for n in range(30)))
    assert len(write_timeline(told)) <= LONGEST
    assert "more events are not listed here" in write_timeline(told)


def test_of_many_changes_the_last_are_in_the_resolution():
    told = write_resolution(record(approvals=tuple(approval(n, n) for n in range(1, CHANGES + 4))))
    assert told.splitlines()[2] == "- _3 earlier changes are in the timeline only._"
    assert told.count("carried out") == CHANGES
    long = [approval(n, n, verdict="\n".join(["RECOVERED: " + "x" * 300] * 3)) for n in range(1, CHANGES + 4)]
    assert len(write_resolution(record(approvals=tuple(long)))) <= LONGEST // 2
