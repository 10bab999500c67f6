"""Publishing and resolving by one approved call: the page first, its link in the note, and once, whatever fails."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sre_bot.agent.approvals import PREFIX, Seal
from sre_bot.agent.records import Recorder
from sre_bot.catalog import load_catalog
from sre_bot.clients.confluence import Confluence
from sre_bot.clients.env_files import EnvFiles
from sre_bot.clients.pagerduty import PagerDuty
from sre_bot.incidents import Approval, ApprovalState, Ledger
from sre_bot.incidents.paging import IncidentStatus
from sre_bot.policy import Policy
from sre_bot.settings import ROOT
from sre_bot.tools.approval import Gate
from sre_bot.tools.confluence import Postmortems
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.planning import Planner
from sre_bot.tools.publications import POSTMORTEM, link_of
from sre_bot.tools.spec import Access, Answer, Tool, specs_of
from tests.agent.test_seal import SESSION, asker
from tests.confluence.conftest import TEXT, Site, Tools
from tests.incidents.pages import change, deliver, fold, page, snapshot
from tests.pagerduty.conftest import Sandbox, settings
from tests.pagerduty.conftest import lenient_sandbox as lenient_sandbox
from tests.pagerduty.conftest import sandbox as sandbox

RECORDED = {key: text for key, text in TEXT.items() if key not in ("timeline", "resolution")}


@pytest_asyncio.fixture
async def pager(sandbox: Sandbox) -> AsyncIterator[PagerDuty]:
    pagerduty = PagerDuty(settings(sandbox.url))
    yield pagerduty
    await pagerduty.aclose()


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    thread = await opened.thread("C1", "1.0", team="T1", started_by="U1")
    await opened.bind_session(thread.id, SESSION)
    yield opened
    await opened.close()


class Desk:
    """The way of a call from the model through the seal and a person's yes to the tool, as processes go it."""

    def __init__(self, ledger: Ledger, tool: Tool, url: str) -> None:
        specs = {spec.name: spec for spec in describe_tools()}
        gated = frozenset(name for name, spec in specs.items() if spec.access is not Access.READ)
        planner = Planner(specs, load_catalog(ROOT / "config"), EnvFiles(ROOT))
        self.seal = Seal(ledger, planner, Policy(), gated, frozenset(), Recorder(ledger, self.name))
        self.ledger = ledger
        self.gate = Gate(url)
        self.tool = tool

    async def name(self, person: str) -> str:
        return {"U0ADA00001": "Ada Lovelace"}.get(person, person)

    async def propose(self, call: str, **arguments: Any) -> tuple[str, str]:
        """What the hook says of a new call."""
        return await asker(self.seal)(call, RECORDED | arguments, f"{PREFIX}{POSTMORTEM}")

    async def approve(self, call: str, **arguments: Any) -> Answer:
        """A person says yes, and the call runs in the tool process."""
        for state in (ApprovalState.PENDING, ApprovalState.APPROVED):
            await self.ledger.approvals.move(call, state, by="U0ADA00001")
        assert (await asker(self.seal)(call, RECORDED | arguments, f"{PREFIX}{POSTMORTEM}"))[0] == "allow"
        return await self.gate.run(self.tool, RECORDED | arguments, call)

    async def row(self, call: str) -> Approval:
        found = await self.ledger.approvals.find(call)
        assert found
        return found


@pytest_asyncio.fixture
async def desk(ledger: Ledger, client: Confluence, pager: PagerDuty, tmp_path: Path) -> AsyncIterator[Desk]:
    group = Postmortems(client, pager)
    (spec,) = (spec for spec in specs_of(Postmortems) if spec.name == POSTMORTEM)
    desk = Desk(ledger, Tool(spec, group), f"sqlite:///{tmp_path / 'ledger.db'}")
    yield desk
    await desk.gate.close()


async def paged(ledger: Ledger, sandbox: Sandbox) -> str:
    """An incident that PagerDuty has and the thread is about; gives its id."""
    identity, _ = await sandbox.report()
    await deliver(ledger, page(identity), change(identity, "acknowledged", 60, snapshot(IncidentStatus.ACKNOWLEDGED)))
    (case_id,) = await fold(ledger)
    await ledger.cases.posted(case_id, "C1", "1.0")
    return identity


