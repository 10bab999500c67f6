"""What the model reads, and what a person's phone gets."""

import json
import re
from dataclasses import replace

import pytest

from sre_bot.settings import load_tool_settings
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.pagerduty import PagerDutyIncidents
from sre_bot.tools.spec import HARD_LIMIT, Access, specs_of
from tests.pagerduty.conftest import Sandbox, Tools

WHEN = r"\d\d:\d\d:\d\dZ \(\d+ (s|m)( \d+ s)? ago\)"


async def test_a_created_incident_is_told_with_all_that_is_needed_to_go_on(sandbox: Sandbox, tools: Tools) -> None:
    text = await tools.call("create_incident", title="api-server:\n5xx at 12 %", details="P99 2.1 s\nsee thread")
    (incident,) = await sandbox.incidents()
    assert re.fullmatch(
        rf"Created; PagerDuty notifies whoever is on call\.\n"
        rf"#1 triggered, high urgency: api-server: 5xx at 12 %\n"
        rf"id {incident['id']}, service api-server, created {WHEN}, "
        rf"incident_key sre-bot-[0-9a-f]{{16}}\n"
        rf"assigned to Ada Lovelace {WHEN}\n"
        rf"{incident['html_url']}",
        text,
    )
    assert "Details: P99 2.1 s see thread" in await tools.call("get_incident", incident="1")


async def test_asking_twice_pages_once_with_a_key_or_by_the_title(sandbox: Sandbox, tools: Tools) -> None:
    await tools.call("create_incident", title="api-server is down")
    for arguments in ({"title": "API-server  is down"}, {"title": "api-server is down", "urgency": "low"}):
        text = await tools.call("create_incident", **arguments)
        assert text.startswith("Already open: an incident with this key exists, so nobody was paged again")
    await tools.call("create_incident", title="one", incident_key="k")
    assert "Already open" in await tools.call("create_incident", title="two", incident_key="k")
    assert [incident["title"] for incident in await sandbox.incidents()] == ["api-server is down", "one"]


async def test_a_lost_answer_is_told_as_such(sandbox: Sandbox, tools: Tools) -> None:
    await sandbox.fault("drop_after", method="POST")
    assert "answer was lost, but the incident is there" in await tools.call("create_incident", title="down")


@pytest.mark.parametrize("title", ["   ", "\n\t", "\ud800"])
async def test_a_title_without_words_pages_nobody(title: str, sandbox: Sandbox, tools: Tools) -> None:
    answer = await tools.try_call("create_incident", title=title)
    assert answer.is_error
    assert await sandbox.incidents() == []


async def test_text_that_is_not_unicode_is_refused_before_anything_is_sent(sandbox: Sandbox, tools: Tools) -> None:
    for arguments in (
        {"title": "x \ud800"},
        {"title": "x", "details": "\udfff"},
        {"title": "x", "incident_key": "\ud800"},
    ):
        assert (await tools.try_call("create_incident", **arguments)).is_error
    assert (await tools.try_call("update_incident", incident="1", note="\udfff")).is_error
    assert await sandbox.calls() == []


async def test_control_characters_never_reach_a_title_or_a_key(sandbox: Sandbox, tools: Tools) -> None:
    await tools.call("create_incident", title="down\x00\x1b[31m", incident_key="k\r\nX: y", details="a\x00b")
    (incident,) = await sandbox.incidents()
    assert (incident["title"], incident["incident_key"]) == ("down [31m", "k X: y")


