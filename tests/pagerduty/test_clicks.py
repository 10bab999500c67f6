"""What the buttons of a card do to PagerDuty."""

import time

import pytest

from sre_bot.clients.pagerduty import PagerDuty
from sre_bot.incidents.ledger import Ledger
from sre_bot.workflows.actions import QUIET_FOR, Actions, PagerDutySilencer
from tests.incidents.pages import deliver, fold, only_case, page
from tests.workflows.wall import AskedOnly

from .conftest import Sandbox, settings


async def clicked(ledger: Ledger, pagerduty: PagerDuty, *incidents: str) -> tuple[Actions, int]:
    await deliver(ledger, *(page(each) for each in incidents))
    await fold(ledger)
    case = await only_case(ledger, incidents[0])
    return Actions(ledger, AskedOnly(ledger), pagerduty, {"pd": PagerDutySilencer(pagerduty)}, "T1"), case.id


async def test_an_acknowledgement_reaches_each_incident_with_the_persons_name(
    sandbox: Sandbox, ledger: Ledger, pagerduty: PagerDuty
) -> None:
    made = [(await sandbox.report(title))[0] for title in ("api-server fails", "api-server is slow")]
    actions, case = await clicked(ledger, pagerduty, *made)
    assert await actions.acknowledge(case, "Ada") == "2 of 2 incidents acknowledged."
    assert {each["status"] for each in await sandbox.incidents()} == {"acknowledged"}
    for each in made:
        assert [note.text for note in await pagerduty.list_notes(each)] == ["Acknowledged in Slack by Ada."]


async def test_silenced_is_snoozed_for_an_hour(lenient_sandbox: Sandbox, ledger: Ledger) -> None:
    sandbox = lenient_sandbox  # the description that the other calls are held to has no snooze
    pagerduty = PagerDuty(settings(sandbox.url))
    made, _ = await sandbox.report()
    actions, case = await clicked(ledger, pagerduty, made)
    before = time.time()
    assert await actions.silence(case, "Ada") == "1 of 1 incidents silenced for an hour."
    (incident,) = await sandbox.incidents()
    assert incident["status"] == "acknowledged"
    (pending,) = incident["pending_actions"]
    assert pending["type"] == "unacknowledge"
    until = time.mktime(time.strptime(pending["at"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert until == pytest.approx(before + QUIET_FOR, abs=30)
    assert await sandbox.violations() == []
    await pagerduty.aclose()


async def test_an_incident_that_pagerduty_no_longer_has_is_a_sentence(
    sandbox: Sandbox, ledger: Ledger, pagerduty: PagerDuty
) -> None:
    made, _ = await sandbox.report()
    actions, case = await clicked(ledger, pagerduty, made, "PGONE00")
    answer = await actions.acknowledge(case, "Ada")
    assert answer.startswith("1 of 2 incidents acknowledged. ")
    assert "PagerDuty" in answer
