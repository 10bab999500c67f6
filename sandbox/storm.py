"""One fault that pages two hundred times: a pool runs dry, and what leans on it says so, service after service."""

import asyncio
import time
from dataclasses import dataclass

from sandbox.paged import Paged
from sandbox.screen import questions
from sandbox.terminal import WORKING

PAGES = 200
SYMPTOMS = (
    ("postgres", "connections at {} %"),
    ("auth-svc", "P99 latency {} ms"),
    ("payment-svc", "5xx above {} %"),
    ("api-server", "5xx above {} %"),
    ("api-server", "P99 latency {} ms"),
)
LOOK_EVERY = 0.1  # seconds


@dataclass(frozen=True)
class Course:
    """Seconds after the first page, until the card was there, told of all pages, and its thread was at its end."""

    card: float
    complete: float
    settled: float


async def run_storm(paged: Paged, patience: float, seconds: float = 0.0) -> Course:
    """Report all pages, over some seconds, and wait until the card tells of all of them and what was asked is answered.

    Raises:
        TimeoutError: that did not come.
    """
    began = time.monotonic()
    async with asyncio.timeout(patience):
        reporting = asyncio.create_task(_report(paged, seconds / PAGES))
        while not await paged.cards():
            await asyncio.sleep(LOOK_EVERY)
        card = time.monotonic() - began
        await reporting
        while f"×{PAGES}:" not in (await paged.cards())[0]["notification"]:  # noqa: RUF001  (the sign on the card)
            await asyncio.sleep(LOOK_EVERY)
        complete = time.monotonic() - began
        while not await _is_settled(paged):
            await asyncio.sleep(LOOK_EVERY)
    return Course(card, complete, time.monotonic() - began)


async def _report(paged: Paged, pause: float) -> None:
    for number in range(PAGES):
        service, symptom = SYMPTOMS[number * len(SYMPTOMS) // PAGES]
        await paged.report(f"{service}: {symptom.format(10 + number)}", service, key=f"page {number}")
        await asyncio.sleep(pause)
    await paged.release()


async def _is_settled(paged: Paged) -> bool:
    (card, *_) = await paged.cards()
    messages = await paged.replies(card["ts"])
    working = any(WORKING in str(message["markdown"] or message["text"]) for message in messages)
    looking = "Investigating …" in card["text"] or "Waiting to be investigated" in card["text"]
    return bool(questions(messages)) and not working and not looking