async def test_an_incident_is_shown_with_its_alerts_bodies_notes_and_log(sandbox: Sandbox, tools: Tools) -> None:
    body = {
        "error_rate": "12 %",
        "labels": {"service": "api-server", "pool": {"size": 1}},
        "hosts": ["a", "b"],
        "no": "",
    }
    identity, number = await sandbox.report("5xx", details=body, links=["https://grafana.example/d/1"], age=125)
    await sandbox.order(f"incidents/{identity}/acknowledge")
    await sandbox.order(f"incidents/{identity}/note", text="restarting\nnow")
    text = await tools.call("get_incident", incident=f"#{number}")
    assert re.search(r"^#1 acknowledged, high urgency: 5xx$", text, re.M)
    assert re.search(rf"^assigned to Ada Lovelace {WHEN}; acknowledged by Ada Lovelace {WHEN}$", text, re.M)
    told = (
        "5xx: error_rate: 12 %; labels.service: api-server; labels.pool.size: 1; "
        r'hosts: \["a", "b"\] Links: https://grafana.example/d/1'
    )
    assert re.search(rf"^Alerts: 1\n- critical triggered {WHEN} {told}$", text, re.M)
    assert re.search(r"\(2 m \d+ s ago\)", text)
    assert re.search(rf"^Notes: 1\n- {WHEN} Ada Lovelace: restarting now$", text, re.M)
    assert re.search(rf"^Log: 4\n- {WHEN} Ada Lovelace: Note added by Ada Lovelace$", text, re.M)
    assert "Details:" not in text


async def test_a_huge_incident_is_cut_with_what_was_left_out(sandbox: Sandbox, tools: Tools) -> None:
    body = {f"field {number}": "x" * 2_000 for number in range(100)}
    for _ in range(30):
        identity, _number = await sandbox.report("5xx", key="k", details=body)
    text = await tools.call("get_incident", incident=identity)
    assert len(text) <= HARD_LIMIT
    assert "Alerts: newest 10 of 30" in text
    assert "80 more fields left out" in text
    assert "[cut: " in text


async def test_of_many_notes_the_newest_are_shown_and_counted(sandbox: Sandbox, tools: Tools) -> None:
    identity, _ = await sandbox.report()
    for number in range(12):
        await sandbox.order(f"incidents/{identity}/note", text=f"note {number}")
    text = await tools.call("get_incident", incident=identity)
    assert "Notes: newest 10 of 12" in text
    assert text.count(": note ") == 10


async def test_a_deep_body_and_a_body_of_text_are_shown(sandbox: Sandbox, tools: Tools) -> None:
    deep: object = "bottom"
    for _ in range(200):
        deep = {"a": deep}
    identity, _ = await sandbox.report("deep", details=deep)
    assert 'a.a.a.a: {"a":' in await tools.call("get_incident", incident=identity)
    identity, _ = await sandbox.report("text", details="just words")
    assert "text: just words" in await tools.call("get_incident", incident=identity)


async def test_a_part_that_cannot_be_read_does_not_hide_the_others(sandbox: Sandbox, tools: Tools) -> None:
    identity, _ = await sandbox.report("5xx", details={"why": "pool"})
    await sandbox.fault("status", path="/log_entries", status=403)
    text = await tools.call("get_incident", incident=identity)
    assert "why: pool" in text
    assert "Notes: none" in text
    assert "Log: NOT READ: PagerDuty answered 403" in text


async def test_an_incident_is_acknowledged_noted_and_resolved(sandbox: Sandbox, tools: Tools) -> None:
    identity, _ = await sandbox.report()
    text = await tools.call("update_incident", incident="1", action="acknowledge", note="on it")
    assert text.startswith("Note added. Status changed: triggered → acknowledged.\n#1 acknowledged")
    assert "acknowledged by SRE Bot" in text
    text = await tools.call("update_incident", incident=identity, action="resolve")
    assert text.startswith("Status changed: acknowledged → resolved.\n#1 resolved")
    assert re.search(rf"created {WHEN}, (resolved {WHEN}, )?incident_key", text)
    (incident,) = await sandbox.incidents()
    assert (incident["status"], [note["content"] for note in incident["notes"]]) == ("resolved", ["on it"])


async def test_what_is_so_already_is_told_and_not_done_again(sandbox: Sandbox, tools: Tools) -> None:
    await sandbox.report()
    for action in ("acknowledge", "resolve"):
        await tools.call("update_incident", incident="1", action=action, note="done")
        text = await tools.call("update_incident", incident="1", action=action, note="done")
        assert text.startswith("The same note is there already; it was not added again. It is")
        assert "its status was not changed" in text
    assert "so it was not acknowledged" in await tools.call("update_incident", incident="1", action="acknowledge")
    writes = [call["method"] for call in await sandbox.calls() if call["method"] != "GET"]
    assert writes == ["POST", "PUT", "PUT"]


