"""Bounds of size, time and number, what is asked of the listener besides webhooks, and where it listens."""

import asyncio
import logging
import resource
from collections.abc import AsyncIterator, Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sre_bot.errors import SettingsError
from sre_bot.incidents.paging import Delivery
from sre_bot.settings import WebhookSettings
from sre_bot.webhooks import Limits, Listener
from tests.webhooks.conftest import BEARER, Door, OpenDoor, alert, all_is_ready, body_of, event, group, sign

MEGABYTE = 1 << 20
PATIENCE = 20.0
PRETENCE = {"X-PagerDuty-Signature": "v1=00"}


class Stuck:
    """An inbox that holds every delivery until it is let go, as a hanging disk does."""

    def __init__(self) -> None:
        self.waiting = 0
        self.let_go = asyncio.Event()

    async def record(self, delivery: Delivery) -> bool:
        self.waiting += 1
        await self.let_go.wait()
        return True


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def stream(size: int) -> AsyncIterator[bytes]:
    chunk = b" " * (64 << 10)
    for _ in range(size // len(chunk)):
        yield chunk


async def raw(door: Door, sent: bytes, *, end: bool = False) -> bytes:
    """Send bytes on a connection of its own, then read until the listener closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(sent)
        await writer.drain()
        if end:
            writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    finally:
        writer.close()


def head(length: int, path: str = "/webhooks/pagerduty", **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(("path", "headers"), [("pagerduty", PRETENCE), ("alertmanager", BEARER)])
async def test_fifty_megabytes_are_refused_in_little_memory(path: str, headers: dict[str, str], door: Door) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = await door.send("POST", f"/webhooks/{path}", headers, stream(50 * MEGABYTE))
    assert answer.status == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10  # kilobytes
    assert door.recorded() == []


async def test_a_length_that_is_announced_is_refused_before_it_comes(door: Door) -> None:
    answer = await raw(door, head(50 * MEGABYTE, **PRETENCE))
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_length_that_nobody_could_mean_is_refused(door: Door) -> None:
    assert (await raw(door, head(10**30, **PRETENCE))).startswith(b"HTTP/1.0 400")


async def test_a_body_of_just_the_limit_is_read(door: Door) -> None:
    body = body_of(event())
    assert (await door.page(body + b" " * (MEGABYTE - len(body)))).status == 202
    assert (await door.page(body + b" " * (MEGABYTE + 1 - len(body)))).status == 413


async def test_who_is_not_signed_is_not_read(door: Door) -> None:
    assert (await raw(door, head(MEGABYTE))).startswith(b"HTTP/1.1 401")


async def test_a_slow_sender_is_told_so_and_let_go(open_door: OpenDoor) -> None:
    door = await open_door(limits=Limits(read=0.2))
    answer = await raw(door, head(1000, **PRETENCE) + b"{")
    assert answer.startswith(b"HTTP/1.1 408")
    assert door.recorded() == []


async def test_who_sends_a_byte_now_and_then_is_let_go_all_the_same(open_door: OpenDoor) -> None:
    door = await open_door(limits=Limits(read=0.5))
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(head(1000, **PRETENCE))

    async def drip() -> None:
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    async with asyncio.timeout(PATIENCE):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    dripping.cancel()
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"POST /webhooks/pagerduty HTTP/1.1\r\nHost:"])
async def test_a_connection_without_a_whole_request_is_closed(sent: bytes, open_door: OpenDoor) -> None:
    door = await open_door(limits=Limits(idle=0.2))
    assert await raw(door, sent) == b""


async def test_a_body_that_breaks_off_leaves_nothing(door: Door) -> None:
    body = body_of(event())
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(head(len(body), **sign(body)) + body[:-10])
    await writer.drain()
    writer.close()
    async with asyncio.timeout(PATIENCE):
        while not await door.metric('sre_bot_webhook_deliveries_total{kind="",outcome="broken",source="pagerduty"}'):
            await asyncio.sleep(0.01)
    assert door.recorded() == []


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 20_000 + b"\r\n\r\n"],
)
async def test_what_is_not_http_is_answered_and_fills_no_log(
    sent: bytes, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert (await raw(door, sent)).startswith(b"HTTP/1.")
    assert [each for each in caplog.records if each.exc_info] == []
    assert (await door.get("/healthz")).status == 200


async def test_too_many_in_a_while_are_told_when_to_come_back(open_door: OpenDoor) -> None:
    door = await open_door(limits=Limits(burst=5, per_second=0.001))
    answers = [await door.page(event(id=f"e{number}")) for number in range(7)]
    assert [answer.status for answer in answers] == [202] * 5 + [429] * 2
    assert answers[-1].headers["Retry-After"] == "1"
    assert len(door.recorded()) == 5
    assert (await door.notify(group(alert()))).status == 202, "each route has a limit of its own"
    assert await door.metric('sre_bot_webhook_deliveries_total{kind="",outcome="limited",source="pagerduty"}') == 2


async def test_too_many_at_once_are_told_to_come_back_and_health_is_still_answered(open_door: OpenDoor) -> None:
    inbox = Stuck()
    door = await open_door(inbox=inbox, limits=Limits(concurrent=2, answer=PATIENCE))
    waiting = [asyncio.create_task(door.page(event(id=f"e{number}"))) for number in range(2)]
    await until(lambda: inbox.waiting == 2)
    refused = await door.page(event(id="e3"))
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert (await door.get("/healthz")).status == 200
    inbox.let_go.set()
    assert [(await each).status for each in waiting] == [202, 202]
    assert (await door.page(event(id="e4"))).status == 202


async def test_a_record_that_takes_too_long_is_answered_before_the_sender_gives_up(open_door: OpenDoor) -> None:
    door = await open_door(inbox=Stuck(), limits=Limits(answer=0.1))
    answer = await door.page(event())
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert door.rung == []


async def test_a_listener_that_closes_answers_what_is_under_way(open_door: OpenDoor) -> None:
    inbox = Stuck()
    door = await open_door(inbox=inbox, limits=Limits(answer=PATIENCE, drain=PATIENCE))
    waiting = asyncio.create_task(door.page(event()))
    await until(lambda: inbox.waiting == 1)
    closing = asyncio.create_task(door.listener.close())
    asyncio.get_running_loop().call_later(0.05, inbox.let_go.set)
    assert (await waiting).status == 202
    await closing


async def test_health_and_readiness(open_door: OpenDoor) -> None:
    missing: dict[str, str] = {}

    async def readiness() -> dict[str, str]:
        return missing

    door = await open_door(readiness=readiness)
    assert (await door.get("/healthz")).said == {"status": "alive"}
    assert (await door.get("/readyz")).said == {"status": "ready"}
    missing["database"] = "It is away."
    answer = await door.get("/readyz")
    assert answer.status == 503
    assert answer.said["not_ready"] == {"database": "It is away."}


async def test_what_is_wrong_beside_the_webhooks_is_a_warning(
    open_door: OpenDoor,
) -> None:
    async def well() -> dict[str, str]:
        return {}

    async def warnings() -> dict[str, str]:
        return {"slack": "No socket is connected."}

    answer = await (await open_door(readiness=well, warnings=warnings)).get("/readyz")
    assert (answer.status, answer.said["warnings"]) == (200, {"slack": "No socket is connected."})


async def test_readiness_that_cannot_be_established_is_not_ready(open_door: OpenDoor) -> None:
    async def never() -> dict[str, str]:
        await asyncio.Event().wait()
        return {}

    door = await open_door(readiness=never)
    answer = await door.get("/readyz")
    assert answer.status == 503
    assert "readiness" in answer.said["not_ready"]


async def test_metrics_count_by_what_we_know_and_never_by_what_was_sent(door: Door) -> None:
    await door.page(event())
    await door.page(event("incident.invented-by-somebody", id="other"))
    await door.notify(group(alert(), status="odd"))
    await door.get("/no/such/route")
    await door.send("PUT", "/webhooks/pagerduty")
    text = (await door.get("/metrics")).text
    families = {each.name: each for each in text_string_to_metric_families(text)}
    counted = {tuple(each.labels.values()) for each in families["sre_bot_webhook_deliveries"].samples}
    assert counted >= {
        ("incident.triggered", "recorded", "pagerduty"),
        ("other", "recorded", "pagerduty"),
        ("other", "recorded", "alertmanager"),
    }
    routes = {each.labels["route"] for each in families["sre_bot_http_request_duration_seconds"].samples}
    assert routes <= {"/webhooks/pagerduty", "/webhooks/alertmanager", "/metrics", "other"}
    assert "invented" not in text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/nothing", "/webhooks/pagerduty"])
async def test_no_answer_names_versions(path: str, door: Door) -> None:
    assert (await door.get(path)).headers["Server"] == "sre-bot"


async def test_a_port_that_is_taken_is_said_by_its_setting(door: Door, open_door: OpenDoor) -> None:
    with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{door.port} already.*WEBHOOK_PORT"):
        await open_door(WEBHOOK_PORT=str(door.port))


async def test_an_address_that_is_not_ours_is_said_by_its_setting(open_door: OpenDoor) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_HOST"):
        await open_door(WEBHOOK_HOST="192.0.2.1")


async def test_a_listener_that_is_not_open_can_be_closed(door: Door) -> None:
    listener = Listener(WebhookSettings.model_validate({}), Stuck(), all_is_ready, lambda: None)
    await listener.close()
    with pytest.raises(RuntimeError, match="not open"):
        _ = listener.address
