"""The plan of a post-mortem: the page word by word as it will be, once for each incident, and what is resolved then."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.confluence.storage import check, words
from sre_bot.catalog import load_catalog
from sre_bot.clients.env_files import EnvFiles
from sre_bot.errors import BadRequest
from sre_bot.incidents.model import Approval, ApprovalState
from sre_bot.incidents.plan import Plan
from sre_bot.incidents.record import Record
from sre_bot.settings import ROOT
from sre_bot.tools.masking import MASKED
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.planning import Planner
from sre_bot.tools.postmortem import SECTIONS, compose, draft
from sre_bot.tools.publications import MADE, POSTMORTEM, UNKNOWN, announce, link_of
from sre_bot.tools.publishing import ADDRESS, NOT_HERE, OWN_TIMELINE, incident_of, link_in
from sre_bot.tools.timeline import write_resolution, write_timeline
from tests.incidents.records import approval, case, incident, record

CALL = {
    "title": "api-server: connections exhausted",
    "summary": "Requests failed.",
    "impact": "33 % of requests answered 500.",
    "root_cause": "`DB_POOL_SIZE=1`",
    "what_went_well": "The alert was early.",
    "action_items": "- [ ] ada: bound the pool size, Friday",
}
LINK = "https://x.atlassian.net/wiki/spaces/SRE/pages/7"
SPECS = {spec.name: spec for spec in describe_tools()}


def planner(*without: str) -> Planner:
    specs = {name: spec for name, spec in SPECS.items() if name not in without}
    return Planner(specs, load_catalog(ROOT / "config"), EnvFiles(Path("nowhere")))


def plan(known: Record | None, **changed: Any) -> Plan:
    return planner().plan(POSTMORTEM, CALL | changed, known)[0]


def publication(known: Record, outcome: str, **facts: Any) -> Approval:
    """An earlier call for the same incident."""
    sealed = {"recorded": {"incident": incident_of(known)}}
    facts = {"tool": POSTMORTEM, "arguments": CALL, "outcome": outcome, "verdict": ""} | facts
    return approval(2, 500, plan=Plan("Publish", sealed=sealed), **facts)


def test_the_preview_is_the_whole_page_with_the_recorded_timeline():
    told = plan(record(), resolution="The pool is 20 again.")
    preview = told.preview
    assert preview.startswith(f"# {CALL['title']}\n\nThis post-mortem is blameless")
    for key in ("summary", "impact", "root_cause", "what_went_well", "action_items"):
        assert f"## {SECTIONS[key]}\n\n{CALL[key]}\n" in preview
    assert f"## Timeline (UTC)\n\n{write_timeline(record())}\n" in preview
    assert f"## Resolution\n\nThe pool is 20 again.\n\n{write_resolution(record())}\n" in preview
    assert preview.endswith(f"Reference: {incident_of(record())}\nLabels: postmortem")
    assert "PagerDuty" not in told.summary + told.rollback + told.check


def test_what_is_published_is_made_of_what_is_sealed_and_not_of_what_is_recorded_later():
    told = Plan.from_json(plan(record()).as_json())
    recorded = told.sealed["recorded"]
    sections = compose({key: str(CALL.get(key, "")) for key in SECTIONS}, recorded)
    published = draft(CALL["title"], sections, "", recorded["incident"])
    assert published.to_text() == told.preview
    check(published.to_storage())
    assert "03:08:00 Figures after proposal #1" in words(published.to_storage())


@settings(max_examples=40)
@given(text=st.text(max_size=200) | st.sampled_from(["<!channel> @all", "<ac:link><ri:user/></ac:link>", "a ``` b"]))
def test_whatever_the_model_writes_the_preview_is_the_page(text: str):
    told = plan(record(), **dict.fromkeys(("summary", "impact", "root_cause", "action_items", "resolution"), text))
    recorded = told.sealed["recorded"]
    asked = CALL | dict.fromkeys(("summary", "impact", "root_cause", "action_items", "resolution"), text)
    published = draft(asked["title"], compose({key: asked.get(key, "") for key in SECTIONS}, recorded), "", "")
    check(published.to_storage())
    for key, heading in SECTIONS.items():
        assert f"## {heading}\n\n{published.sections[key] or 'Not established.'}\n" in told.preview


def test_incidents_are_resolved_after_the_page_and_the_note_is_shown():
    known = record(case=case(incident("Q1", "5xx above 5 %"), incident("Q2", "p99 above 1 s")))
    told = plan(known, resolve_incident="Q1, Q2,Q9")
    assert told.summary.endswith(", then resolve PagerDuty Q1, Q2, Q9 with its link")
    assert told.preview.split("# Then resolved in PagerDuty\n\n")[1].splitlines() == [
        "- Q1: `5xx above 5 %`",
        "- Q2: `p99 above 1 s`",
        f"- Q9: {NOT_HERE}",
        "",
        "with this note:",
        "",
        "Resolved by the SRE bot. Root cause: `DB_POOL_SIZE=1`",
        f"Post-mortem: {ADDRESS}",
    ]
    assert "resolving Q2 ends the paging of people" in told.affects
    assert "stays resolved" in told.rollback


def test_a_timeline_of_the_models_own_counts_only_where_none_is_recorded():
    told = plan(record(), timeline="- 14:00 deploy")
    assert told.preview == plan(record()).preview
    assert OWN_TIMELINE in told.affects
    assert OWN_TIMELINE not in plan(record()).affects
    assert "## Timeline (UTC)\n\n- 14:00 deploy\n" in plan(None, timeline="- 14:00 deploy").preview
    assert plan(None, timeline="- 14:00 deploy").sealed == {}


def test_without_pagerduty_nothing_can_be_resolved():
    with pytest.raises(BadRequest, match="not configured here"):
        planner("pagerduty_update_incident").plan(POSTMORTEM, CALL | {"resolve_incident": "Q1"}, record())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"title": " "}, "title is empty"),
        ({"root_cause": "x" * 20_001}, "root_cause has 20,001 characters"),
        ({"resolve_incident": ",".join(map(str, range(26)))}, "at most 25"),
    ],
    ids=["no title", "too long", "too many"],
)
def test_what_cannot_be_published_is_shown_to_nobody(changed: dict[str, str], words: str):
    with pytest.raises(BadRequest, match=words):
        plan(record(), **changed)


def test_secrets_are_on_no_page_and_in_no_note():
    told = plan(record(), root_cause="password=hunter2hunter2", resolve_incident="Q1")
    assert "hunter2" not in told.preview
    assert told.preview.count(f"password={MASKED}") == 2


def test_an_incident_has_one_postmortem():
    for state in (ApprovalState.SUCCEEDED, ApprovalState.FAILED):
        outcome = announce(f"{CALL['title']} (page 7) {LINK}", made=True) + "\nBut PagerDuty …"
        known = record(approvals=(approval(), publication(record(), outcome, state=state)))
        assert link_in(known) == LINK
        with pytest.raises(BadRequest) as refused:
            plan(known, resolve_incident="Q1")
        assert f"published already: {LINK}" in str(refused.value)
        assert f'incident="Q1", action="resolve" and note="Post-mortem: {LINK}"' in str(refused.value)


def test_what_has_come_back_is_another_incident():
    outcome = announce(f"x (page 7) {LINK}", made=True)
    back = record(case=case(episode=2), approvals=(approval(), publication(record(), outcome)))
    assert link_in(back) == ""
    assert plan(back).sealed["recorded"]["incident"] != incident_of(record())


@pytest.mark.parametrize("outcome", ["", f"Confluence did not answer. {UNKNOWN} Repeat.", "Its outcome is UNKNOWN: x"])
def test_where_a_page_may_be_there_already_the_next_call_has_its_title(outcome: str):
    known = record(approvals=(publication(record(), outcome, state=ApprovalState.FAILED),))
    assert plan(known).sealed["recorded"]["incident"] == incident_of(record()), "by which the page is found"
    with pytest.raises(BadRequest, match="use exactly that title"):
        plan(known, title="Another title")


@pytest.mark.parametrize(
    "facts",
    [
        {"outcome": "Confluence answered 403.", "state": ApprovalState.FAILED},
        {"outcome": "", "state": ApprovalState.REJECTED, "consumed_at": None},
    ],
    ids=["refused", "rejected"],
)
def test_where_no_page_was_made_the_next_call_is_free(facts: dict[str, Any]):
    known = record(approvals=(publication(record(), **facts),))
    assert "Another title" in plan(known, title="Another title").summary


@pytest.mark.parametrize(
    ("outcome", "link"),
    [
        (f"{MADE} a title (page 7) {LINK}", LINK),
        (f"{MADE} x (page 1) https://evil.example (page 7) {LINK}\nLabels: postmortem.", LINK),
        (f"Nothing was made: this is published already as x (page 7) {LINK}", LINK),
        ("Nothing was published: the titles are taken.", ""),
        (f"Confluence did not answer.\n{MADE} x (page 7) {LINK}", ""),
        ("", ""),
    ],
    ids=["made", "a title with an address", "found", "taken", "a later line", "nothing"],
)
def test_the_link_is_what_the_tool_said_and_nothing_that_the_model_wrote(outcome: str, link: str):
    assert link_of(replace(approval(), tool=POSTMORTEM, outcome=outcome)) == link
    assert link_of(replace(approval(), outcome=outcome)) == "", "no other tool publishes"