async def test_one_approval_publishes_what_was_shown_and_then_resolves_with_its_link(
    desk: Desk, ledger: Ledger, site: Site, sandbox: Sandbox
):
    identity = await paged(ledger, sandbox)
    assert (await desk.propose("toolu_1", resolve_incident=identity))[0] == "defer"
    shown = (await desk.row("toolu_1")).plan.preview
    await deliver(ledger, change(identity, "annotated", 90))  # recorded after it was shown
    answer = await desk.approve("toolu_1", resolve_incident=identity)
    assert not answer.is_error, answer.text
    (found,) = await site.postmortems()
    row = await desk.row("toolu_1")
    assert link_of(row) == found["url"]
    assert row.state is ApprovalState.SUCCEEDED
    timeline = "**03:00:00** PagerDuty {} paged: `api is slow`"
    assert timeline.format(identity) in shown
    assert f"03:00:00 PagerDuty {identity} paged: api is slow" in found["text"]
    assert "got a note" not in found["text"], "what was recorded later is not on the page that was approved"
    (incident,) = await sandbox.incidents()
    assert incident["status"] == "resolved"
    (note,) = incident["notes"]
    assert note["content"] == (f"Resolved by the SRE bot. Root cause: `DB_POOL_SIZE=1`\nPost-mortem: {found['url']}")


async def test_pagerduty_that_fails_after_the_page_is_told_exactly_and_no_second_page_is_made(
    desk: Desk, ledger: Ledger, site: Site, sandbox: Sandbox
):
    identity = await paged(ledger, sandbox)
    await desk.propose("toolu_1", resolve_incident=identity)
    await sandbox.fault("status", method="PUT", status=503, message="out of order")
    answer = await desk.approve("toolu_1", resolve_incident=identity)
    assert answer.is_error
    (found,) = await site.postmortems()
    first, *_, failed, advice = answer.text.splitlines()
    assert first == f"Published {TEXT['title']} (page {found['id']}) {found['url']}"
    assert failed.startswith(f"But PagerDuty incident {identity} is NOT resolved: ")
    assert f'pagerduty_update_incident with incident="{identity}"' in advice
    row = await desk.row("toolu_1")
    assert (row.state, link_of(row)) == (ApprovalState.FAILED, found["url"])

    said, why = await desk.propose("toolu_2", resolve_incident=identity)
    assert said == "deny"
    assert f"published already: {found['url']}" in why
    assert f'note="Post-mortem: {found["url"]}"' in why
    assert len(await site.postmortems()) == 1


async def test_where_publishing_fails_nothing_is_resolved_and_the_next_approval_does_both(
    desk: Desk, ledger: Ledger, site: Site, sandbox: Sandbox
):
    identity = await paged(ledger, sandbox)
    await desk.propose("toolu_1", resolve_incident=identity)
    await site.order("faults", kind="nothing", method="POST", path="/api/v2/pages")
    answer = await desk.approve("toolu_1", resolve_incident=identity)
    assert answer.is_error
    assert "It is not known whether the page was made." in answer.text
    assert "PagerDuty was not asked to resolve anything." in answer.text
    assert [each["status"] for each in await sandbox.incidents()] == ["triggered"]

    await desk.propose("toolu_2", resolve_incident=identity)
    answer = await desk.approve("toolu_2", resolve_incident=identity)
    assert not answer.is_error, answer.text
    assert len(await site.postmortems()) == 1
    assert [each["status"] for each in await sandbox.incidents()] == ["resolved"]


async def test_a_page_that_was_made_and_not_confirmed_is_not_made_again_with_a_longer_record(
    desk: Desk, ledger: Ledger, site: Site, sandbox: Sandbox
):
    identity = await paged(ledger, sandbox)
    await desk.propose("toolu_1", resolve_incident=identity)
    recorded = (await desk.row("toolu_1")).plan.sealed["recorded"]
    # The tool process made the page and died before it could say so.
    answer = await desk.tool.call(RECORDED, {"recorded": recorded})
    assert answer.text.startswith("Published")
    for state in (ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXECUTING):
        await ledger.approvals.move("toolu_1", state, by="U0ADA00001")
    await ledger.approvals.consume("toolu_1", POSTMORTEM, RECORDED | {"resolve_incident": identity})

    await deliver(ledger, change(identity, "annotated", 90))
    assert "use exactly that title" in (await desk.propose("toolu_2", title="Another", resolve_incident=identity))[1]
    await desk.propose("toolu_3", resolve_incident=identity)
    answer = await desk.approve("toolu_3", resolve_incident=identity)
    assert answer.text.startswith("Nothing was made: this is published already as")
    assert len(await site.postmortems()) == 1
    assert [each["status"] for each in await sandbox.incidents()] == ["resolved"]


