"""Sessions that are connected before they are needed, and kept while a thread is talking.

A cold start costs seconds (the CLI about 0.6 s, the tool process 1 to 6 s on two busy cores), a warm one nothing. So a
few *spare* sessions with ids of their own wait for new threads, and a session that has answered stays *idle* for some
minutes for its thread's next message; after that the thread is resumed from the stored transcript. Starting is limited
to two at once: twenty at once on two cores made every tool process miss its start-up limit.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from uuid import UUID, uuid4

from claude_agent_sdk import ClaudeSDKClient

from sre_bot.agent.events import Outcome
from sre_bot.agent.memory import resident_bytes
from sre_bot.agent.options import AgentOptions
from sre_bot.agent.session import Session, connect
from sre_bot.agent.stream import Describe
from sre_bot.errors import AgentBusy, AgentError
from sre_bot.settings import HouseSettings, RunSettings

log = logging.getLogger(__name__)

STARTS_AT_ONCE = 2
SPARE_MAX_AGE = 1800.0  # seconds; an older spare is replaced, so that a changed configuration reaches new threads
SWEEP_EVERY = 3600.0  # seconds
TEND_EVERY = 2.0  # seconds between two looks at spares and idle sessions


class SessionPool:
    """Lends sessions to runs: `take` one, ask it, `give_back`.

    Args:
        options: makes each process's options.
        bounds: limits of runs, and how many sessions may wait.
        house: limits of what all sessions together may hold.
        describe: the line that people read for a tool call.
    """

    def __init__(self, options: AgentOptions, bounds: RunSettings, house: HouseSettings, describe: Describe) -> None:
        self._options = options
        self._bounds = bounds
        self._house = house
        self._describe = describe
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE)
        self._spares: list[Session] = []
        self._lent: set[Session] = set()
        self._idle: OrderedDict[UUID, tuple[Session, float]] = OrderedDict()
        self._tending: asyncio.Task[None] | None = None

    @property
    def spares_ready(self) -> int:
        """How many new threads need not wait for a process to start."""
        return len(self._spares)

    def start(self) -> None:
        """Begin to keep spares ready."""
        self._tending = asyncio.create_task(self._tend(), name="session pool")

    async def take(self, session_id: UUID | None) -> Session:
        """A connected session: the thread's own, warm or resumed, or a new one where `session_id` is None.

        Raises:
            ToolsUnavailable: it could not be started with its tools.
            SessionLost: the conversation is not stored any more.
            AgentBusy: the memory for sessions is used up.
        """
        session = await (self._take_idle(session_id) if session_id else self._take_spare())
        if session is None:
            await self._make_room()
            session = await self._start(session_id or uuid4(), resume=session_id is not None)
        self._lent.add(session)
        return session

    async def give_back(self, session: Session) -> None:
        """The run is over; the session stays warm for its thread for a while."""
        self._lent.discard(session)
        if not session.alive:
            await session.close()
            return
        self._idle[session.id] = (session, time.monotonic())
        while len(self._idle) > self._bounds.idle_sessions:
            await self._end_oldest()

    async def close(self) -> None:
        """End every process, also one that is still lent."""
        if self._tending:
            self._tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tending
        await asyncio.gather(*(session.close() for session in self.sessions))
        self._options.close()

    async def _start(self, session_id: UUID, *, resume: bool) -> Session:
        client = ClaudeSDKClient(self._options.for_session(session_id, resume=resume))
        async with self._starting:
            await connect(client)
        return Session(session_id, client, self._bounds, self._describe)

    async def _take_idle(self, session_id: UUID) -> Session | None:
        session, _ = self._idle.pop(session_id, (None, 0.0))
        if session is None or (session.alive and await session.check()):
            return session
        await session.close()
        return None

    async def _take_spare(self) -> Session | None:
        while self._spares:
            spare = self._spares.pop(0)
            if _fresh(spare) and await spare.check():
                return spare
            await spare.close()
        return None

    async def _end_oldest(self) -> None:
        _, (oldest, _) = self._idle.popitem(last=False)
        await oldest.close()

    async def _make_room(self) -> None:
        """End idle sessions until one more may be started.

        Raises:
            AgentBusy: what runs needs all the memory.
        """
        while self._held() > self._house.memory_mb << 20:
            if not self._idle:
                raise AgentBusy("The sessions that run need all the memory I may use (SRE_MEMORY_MB). Ask again soon.")
            await self._end_oldest()

    def _held(self) -> int:
        """Bytes of memory that all sessions hold."""
        return sum(resident_bytes(session.pid) for session in self.sessions)

    @property
    def sessions(self) -> list[Session]:
        """Every session there is: lent, spare and idle."""
        return [*self._lent, *self._spares, *(session for session, _ in self._idle.values())]

    async def _tend(self) -> None:
        """Replace spares that died or grew old, end what was idle too long or grew too large, sweep the scratch."""
        sweep_at = 0.0
        while True:
            await self._retire()
            await self._stop_swollen()
            await self._refill()
            if time.monotonic() > sweep_at:
                await asyncio.to_thread(self._options.scratch.sweep)
                sweep_at = time.monotonic() + SWEEP_EVERY
            await asyncio.sleep(TEND_EVERY)

    async def _refill(self) -> None:
        while len(self._spares) < self._bounds.spare_sessions:
            try:
                await self._make_room()
                self._spares.append(await self._start(uuid4(), resume=False))
            except AgentError as error:
                log.warning("no spare session: %s", error)
                return

    async def _retire(self) -> None:
        now = time.monotonic()
        over = [key for key, (_, since) in self._idle.items() if now - since > self._bounds.idle]
        retired = [self._idle.pop(key)[0] for key in over]
        retired += [spare for spare in self._spares if not _fresh(spare)]
        self._spares = [spare for spare in self._spares if _fresh(spare)]
        for session in retired:
            await session.close()

    async def _stop_swollen(self) -> None:
        limit = self._house.session_memory_mb
        for session in tuple(self._lent):
            if resident_bytes(session.pid) > limit << 20:
                await session.stop(Outcome.LIMITED, f"The run needed more than {limit} MB (SRE_SESSION_MEMORY_MB).")


def _fresh(spare: Session) -> bool:
    return spare.alive and time.monotonic() - spare.started < SPARE_MAX_AGE
