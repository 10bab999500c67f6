"""Delivers webhooks as the service does, and disables who refuses them (PagerDuty: "Webhooks V3", retries).

One event a request, signed with every current secret. The events of an incident are sent in order: one that fails
holds up the ones behind it. A 5xx, a 429, a timeout or a refused connection is tried again for two days; any other
answer that is no 2xx drops the event at once, and three drops in a row disable the subscription and throw away what
waits.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import random
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

import aiohttp
from aiohttp import web

from sandbox.pagerduty.account import Incident, Thing
from sandbox.pagerduty.events import write_event, write_ping
from sandbox.pagerduty.wire import Json

TIMEOUT = 5.0  # seconds
SCHEDULE = (5.0, 15.0, 60.0, 300.0, 600.0)  # seconds before each further attempt; the last one repeats
GIVE_UP = 48 * 3600.0  # seconds
MOST_DROPS = 3  # in a row
MOST_BYTES = 256 * 1024
MOST_KEPT = 50_000

Violate = Callable[[str, str, str], None]


@dataclass
class Subscription:
    """One webhook subscription, with its faults."""

    id: str
    url: str
    secrets: tuple[str, ...]
    timeout: float = TIMEOUT
    schedule: tuple[float, ...] = SCHEDULE
    give_up: float = GIVE_UP
    duplicates: int = 0
    shuffle: int = 0
    seed: int = 0
    enabled: bool = True
    drops: int = 0


@dataclass
class Delivery:
    """One event on its way to one subscription; its id is the same over its attempts."""

    to: Subscription
    event: Json
    resource: str
    made: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def body(self) -> bytes:
        """What is sent and signed."""
        return json.dumps(self.event, separators=(",", ":")).encode()


class Webhooks:
    """All subscriptions of the account, and what is on its way to them."""

    def __init__(self, violate: Violate) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.attempts: deque[Json] = deque(maxlen=MOST_KEPT)
        self.events: deque[Json] = deque(maxlen=MOST_KEPT)
        self._violate = violate
        self._lanes: dict[tuple[str, str], deque[Delivery]] = {}
        self._held: dict[str, list[Delivery]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: aiohttp.ClientSession | None = None

    @property
    def pending(self) -> int:
        """Events that are neither accepted nor given up."""
        return sum(map(len, self._lanes.values())) + sum(map(len, self._held.values()))

    def tell(self, kind: str, incident: Incident, by: Thing) -> None:
        """Send what happened to every subscription: a watcher of the account."""
        if not self.subscriptions:
            return
        event = write_event(kind, incident, by)
        self.events.append(event)
        for subscription in self.subscriptions.values():
            self._take(Delivery(subscription, event, incident.id))

    def ping(self, subscription: Subscription) -> None:
        """Send the test event."""
        event = write_ping()
        self.events.append(event)
        self._send(Delivery(subscription, event, event["event"]["id"]))

    def release(self, subscription: Subscription) -> None:
        """Send what `shuffle` has held back, in any order, each for itself."""
        held = self._held.pop(subscription.id, [])
        random.Random(f"{subscription.seed} {len(self.events)}").shuffle(held)
        for delivery in held:
            delivery.resource = delivery.id
            self._send(delivery)

    async def close(self, _: web.Application) -> None:
        """Stop sending."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http:
            await self._http.close()

    def _take(self, delivery: Delivery) -> None:
        to = delivery.to
        copies = [Delivery(to, delivery.event, "", delivery.made, delivery.id) for _ in range(to.duplicates)]
        if to.shuffle:
            held = self._held.setdefault(to.id, [])
            held.extend([delivery, *copies])
            if len(held) >= to.shuffle:
                self.release(to)
            return
        self._send(delivery)
        for copy in copies:
            copy.resource = str(uuid.uuid4())  # a repetition overtakes
            self._send(copy)

    def _send(self, delivery: Delivery) -> None:
        if not delivery.to.enabled:
            self._write_down(delivery, 0, "discarded")
            return
        lane = (delivery.to.id, delivery.resource)
        if lane in self._lanes:
            self._lanes[lane].append(delivery)
            return
        self._lanes[lane] = deque([delivery])
        task = asyncio.get_running_loop().create_task(self._run(lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, lane: tuple[str, str]) -> None:
        queue = self._lanes[lane]
        while queue:
            await self._deliver(queue[0])
            queue.popleft()
        del self._lanes[lane]

    async def _deliver(self, delivery: Delivery) -> None:
        to, number = delivery.to, 0
        if len(delivery.body) > MOST_BYTES:
            self._write_down(delivery, 0, "oversized")
            return
        while to.enabled:
            number += 1
            outcome = await self._attempt(delivery, number)
            if outcome == "accepted":
                to.drops = 0
                return
            if outcome == "dropped":
                self._drop(to)
                return
            pause = to.schedule[min(number, len(to.schedule)) - 1]
            if time.time() + pause > delivery.made + to.give_up:
                self._write_down(delivery, number, "expired")
                self._violate("a webhook was not accepted in all the time that it was repeated", "POST", to.url)
                return
            await asyncio.sleep(pause)
        self._write_down(delivery, number, "discarded")

    async def _attempt(self, delivery: Delivery, number: int) -> str:
        to, began = delivery.to, time.time()
        timeout = aiohttp.ClientTimeout(total=to.timeout)
        status, error = None, ""
        try:
            headers = _headers(delivery)
            request = self._session().post(
                to.url, data=delivery.body, headers=headers, timeout=timeout, allow_redirects=False
            )
            async with request as answer:
                status = answer.status
                await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            error = type(failure).__name__
        outcome = _judge(status, error)
        self._write_down(delivery, number, outcome, status=status, error=error, seconds=time.time() - began)
        return outcome

    def _drop(self, to: Subscription) -> None:
        to.drops += 1
        if to.drops >= MOST_DROPS and to.enabled:
            to.enabled = False
            self._held.pop(to.id, None)
            self._violate(f"{MOST_DROPS} webhooks in a row were refused: the subscription is disabled", "POST", to.url)

    def _write_down(
        self,
        delivery: Delivery,
        number: int,
        outcome: str,
        *,
        status: int | None = None,
        error: str = "",
        seconds: float = 0.0,
    ) -> None:
        event = delivery.event["event"]
        subject = event["data"].get("incident", event["data"])
        self.attempts.append(
            {
                "id": delivery.id,
                "subscription": delivery.to.id,
                "event_id": event["id"],
                "event_type": event["event_type"],
                "incident": subject.get("id"),
                "attempt": number,
                "outcome": outcome,
                "status": status,
                "error": error,
                "seconds": seconds,
                "time": time.time(),
            }
        )

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), trust_env=False)
        return self._http


def _judge(status: int | None, error: str) -> str:
    """Accepted, to be repeated, or dropped. An answer that broke off after its status is none."""
    if error or status is None or status == 429 or status >= 500:
        return "repeated"
    return "accepted" if 200 <= status < 300 else "dropped"


def _headers(delivery: Delivery) -> dict[str, str]:
    signatures = [hmac.new(secret.encode(), delivery.body, sha256).hexdigest() for secret in delivery.to.secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "PagerDuty-Webhook/V3.0",
        "X-PagerDuty-Signature": ",".join(f"v1={signature}" for signature in signatures),
        "X-Webhook-Id": delivery.id,
        "X-Webhook-Subscription": delivery.to.id,
    }