async def test_an_incident_that_does_not_exist_is_found_out_before_anything_is_published(
    desk: Desk, ledger: Ledger, site: Site
):
    await desk.propose("toolu_1", resolve_incident="QNOBODY")
    answer = await desk.approve("toolu_1", resolve_incident="QNOBODY")
    assert answer.is_error
    assert "resolve_incident QNOBODY: " in answer.text
    assert "Nothing was published or resolved." in answer.text
    assert await site.postmortems() == []


async def test_of_several_incidents_each_is_told_by_itself(desk: Desk, site: Site, sandbox: Sandbox):
    ids = [(await sandbox.report(f"5xx above {number} %"))[0] for number in range(3)]
    await desk.propose("toolu_1", resolve_incident=",".join(ids))
    await sandbox.fault("status", method="PUT", path=ids[1], status=503, message="out of order")
    answer = await desk.approve("toolu_1", resolve_incident=",".join(ids))
    assert answer.is_error
    assert answer.text.count("is resolved, with the link in its notes.") == 2
    assert f"But PagerDuty incident {ids[1]} is NOT resolved" in answer.text
    states = {each["id"]: each["status"] for each in await sandbox.incidents()}
    assert [states[each] for each in ids] == ["resolved", "triggered", "resolved"]
    assert len(await site.postmortems()) == 1


async def test_an_incident_that_is_resolved_already_gets_the_link_all_the_same(
    desk: Desk, ledger: Ledger, site: Site, sandbox: Sandbox
):
    identity = await paged(ledger, sandbox)
    await desk.propose("toolu_1", resolve_incident=identity)
    await sandbox.order(f"incidents/{identity}/resolve")
    answer = await desk.approve("toolu_1", resolve_incident=identity)
    assert "was resolved already; the link is in its notes." in answer.text
    (incident,) = await sandbox.incidents()
    assert (await site.postmortems())[0]["url"] in incident["notes"][0]["content"]


async def test_without_a_record_the_callers_own_timeline_is_published_and_must_be_there(
    site: Site, client: Confluence, tools: Tools
):
    assert "timeline is empty" in await tools.fails("create_postmortem", **RECORDED)
    assert (await site.look("calls"))["calls"] == []
    await tools.ok("create_postmortem", **TEXT)
    (found,) = await site.postmortems()
    assert "14:05 alert" in found["text"]


async def test_without_pagerduty_a_call_that_would_resolve_publishes_nothing(site: Site, tools: Tools):
    said = await tools.fails("create_postmortem", **TEXT, resolve_incident="Q1")
    assert "PagerDuty is not configured here" in said
    assert await site.postmortems() == []


async def test_what_code_records_is_not_for_the_model_to_give(tools: Tools):
    said = await tools.fails("create_postmortem", **TEXT, recorded={"timeline": "x", "resolution": "y"})
    assert "there is no argument 'recorded'" in said


async def test_the_same_call_twice_at_once_makes_one_page(
    site: Site, client: Confluence, pager: PagerDuty, sandbox: Sandbox
):
    identity, _ = await sandbox.report()
    (spec,) = (spec for spec in specs_of(Postmortems) if spec.name == POSTMORTEM)
    tool = Tool(spec, Postmortems(client, pager))
    answers = await asyncio.gather(*(tool.call(TEXT | {"resolve_incident": identity}) for _ in range(2)))
    assert not [answer.text for answer in answers if answer.is_error]
    assert len(await site.postmortems()) == 1
    assert (await sandbox.incidents())[0]["status"] == "resolved"


@pytest.mark.parametrize("nasty", ["<!channel> @all", "<ac:link><ri:user ri:account-id='1'/></ac:link>", "](x)"])
async def test_nothing_that_is_written_acts_on_the_page(desk: Desk, site: Site, nasty: str):
    await desk.propose("toolu_1", summary=nasty, title=f"x {nasty}"[:100])
    answer = await desk.approve("toolu_1", summary=nasty, title=f"x {nasty}"[:100])
    assert not answer.is_error, answer.text
    (found,) = await site.postmortems()
    assert not re.search(r"<ri:|<ac:(?!task)|href", found["storage"])
    assert all(word in found["text"] for word in re.findall(r"\w+", nasty)), "it is text, and all of it"
