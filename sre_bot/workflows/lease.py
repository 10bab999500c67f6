"""This replica's lease, and what others left when theirs ran out.

Each replica renews its lease every few seconds and looks for leases that have run out. What the dead one had, its
workflows in the engine and its turns, goes on here. Where a database has one process only, there is no lease to keep:
what is left is its predecessor's, and is looked at once.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sre_bot.errors import LedgerError
from sre_bot.incidents.replicas import Replicas
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.recovery import Recovery

log = logging.getLogger(__name__)

TTL = timedelta(seconds=15)
EVERY = 3.0  # seconds between two beats


class Lease:
    """Keeps one replica alive in the eyes of the others.

    Args:
        replicas: the leases.
        engine: its workflows are taken over too.
        recovery: brings turns that were left behind to their end.
        replica: this process.
        alone: whether this process has the database to itself.
        inherited: sees to what else was left behind, at the start and after each takeover.
        ttl: after how long without a beat a replica is taken for dead.
        every: seconds between two beats.
    """

    def __init__(
        self,
        replicas: Replicas,
        engine: Engine,
        recovery: Recovery,
        replica: str,
        *,
        alone: bool,
        inherited: Callable[[], Awaitable[None]] | None = None,
        ttl: timedelta = TTL,
        every: float = EVERY,
    ) -> None:
        self._replicas = replicas
        self._engine = engine
        self._recovery = recovery
        self._replica = replica
        self._alone = alone
        self._inherited = inherited
        self._looked = False
        self._ttl = ttl
        self._every = every
        self._keeping: asyncio.Task[None] | None = None
        self._recovering: asyncio.Task[None] | None = None
        self._retiring = False
        self._beaten = time.monotonic()
        self._patient_until = 0.0
        self.lost = asyncio.Event()
        """Set when others took this replica for dead: it must end, since its work is theirs."""

    async def join(self) -> None:
        """Take the lease: before anything is begun in this replica's name, or nobody would find what it left.

        Raises:
            LedgerError: the database cannot be used.
        """
        await self._replicas.join(self._replica)
        self._beaten = time.monotonic()

    def open(self) -> None:
        """Keep the lease, and begin to look at what was left behind."""
        self._keeping = asyncio.create_task(self._keep(), name="lease")

    def retire(self) -> None:
        """This replica is being stopped: it stays alive until its last words are said, and takes nothing over."""
        self._retiring = True
        if self._alone and self._keeping:
            self._keeping.cancel()

    async def close(self) -> None:
        """Let others take over what this replica leaves."""
        for task in filter(None, (self._keeping, self._recovering)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)  # what it could not look at, an heir will
        with contextlib.suppress(LedgerError):  # it runs out by itself
            if self.lost.is_set():  # what the engine took up after its heir had looked is the heir's too
                await self._replicas.join(self._replica)
            await self._replicas.leave(self._replica)

    async def _keep(self) -> None:
        while not self.lost.is_set():
            try:
                if self._alone:
                    await self._inherit()
                    await self._recovery.recover()
                    return
                await self._beat()
            except LedgerError as error:
                log.warning("the lease is not renewed, or what was left is not looked at yet: %s", error)
            except Exception:  # a top level: a replica without a lease would go on beside the one that has its work
                log.exception("a beat failed; the next one follows")
            await asyncio.sleep(self._every)

    async def _beat(self) -> None:
        if not await self._replicas.beat(self._replica):
            log.error("others took this replica for dead and have its work")
            self.lost.set()
            return
        if self._retiring:
            return
        if not self._was_blind():
            await self._inherit()
        # Aside, since Slack may be slow and the lease may not wait.
        if self._recovering is None or self._recovering.done():
            if self._recovering and (error := self._recovering.exception()):
                log.warning("what was left behind could not all be looked at: %s", error)
            self._recovering = asyncio.create_task(self._recovery.recover(), name="recovery")

    def _was_blind(self) -> bool:
        """Whether this replica could not renew its own lease lately. While a database is away nobody beats, and the
        first to beat when it is back would take all the others for dead; so it gives them the time to.
        """
        now = time.monotonic()
        if now - self._beaten > self._ttl.total_seconds() / 2:
            self._patient_until = now + self._ttl.total_seconds()
        self._beaten = now
        return now < self._patient_until

    async def _inherit(self) -> None:
        async with self._replicas.taking_over(self._replica, self._ttl) as dead:
            for replica in dead:
                log.warning("replica %s is dead; its work goes on here", replica)
                await self._engine.take_over(replica)
        if self._inherited and (dead or not self._looked):
            await self._inherited()
            self._looked = True
