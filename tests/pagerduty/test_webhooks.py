"""The stand-in delivers webhooks as PagerDuty does: signed, in order, some failures repeated and others dropped."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.pagerduty.conftest import Sandbox
from tests.pagerduty.test_stand_in import HEADERS

PATIENCE = 60.0
FAST = {"schedule": [0.02], "timeout": 60}


class Receiver:
    """Somebody who is sent webhooks, and answers as a test orders."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []  # for the next requests; then 202
        self.silent = 0  # so many requests get no answer

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        if self.silent:
            self.silent -= 1
            await asyncio.Event().wait()
        status = self.statuses.pop(0) if self.statuses else 202
        return web.Response(status=status, headers={"Location": self.url} if status == 302 else {})

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body)["event"] for _, body in self.got]

    def kinds(self) -> list[str]:
        return [event["event_type"].removeprefix("incident.") for event in self.events()]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = "http://{}:{}/hook".format(*runner.addresses[0][:2])
    yield made
    await runner.cleanup()


async def drained(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Every attempt, once nothing is on its way."""
    async with asyncio.timeout(PATIENCE):
        while (found := await sandbox.look("deliveries"))["pending"]:
            await asyncio.sleep(0.01)
    return list(found["deliveries"])


async def subscribe(sandbox: Sandbox, receiver: Receiver, **more: Any) -> str:
    made = await sandbox.order("webhooks", url=receiver.url, **FAST | {"secret": "s1"} | more)
    return str(made["id"])


async def test_everything_that_happens_to_an_incident_is_sent_once_and_in_order(
    lenient_sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox = lenient_sandbox
    await subscribe(sandbox, receiver)
    identity, _ = await sandbox.report(key="k")
    for action, more in (
        ("acknowledge", {}),
        ("unacknowledge", {}),
        ("escalate", {}),
        ("reassign", {"to": "ada@example.com"}),
        ("priority", {"to": "P1"}),
        ("note", {"text": "looking"}),
        ("resolve", {}),
        ("reopen", {}),
    ):
        await sandbox.order(f"incidents/{identity}/{action}", **more)
    body = {"incident": {"type": "incident", "status": "resolved"}}
    assert (await sandbox.rest("PUT", f"/incidents/{identity}", headers=HEADERS, json=body)).status_code == 200
    await drained(sandbox)
    assert receiver.kinds() == [
        "triggered", "acknowledged", "unacknowledged", "escalated", "reassigned", "priority_updated", "annotated",
        "resolved", "reopened", "resolved",
    ]  # fmt: skip
    assert len({event["id"] for event in receiver.events()}) == 10
    moments = [event["occurred_at"] for event in receiver.events()]
    assert moments == sorted(moments)


async def test_an_event_carries_the_incident_as_it_was_then(lenient_sandbox: Sandbox, receiver: Receiver) -> None:
    await subscribe(lenient_sandbox, receiver)
    identity, number = await lenient_sandbox.report("5xx above 5 %", key="k", urgency="low")
    await lenient_sandbox.order(f"incidents/{identity}/priority", to="P2")
    await lenient_sandbox.order(f"incidents/{identity}/acknowledge")
    await drained(lenient_sandbox)
    first, second, third = (event["data"] for event in receiver.events())
    assert set(first) == {
        "id", "type", "self", "html_url", "number", "status", "incident_key", "created_at", "title", "service",
        "assignees", "escalation_policy", "teams", "priority", "urgency", "conference_bridge", "resolve_reason",
    }  # fmt: skip
    assert (first["id"], first["number"], first["incident_key"], first["urgency"]) == (identity, number, "k", "low")
    assert [each["status"] for each in (first, second, third)] == ["triggered", "triggered", "acknowledged"]
    assert [each["priority"] and each["priority"]["summary"] for each in (first, second)] == [None, "P2"]
    assert receiver.events()[2]["agent"]["summary"] == "Ada Lovelace"


async def test_a_note_refers_to_its_incident(lenient_sandbox: Sandbox, receiver: Receiver) -> None:
    identity, _ = await lenient_sandbox.report()
    await subscribe(lenient_sandbox, receiver)
    await lenient_sandbox.order(f"incidents/{identity}/note", text="looking")
    await drained(lenient_sandbox)
    (event,) = receiver.events()
    assert event["data"]["type"] == "incident_note"
    assert event["data"]["id"] != identity
    assert event["data"]["incident"]["id"] == identity


async def test_every_current_secret_signs_the_bytes_that_are_sent(lenient_sandbox: Sandbox, receiver: Receiver) -> None:
    identity = await subscribe(lenient_sandbox, receiver, secrets=["s1", "s2"])
    await lenient_sandbox.order(f"webhooks/{identity}/ping")
    await drained(lenient_sandbox)
    ((headers, body),) = receiver.got
    wanted = [f"v1={hmac.new(secret, body, sha256).hexdigest()}" for secret in (b"s1", b"s2")]
    assert headers["X-PagerDuty-Signature"] == ",".join(wanted)
    assert receiver.events()[0]["event_type"] == "pagey.ping"


async def test_a_subscription_without_a_secret_is_given_one(lenient_sandbox: Sandbox, receiver: Receiver) -> None:
    made = await lenient_sandbox.order("webhooks", url=receiver.url)
    assert len(made["secrets"]) == 1


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_failure_is_repeated_and_later_events_wait_behind_it(
    status: int, lenient_sandbox: Sandbox, receiver: Receiver
) -> None:
    receiver.statuses = [status, status]
    await subscribe(lenient_sandbox, receiver)
    identity, _ = await lenient_sandbox.report()
    await lenient_sandbox.order(f"incidents/{identity}/acknowledge")
    attempts = await drained(lenient_sandbox)
    assert receiver.kinds() == ["triggered"] * 3 + ["acknowledged"]
    assert [(each["attempt"], each["status"]) for each in attempts] == [(1, status), (2, status), (3, 202), (1, 202)]
    assert len({each["id"] for each in attempts}) == 2, "the id stays over the attempts"


async def test_another_incident_does_not_wait(lenient_sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.statuses = [500]
    await subscribe(lenient_sandbox, receiver, schedule=[600])
    await lenient_sandbox.report("first")
    async with asyncio.timeout(PATIENCE):
        while not receiver.got:
            await asyncio.sleep(0.01)
    await lenient_sandbox.report("second")
    async with asyncio.timeout(PATIENCE):
        while len(receiver.got) < 2:
            await asyncio.sleep(0.01)
    assert [event["data"]["title"] for event in receiver.events()] == ["first", "second"]


async def test_no_answer_and_nobody_there_are_failures(lenient_sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.silent = 1
    identity = await subscribe(lenient_sandbox, receiver, timeout=0.3)
    await lenient_sandbox.report()
    attempts = await drained(lenient_sandbox)
    told = [(each["status"], each["error"] != "") for each in attempts]
    assert (told[0], told[-1]) == ((None, True), (202, False))
    await lenient_sandbox.order(f"webhooks/{identity}/change", url="http://127.0.0.1:9/hook", give_up=0.2)
    await lenient_sandbox.report()
    attempts = await drained(lenient_sandbox)
    assert attempts[-1]["outcome"] == "expired"
    assert any("not accepted in all the time" in each for each in await lenient_sandbox.violations())


@pytest.mark.parametrize("status", [400, 401, 404, 302])
async def test_a_refusal_drops_the_event_at_once(status: int, lenient_sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.statuses = [status]
    await subscribe(lenient_sandbox, receiver)
    identity, _ = await lenient_sandbox.report()
    await lenient_sandbox.order(f"incidents/{identity}/acknowledge")
    attempts = await drained(lenient_sandbox)
    assert [each["outcome"] for each in attempts] == ["dropped", "accepted"]
    assert len(receiver.got) == 2, "a redirect is not followed"
    assert await lenient_sandbox.violations() == []


async def test_three_refusals_in_a_row_disable_the_subscription_and_throw_away_what_waits(
    lenient_sandbox: Sandbox, receiver: Receiver
) -> None:
    receiver.statuses = [401, 401, 202, 401, 401, 401]
    identity = await subscribe(lenient_sandbox, receiver)
    incident, _ = await lenient_sandbox.report()
    for _ in range(7):
        await lenient_sandbox.order(f"incidents/{incident}/note", text="x")
    attempts = await drained(lenient_sandbox)
    assert [each["outcome"] for each in attempts] == [
        *["dropped"] * 2, "accepted", *["dropped"] * 3, *["discarded"] * 2
    ]  # fmt: skip
    assert ["disabled" in each for each in await lenient_sandbox.violations()] == [True]
    assert [each["enabled"] for each in (await lenient_sandbox.look("webhooks"))["webhooks"]] == [False]
    await lenient_sandbox.order(f"webhooks/{identity}/enable")
    await lenient_sandbox.order(f"webhooks/{identity}/ping")
    assert (await drained(lenient_sandbox))[-1]["outcome"] == "accepted"


async def test_duplicates_and_shuffles_come_on_order(lenient_sandbox: Sandbox, receiver: Receiver) -> None:
    identity = await subscribe(lenient_sandbox, receiver)
    await lenient_sandbox.order(f"webhooks/{identity}/change", duplicates=2, shuffle=30, seed=7)
    incident, _ = await lenient_sandbox.report()
    for number in range(8):
        await lenient_sandbox.order(f"incidents/{incident}/note", text=str(number))
    assert receiver.got == []
    await lenient_sandbox.order(f"incidents/{incident}/resolve")
    await drained(lenient_sandbox)
    identities = [event["id"] for event in receiver.events()]
    assert len(identities) == 30
    assert {identities.count(each) for each in identities} == {3}
    assert identities != sorted(identities, key=[e["event"]["id"] for e in (await look(lenient_sandbox))].index)
    await lenient_sandbox.order(f"webhooks/{identity}/change", duplicates=0)
    await lenient_sandbox.report("another")
    await lenient_sandbox.order(f"webhooks/{identity}/release")
    await drained(lenient_sandbox)
    assert len(receiver.got) == 31


async def look(sandbox: Sandbox) -> list[dict[str, Any]]:
    return list((await sandbox.look("events"))["events"])


async def test_what_is_too_large_is_never_sent(lenient_sandbox: Sandbox, receiver: Receiver) -> None:
    await subscribe(lenient_sandbox, receiver)
    incident, _ = await lenient_sandbox.report()
    await lenient_sandbox.order(f"incidents/{incident}/note", text="x" * 300_000)
    assert (await drained(lenient_sandbox))[-1]["outcome"] == "oversized"


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("webhooks", {}),
        ("webhooks", {"url": "https://example.com/hook"}),
        ("webhooks", {"url": "http://127.0.0.1:1/", "colour": "red"}),
        ("webhooks", {"url": "http://127.0.0.1:1/", "schedule": []}),
        ("webhooks/PNONE/ping", {}),
        ("incidents/{id}/reopen", {}),
        ("incidents/{id}/dance", {}),
        ("incidents/{id}/reassign", {"to": "nobody@example.com"}),
    ],
)
async def test_an_order_that_cannot_be_carried_out_says_why(
    path: str, order: dict[str, Any], lenient_sandbox: Sandbox
) -> None:
    identity, _ = await lenient_sandbox.report()
    answer = await lenient_sandbox.rest("POST", f"/sandbox/{path.format(id=identity)}", json=order)
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_an_open_incident_can_be_snoozed_and_no_other(lenient_sandbox: Sandbox, receiver: Receiver) -> None:
    await subscribe(lenient_sandbox, receiver)
    identity, _ = await lenient_sandbox.report()

    async def snooze(body: Any, **headers: str) -> tuple[int, Any]:
        answer = await lenient_sandbox.rest(
            "POST", f"/incidents/{identity}/snooze", headers=HEADERS | headers, json=body
        )
        return answer.status_code, answer.json()

    status, answered = await snooze({"duration": 600})
    assert status == 201
    assert answered["incident"]["status"] == "acknowledged"
    assert answered["incident"]["pending_actions"][0]["type"] == "unacknowledge"
    wrongs: list[Any] = [{}, {"duration": 0}, {"duration": "600"}, {"duration": 604_801}, {"duration": 1, "x": 1}, []]
    for wrong in wrongs:
        assert (await snooze(wrong))[0] == 400
    assert (await snooze({"duration": 1}, From="nobody@example.com"))[0] == 400
    await lenient_sandbox.order(f"incidents/{identity}/resolve")
    assert (await snooze({"duration": 600}))[0] == 400
    await drained(lenient_sandbox)
    assert receiver.kinds() == ["triggered", "acknowledged", "resolved"]
