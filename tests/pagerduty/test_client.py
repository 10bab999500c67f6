"""What must not happen twice: pages and notes, whatever becomes of the answers; and finding what people name."""

from collections.abc import Callable

import httpx2
import pytest

from sandbox.pagerduty.account import BOT, SERVICES, Account
from sandbox.pagerduty.wire import write_incident
from sre_bot.clients.pagerduty import OPEN, PagerDuty
from sre_bot.errors import BadRequest, RateLimited, Refused, Unreachable
from tests.pagerduty.conftest import Sandbox, settings

LOST = ("half", "half_json", "nothing", "drop_after")


async def create(pagerduty: PagerDuty, key: str = "key-1") -> bool | None:
    return (await pagerduty.create_incident(key, "api-server is down", "high", "details")).created


async def test_the_same_key_opens_one_incident_while_it_is_open(sandbox: Sandbox, pagerduty: PagerDuty) -> None:
    first = await pagerduty.create_incident("key-1", "api-server is down", "high", "")
    second = await pagerduty.create_incident("key-1", "api-server is still down", "low", "")
    assert (first.created, second.created) == (True, False)
    assert second.incident.id == first.incident.id
    assert second.incident.title == "api-server is down"
    assert len(await sandbox.incidents()) == 1


async def test_a_resolved_incident_does_not_keep_its_key(sandbox: Sandbox, pagerduty: PagerDuty) -> None:
    first = await pagerduty.create_incident("key-1", "title", "high", "")
    await pagerduty.set_status(first.incident.id, "resolved")
    assert await create(pagerduty) is True
    assert len(await sandbox.incidents()) == 2


async def test_the_same_key_on_another_service_is_another_incident(
    sandbox: Sandbox, connect: Callable[..., PagerDuty]
) -> None:
    assert await create(connect()) is True
    assert await create(connect(PAGERDUTY_SERVICE_ID="PSRVPAY")) is True
    assert len(await sandbox.incidents()) == 2


async def test_a_taken_key_finds_the_open_incident_of_that_key_and_service_however_old(
    sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    over, _ = await sandbox.report("resolved", key="k")
    await sandbox.order(f"incidents/{over}/resolve")
    identity, _ = await sandbox.report("the one", key="k", age=40 * 86_400)
    await sandbox.report("another service", key="k", service="payment-svc")
    await sandbox.report("another key", key="l")
    found = await pagerduty.create_incident("k", "title", "high", "")
    assert (found.created, found.incident.id, found.incident.title) == (False, identity, "the one")


async def test_an_incident_with_another_key_is_never_taken_for_the_one() -> None:
    """PagerDuty ignores a filter that it does not like, and then lists all."""
    account = Account()
    other = account.open("other", SERVICES["PSRVAPI"], "high", "l", BOT)
    listed = {"incidents": [write_incident(other)], "more": False, "total": 1}

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=listed) if request.method == "GET" else httpx2.Response(400, json={})

    with pytest.raises(Refused):
        await create(PagerDuty(settings("http://pagerduty.test"), httpx2.MockTransport(answer)), "k")


