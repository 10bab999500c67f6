"""One webhook from its headers to its answer: in bounds, verified, on disk, and only then accepted."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from aiohttp import web

from sre_bot.errors import LedgerError
from sre_bot.incidents.paging import Delivery
from sre_bot.webhooks.bodies import read_body
from sre_bot.webhooks.limits import Gate, Limits
from sre_bot.webhooks.metrics import Metrics
from sre_bot.webhooks.refusals import TurnedAway
from sre_bot.webhooks.reminders import Reminders
from sre_bot.webhooks.source import Source

log = logging.getLogger(__name__)


class Inbox(Protocol):
    """Where deliveries are kept."""

    async def record(self, delivery: Delivery) -> bool:
        """Store a delivery durably; True for the first with its key. Raises `LedgerError`: nothing of it is stored."""


class Receiver:
    """The route of one source.

    Args:
        source: who sends here.
        inbox: where it is recorded.
        on_recorded: called after every delivery that is accepted, whether it is new or not: a repetition may be of one
            whose first sender was never told.
        limits: of size and time.
        metrics: where it is counted.
    """

    def __init__(
        self, source: Source, inbox: Inbox, on_recorded: Callable[[], None], limits: Limits, metrics: Metrics
    ) -> None:
        self._source = source
        self._inbox = inbox
        self._on_recorded = on_recorded
        self._limits = limits
        self._metrics = metrics
        self._gate = Gate(limits)
        self._reminders = Reminders(log)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer 202 for what is on disk, and everything else with the status that its sender needs."""
        try:
            async with self._gate:
                return await self._accept(request)
        except TurnedAway as reason:
            self._metrics.count(self._source.name, None, reason.outcome)
            advice = self._source.advice if reason.status == 401 else reason.cause
            sentence = f"A webhook of {self._source.name} was not accepted ({reason.status}): {reason} {advice}"
            self._reminders.warn(reason.outcome, sentence.strip())
            return reason.response()

    async def _accept(self, request: web.Request) -> web.Response:
        self._source.admit(request.headers)
        body = await read_body(request, self._source.body_limit, self._limits.read)
        self._source.verify(request.headers, body)
        delivery = self._source.read(body, datetime.now(UTC))
        outcome = "recorded" if await self._record(delivery) else "repeated"
        self._metrics.count(delivery.source, delivery.kind, outcome)
        log.info("%s %s %s, %d changes", outcome, delivery.key, delivery.kind, len(delivery.changes))
        self._on_recorded()
        return web.json_response({"status": outcome}, status=202)

    async def _record(self, delivery: Delivery) -> bool:
        sentence = "The delivery could not be recorded. Deliver it again."
        try:
            # PagerDuty gives up after five seconds: a clear answer before that is better than none.
            async with asyncio.timeout(self._limits.answer):
                return await self._inbox.record(delivery)
        except LedgerError as error:
            raise TurnedAway(503, "unrecorded", sentence, retry_after=5, cause=str(error)) from error
        except TimeoutError:
            cause = f"The ledger took longer than {self._limits.answer:g} s."
            raise TurnedAway(503, "unrecorded", sentence, retry_after=5, cause=cause) from None
