"""Forgetting: what is older than SRE_RETENTION_DAYS goes, in the ledger and in the engine. Approvals stay."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta

from sre_bot.errors import LedgerError
from sre_bot.incidents.ledger import Ledger
from sre_bot.workflows.engine import Engine

log = logging.getLogger(__name__)

EVERY = 6 * 3600.0  # seconds
FIRST = 60.0  # seconds after the start: a bot that was just started has better things to do


class Retention:
    """Prunes from time to time.

    Args:
        ledger: forgets.
        engine: forgets too.
        days: how long things are kept.
    """

    def __init__(self, ledger: Ledger, engine: Engine, days: float) -> None:
        self._ledger = ledger
        self._engine = engine
        self._days = days
        self._pruning: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin."""
        self._pruning = asyncio.create_task(self._prune_on(), name="retention")

    async def close(self) -> None:
        """Stop."""
        if self._pruning:
            self._pruning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pruning

    async def prune(self, now: datetime) -> None:
        """Forget what is older than the bound, once.

        Raises:
            LedgerError: not all of it.
        """
        before = now - timedelta(days=self._days)
        pruned = await self._ledger.prune(before)
        await self._engine.prune(before)
        log.info("forgot what is older than %g days: %s", self._days, pruned)

    async def _prune_on(self) -> None:
        pause = FIRST
        while True:
            await asyncio.sleep(pause)
            try:
                await self.prune(datetime.now(UTC))
            except LedgerError as error:
                log.warning("nothing was forgotten: %s", error)
            pause = EVERY