@pytest.mark.parametrize("kind", LOST)
async def test_a_lost_answer_to_a_create_is_settled_by_its_key(
    kind: str, sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    await sandbox.fault(kind, method="POST")
    creation = await pagerduty.create_incident("key-1", "title", "high", "")
    assert creation.created is None
    (incident,) = await sandbox.incidents()
    assert creation.incident.id == incident["id"]


async def test_a_500_after_the_create_took_effect_is_settled_by_its_key(sandbox: Sandbox, pagerduty: PagerDuty) -> None:
    await sandbox.fault("status", method="POST", status=500, applied=True)
    assert await create(pagerduty) is None


@pytest.mark.parametrize("fault", [{"kind": "drop_before"}, {"kind": "status", "status": 502}, {"kind": "html"}])
async def test_a_create_that_left_no_incident_says_so_and_that_repeating_is_safe(
    fault: dict[str, str], sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    await sandbox.fault(**fault, method="POST")
    with pytest.raises(Unreachable, match=r"it is not so that the incident was created\. .*'key-1' is safe"):
        await create(pagerduty)
    assert await sandbox.incidents() == []
    assert len([call for call in await sandbox.calls() if call["method"] == "POST"]) == 1


async def test_a_create_that_cannot_be_settled_says_that_it_is_unknown(sandbox: Sandbox, pagerduty: PagerDuty) -> None:
    await sandbox.fault("drop_after", method="POST")
    await sandbox.fault("status", method="GET", status=503)
    with pytest.raises(Unreachable, match=r"Whether the incident was created is unknown.*'key-1' is safe"):
        await create(pagerduty)
    assert await create(pagerduty) is False


async def test_a_refused_create_keeps_pagerdutys_words_and_makes_nothing(
    sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    await sandbox.fault("status", method="POST", status=400, message="Invalid Input Provided", errors=["Priority x"])
    with pytest.raises(Refused, match="PagerDuty answered 400: Invalid Input Provided: Priority x"):
        await create(pagerduty)


async def test_a_short_rate_limit_is_waited_for_and_then_the_write_is_made_once(
    sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    await sandbox.fault("status", method="POST", status=429, retry_after=1)
    assert await create(pagerduty) is True
    assert len(await sandbox.incidents()) == 1  # and the stand-in notes a call before its time as a violation


async def test_a_long_rate_limit_is_told_and_nothing_more_is_asked(sandbox: Sandbox, pagerduty: PagerDuty) -> None:
    await sandbox.order("limits", per_minute=1)
    assert await create(pagerduty) is True
    with pytest.raises(RateLimited) as caught:
        await create(pagerduty, "key-2")
    assert caught.value.retry_after
    assert 10 < caught.value.retry_after <= 60
    assert "Nothing was changed; try again in" in str(caught.value)
    assert len(await sandbox.calls()) == 2


@pytest.mark.parametrize("kind", LOST)
async def test_a_lost_answer_to_a_note_or_a_status_is_settled_by_reading(
    kind: str, sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    identity, _ = await sandbox.report()
    await sandbox.fault(kind, method="POST")
    assert await pagerduty.add_note(identity, "looking") is True
    await sandbox.fault(kind, method="PUT")
    assert (await pagerduty.set_status(identity, "resolved")).status == "resolved"
    (incident,) = await sandbox.incidents()
    assert ([note["content"] for note in incident["notes"]], incident["status"]) == (["looking"], "resolved")


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (
            [{"kind": "drop_before", "method": "PUT"}],
            "it is not so that the incident was resolved. Calling again is safe",
        ),
        (
            [{"kind": "drop_after", "method": "PUT"}, {"kind": "drop_before", "method": "GET"}],
            "Whether the incident was resolved is unknown. Calling again is safe",
        ),
    ],
)
async def test_what_cannot_be_settled_is_told_with_what_is_known(
    faults: list[dict[str, str]], words: str, sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    identity, _ = await sandbox.report()
    for fault in faults:
        await sandbox.fault(**fault)
    with pytest.raises(Unreachable, match=words):
        await pagerduty.set_status(identity, "resolved")


async def test_the_same_note_is_added_once(sandbox: Sandbox, pagerduty: PagerDuty) -> None:
    identity, _ = await sandbox.report()
    assert [await pagerduty.add_note(identity, text) for text in ("a", "a", "b", "a")] == [True, False, True, False]


@pytest.mark.parametrize("form", ["{id}", " {id} ", "{number}", "#{number}", "https://x.pagerduty.com/incidents/{id}"])
async def test_an_incident_is_found_by_every_name_that_people_use(
    form: str, sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    await sandbox.report("first", age=40 * 86_400)
    identity, number = await sandbox.report("second")
    await sandbox.report("third")
    found = await pagerduty.find_incident(form.format(id=identity, number=number))
    assert (found.id, found.number, found.title) == (identity, number, "second")


async def test_a_number_is_found_many_pages_back(sandbox: Sandbox, pagerduty: PagerDuty) -> None:
    for number in range(1, 252):
        await sandbox.report(f"number {number}")
    assert (await pagerduty.find_incident("#1")).title == "number 1"
    assert len(await sandbox.calls()) == 4


@pytest.mark.parametrize("name", ["", "#", "../users", "P1/alerts", "P 1", "P1?x=y", "P\n1", "ü", "%2e%2e", "x" * 41])
async def test_what_is_no_incident_is_refused_before_anything_is_asked(
    name: str, sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    with pytest.raises(BadRequest, match="give its id"):
        await pagerduty.find_incident(name)
    assert await sandbox.calls() == []


async def test_a_number_that_is_not_there_is_told_without_walking_through_everything(
    sandbox: Sandbox, pagerduty: PagerDuty
) -> None:
    await sandbox.report()
    for number in ("7", "0"):
        with pytest.raises(BadRequest, match=f"no incident #{number}"):
            await pagerduty.find_incident(number)
    assert len(await sandbox.calls()) == 2


async def test_lists_are_filtered_paged_and_newest_first(sandbox: Sandbox, pagerduty: PagerDuty) -> None:
    for number in range(5):
        await sandbox.report(f"high {number}", age=100 - number)
    await sandbox.report("low", urgency="low")
    await sandbox.report("other", service="payment-svc")
    page = await pagerduty.list_incidents(OPEN, urgency="high", service_id="PSRVAPI", limit=2, offset=1)
    assert [incident.title for incident in page.items] == ["high 3", "high 2"]
    assert (page.total, page.more) == (5, True)
