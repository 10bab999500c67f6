"""Who may page: signatures over the raw bytes, several secrets while one is rotated, and what a refusal says."""

import json
import logging
from collections.abc import Callable
from itertools import count

import pytest

from tests.webhooks.conftest import SECRET, Door, OpenDoor, event, sign

# The body bears the time, so that tests are named by numbers: two processes must find the same names.
BODY = json.dumps(event()).encode()
RIGHT = sign(BODY)["X-PagerDuty-Signature"]
WRONG = sign(BODY, "another-secret")["X-PagerDuty-Signature"]
REFUSED = 'sre_bot_webhook_deliveries_total{kind="",outcome="refused",source="pagerduty"}'


@pytest.mark.parametrize(
    "header",
    [
        RIGHT,
        f"{WRONG},{RIGHT}",
        f"{RIGHT},{WRONG}",
        f"  {RIGHT} ",
        f"{WRONG} ,\t{RIGHT}",
        f"v0=abc,{RIGHT},v2=def",
        "v1=" + RIGHT.removeprefix("v1=").upper(),
        f"{RIGHT},{RIGHT}",
    ],
    ids=count(),
)
async def test_one_right_signature_among_others_is_enough(header: str, door: Door) -> None:
    assert (await door.page(BODY, {"X-PagerDuty-Signature": header})).status == 202


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        WRONG,
        RIGHT.removeprefix("v1="),
        RIGHT.replace("v1=", "V1="),
        RIGHT.replace("v1=", "v0="),
        RIGHT.replace("v1=", "v2="),
        RIGHT.replace("v1=", "v1= "),
        RIGHT[:-1],
        RIGHT + "0",
        f"{RIGHT};{RIGHT}",
        "v1=",
        "v1=,v1=",
        "v1=\N{SNOWMAN}",
        ",".join(["v1=00"] * 200),
    ],
    ids=count(),
)
async def test_anything_else_is_refused_and_nothing_of_it_is_kept(header: str | None, door: Door) -> None:
    answer = await door.page(BODY, {} if header is None else {"X-PagerDuty-Signature": header})
    assert answer.status == 401
    assert answer.said["error"]
    assert door.recorded() == []
    assert door.rung == []
    assert await door.metric(REFUSED) == 1


@pytest.mark.parametrize(
    "sent",
    [BODY + b"\n", b" " + BODY, BODY.replace(b": ", b":"), json.dumps(event(), indent=1).encode(), BODY[:-1], b""],
)
async def test_the_signature_is_of_the_bytes_and_not_of_what_they_mean(sent: bytes, door: Door) -> None:
    assert (await door.page(sent, {"X-PagerDuty-Signature": RIGHT})).status == 401


async def test_the_bytes_are_those_that_came_and_not_what_they_unpack_to(door: Door) -> None:
    headers = {"X-PagerDuty-Signature": RIGHT, "Content-Encoding": "gzip"}
    assert (await door.page(BODY, headers)).status == 202
    assert len(door.changes()) == 1


async def test_while_secrets_are_rotated_both_are_good(open_door: OpenDoor) -> None:
    door = await open_door(PAGERDUTY_WEBHOOK_SECRET=f"old, {SECRET}")
    bodies = [json.dumps(event(id=name)).encode() for name in ("a", "b", "c")]
    assert (await door.page(bodies[0], sign(bodies[0], "old"))).status == 202
    assert (await door.page(bodies[1], sign(bodies[1], SECRET))).status == 202
    assert (await door.page(bodies[2], sign(bodies[2], "third"))).status == 401


async def test_without_a_secret_the_route_says_so_and_asks_to_be_sent_it_again(
    open_door: OpenDoor, warnings: Callable[[], list[str]]
) -> None:
    door = await open_door(PAGERDUTY_WEBHOOK_SECRET="")
    answer = await door.page(BODY)
    assert answer.status == 503
    assert "PAGERDUTY_WEBHOOK_SECRET is not set" in answer.said["error"]
    assert int(answer.headers["Retry-After"]) > 0
    assert door.recorded() == []
    assert "PAGERDUTY_WEBHOOK_SECRET is not set" in warnings()[0]


async def test_a_refusal_is_warned_of_once_and_says_what_a_rotation_looks_like(
    door: Door, warnings: Callable[[], list[str]]
) -> None:
    for _ in range(50):
        await door.page(BODY, {"X-PagerDuty-Signature": WRONG})
    (warning,) = warnings()
    assert "401" in warning
    assert "A secret that was rotated in PagerDuty looks the same" in warning
    assert "PAGERDUTY_WEBHOOK_SECRET" in warning
    assert await door.metric(REFUSED) == 50


async def test_no_secret_and_no_body_is_in_the_log_or_in_an_answer(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [await door.page(BODY), await door.page(BODY, {"X-PagerDuty-Signature": WRONG})]
    logged = [each.getMessage() for each in caplog.records if each.name.startswith(("sre_bot", "aiohttp"))]
    shown = str(logged) + str(answers) + (await door.get("/metrics")).text
    assert logged
    assert SECRET not in shown
    assert "5xx above 5" not in shown