async def test_an_update_that_says_nothing_is_refused_before_anything_is_asked(sandbox: Sandbox, tools: Tools) -> None:
    answer = await tools.try_call("update_incident", incident="1", note="  ")
    assert answer.is_error
    assert "Nothing to do" in answer.text
    assert await sandbox.calls() == []


async def test_half_an_update_says_which_half_was_done(sandbox: Sandbox, tools: Tools) -> None:
    await sandbox.report()
    await sandbox.fault("status", method="PUT", status=409)
    answer = await tools.try_call("update_incident", incident="1", note="on it", action="resolve")
    assert answer.is_error
    assert answer.text.startswith("Note added. Then: PagerDuty answered 409")


async def test_a_list_says_how_many_of_how_many_and_how_to_see_the_others(sandbox: Sandbox, tools: Tools) -> None:
    for number in range(3):
        await sandbox.report(f"problem {number}", age=60 - number)
    await sandbox.report("elsewhere", service="payment-svc")
    first, *rows = (await tools.call("list_incidents", limit=2)).splitlines()
    assert first == (
        "2 of 3 open incidents of service PSRVAPI (all_services=true for all), newest first; offset=2 shows more"
    )
    assert re.fullmatch(rf"#3 \w+ triggered high {WHEN} api-server: problem 2 \[assigned: Ada Lovelace\]", rows[0])
    assert "1 of 3 open" in await tools.call("list_incidents", limit=2, offset=2)
    assert "4 of 4 open incidents of all services" in await tools.call("list_incidents", all_services=True)


async def test_a_list_is_narrowed_by_status_urgency_and_time(sandbox: Sandbox, tools: Tools) -> None:
    identity, _ = await sandbox.report("old", age=40 * 86_400)
    await sandbox.report("new", urgency="low")
    await sandbox.order(f"incidents/{identity}/resolve")
    assert "None: PagerDuty has no resolved incidents" in await tools.call("list_incidents", status="resolved")
    assert "1 of 1 resolved" in await tools.call("list_incidents", status="resolved", since="-50d")
    assert "2 of 2 incidents" in await tools.call("list_incidents", status="all", since="-50d")
    assert "1 of 1 open low-urgency incidents" in await tools.call("list_incidents", urgency="low")
    assert "None: PagerDuty has no open high-urgency" in await tools.call("list_incidents", urgency="high")
    answer = await tools.try_call("list_incidents", since="-300d")
    assert answer.is_error
    assert "six months" in answer.text


async def test_a_pagerduty_that_never_answers_ends_with_the_deadline(sandbox: Sandbox, tools: Tools) -> None:
    tool = tools.by_name["pagerduty_list_incidents"]
    await sandbox.fault("hang")
    answer = await replace(tool, spec=replace(tool.spec, timeout=0.2)).call({})
    assert answer.is_error
    assert "timed out" in answer.text


def test_only_reading_is_free_and_the_writes_are_declared_repeatable_and_not_destructive() -> None:
    access = {spec.name.removeprefix("pagerduty_"): spec.access for spec in specs_of(PagerDutyIncidents)}
    assert access == {
        "create_incident": Access.NOTIFY,
        "update_incident": Access.NOTIFY,
        "get_incident": Access.READ,
        "list_incidents": Access.READ,
    }


def test_without_its_settings_no_tool_of_pagerduty_is_offered() -> None:
    assert not [spec for spec in describe_tools(load_tool_settings({})) if "pagerduty" in spec.name]


def test_the_words_for_the_model_are_few() -> None:
    shown = [[spec.name, spec.description, dict(spec.schema)] for spec in specs_of(PagerDutyIncidents)]
    assert len(json.dumps(shown, separators=(",", ":"))) / 4 / len(shown) <= 105
