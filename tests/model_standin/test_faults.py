"""Every way in which the model's side can fail, on order."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from .conftest import Standin, user

LONG = "The pool of api-server is exhausted. " * 8


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (404, "not_found_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ],
)
async def test_an_http_fault_answers_with_the_apis_error_and_is_no_violation(
    standin: Standin, status: int, kind: str
) -> None:
    await standin.order("faults", kind="http", status=status)
    answer = await standin.send([user("hi")], stream=True)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == kind
    assert answer.json()["request_id"] == answer.headers["request-id"]
    assert await standin.seen("violations") == []
    (seen,) = await standin.seen("requests")
    assert (seen["status"], seen["outcome"]) == (status, "http")


async def test_a_fault_is_spent_after_its_count_and_the_retry_gets_the_same_turn(standin: Standin) -> None:
    await standin.order("script", marker="m1", turns=[{"text": "at last"}])
    await standin.order("faults", kind="http", status=429, retry_after=1, count=2)
    statuses = []
    for _ in range(3):
        answer = await standin.send([user("m1")])
        statuses.append((answer.status_code, answer.headers.get("retry-after")))
    assert statuses == [(429, "1"), (429, "1"), (200, None)]
    assert answer.json()["content"][0]["text"] == "at last"


async def test_a_fault_strikes_only_its_conversation_and_only_after_its_skips(standin: Standin) -> None:
    await standin.order("faults", kind="http", status=500, marker="thread-A", skip=1)
    statuses = [(await standin.send([user(text)])).status_code for text in ("thread-B", "thread-A", "thread-A")]
    assert statuses == [200, 200, 500]


async def test_a_stream_error_comes_after_half_of_the_text(standin: Standin) -> None:
    await standin.order("script", marker="m1", turns=[{"text": LONG}])
    await standin.order("faults", kind="stream_error", count=1)
    events = await standin.stream([user("m1")])
    assert events[-1]["error"]["type"] == "overloaded_error"
    said = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
    assert 0 < len(said) < len(LONG)
    assert (await standin.stream([user("m1")]))[-1]["type"] == "message_stop"


@pytest.mark.parametrize("kind", ["reset", "reset_before"])
async def test_a_reset_is_seen_as_a_broken_connection(standin: Standin, kind: str) -> None:
    await standin.order("script", marker="m1", turns=[{"text": LONG}])
    await standin.order("faults", kind=kind)
    with pytest.raises(httpx2.TransportError):
        await standin.stream([user("m1")])


@pytest.mark.parametrize("kind", ["hang_before", "hang_mid"])
async def test_a_hang_lasts_until_the_fault_is_lifted(standin: Standin, kind: str) -> None:
    await standin.order("script", marker="m1", turns=[{"text": LONG}])
    await standin.order("faults", kind=kind)
    hanging = asyncio.create_task(standin.stream([user("m1")]))
    await standin.until_outcome(kind)
    assert not hanging.done()
    await standin.http.delete("/sandbox/faults")
    with pytest.raises(httpx2.TransportError):
        await hanging


async def test_a_client_that_leaves_is_noted(standin: Standin) -> None:
    await standin.order("pace", delay_ms=60_000)
    leaving = asyncio.create_task(standin.stream([user("hi")]))
    await standin.until_outcome("pending")
    leaving.cancel()
    await standin.until_outcome("client_gone")


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("faults", {"kind": "earthquake"}),
        ("faults", {"kind": "http", "status": 418}),
        ("faults", {"kind": "http", "colour": "red"}),
        ("script", {"turns": []}),
        ("script", {"marker": "m1", "turns": [{"sing": "la"}]}),
        ("pace", {"speed": 3}),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(standin: Standin, path: str, order: dict[str, object]) -> None:
    answer = await standin.http.post(f"/sandbox/{path}", json=order)
    assert answer.status_code == 400
    assert answer.json()["error"]
