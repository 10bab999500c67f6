"""Sessions that are connected before they are needed, and kept while a thread is talking.

A cold start costs seconds (the CLI about 0.6 s, the tool process 1 to 6 s on two busy cores), a warm one nothing. So a
few *spare* sessions with ids of their own wait for new threads, and a session that has answered stays *idle* for some
minutes for its thread's next message; after that the thread is resumed from the stored transcript. Starting is limited
to two at once: twenty at once on two cores made every tool process miss its start-up limit.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from uuid import UUID, uuid4

from claude_agent_sdk import ClaudeSDKClient

from sre_bot.agent.events import Outcome
from sre_bot.agent.options import AgentOptions
from sre_bot.agent.processes import resident_bytes
from sre_bot.agent.session import Session, connect
from sre_bot.agent.stream import Describe
from sre_bot.errors import AgentBusy, AgentError, ToolsUnavailable
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
        self._expecting: OrderedDict[UUID, asyncio.Task[Session]] = OrderedDict()
        self._tending: asyncio.Task[None] | None = None

    @property
    def spares_ready(self) -> int:
        """How many new threads need not wait for a process to start."""
        return len(self._spares)

    def start(self) -> None:
        """Begin to keep spares ready."""
        self._tending = asyncio.create_task(self._tend(), name="session pool")

    async def take(self, session_id: UUID | None, *, decided: bool = False) -> Session:
        """A connected session: the thread's own, warm or resumed, or a new one where `session_id` is None.

        Args:
            session_id: the conversation.
            decided: whether it is taken to go on after a person's decision, for which it may be waiting already.

        Raises:
            ToolsUnavailable: it could not be started with its tools.
            SessionLost: the conversation is not stored any more.
            AgentBusy: the memory for sessions is used up.
        """
        session = await (self._take_known(session_id, decided=decided) if session_id else self._take_spare())
        if session is None:
            await self._make_room()
            session = await self._start(session_id or uuid4(), resume=session_id is not None)
        self._lent.add(session)
        return session

    async def give_back(self, session: Session) -> None:
        """The run is over; the session stays warm for its thread for a while."""
        self._lent.discard(session)
        if not session.alive or self._is_swollen(session):
            await session.close()
            return
        self._idle[session.id] = (session, time.monotonic())
        while len(self._idle) > self._bounds.idle_sessions:
            await self._end_oldest()

    def expect(self, session_id: UUID) -> None:
        """Resume a session whose last run ended with a call that waits for a person, so that the decision finds it."""
        if len(self._expecting) < self._bounds.idle_sessions and not self._is_full():
            start = self._start(session_id, resume=True, waits=True)
            self._expecting[session_id] = asyncio.create_task(start, name=f"expecting {session_id}")

    async def forget(self, session_id: UUID) -> None:
        """End a thread's warm session, because the conversation went on in another process, or will go on otherwise."""
        session, _ = self._idle.pop(session_id, (None, 0.0))
        if session:
            await session.close()
        if expecting := self._expecting.pop(session_id, None):
            await self._let_go(expecting)

    async def close(self) -> None:
        """End every process, also one that is still lent."""
        try:
            if self._tending:
                self._tending.cancel()
                await asyncio.gather(self._tending, return_exceptions=True)
            await asyncio.gather(*(self._let_go(expecting) for expecting in self._expecting.values()))
            self._expecting.clear()
            closing = (session.close() for session in self.sessions)
            for error in filter(None, await asyncio.gather(*closing, return_exceptions=True)):
                log.error("a session did not end cleanly: %r", error)
        finally:
            self._options.close()

    async def _start(self, session_id: UUID, *, resume: bool, waits: bool = False) -> Session:
        """A session that is connected; what does not start is started once more.

        A database that restarts and a machine that is busy are over in seconds, and no page asks a second time.
        """
        options = self._options.for_session(session_id, resume=resume, waits=waits)
        async with self._starting:
            try:
                await connect(client := ClaudeSDKClient(options))
            except ToolsUnavailable as error:
                log.warning("a session did not start, and is started once more: %s", error)
                await connect(client := ClaudeSDKClient(options))
        return Session(session_id, client, self._bounds, self._describe)

    async def _take_known(self, session_id: UUID, *, decided: bool) -> Session | None:
        expecting = self._expecting.pop(session_id, None)
        if expecting is None:
            return await self._take_idle(session_id)
        if not decided:
            await self._let_go(expecting)
            return None
        try:
            session = await expecting
        except AgentError as error:
            log.warning("a session that should have waited for a decision did not start: %s", error)
            return None
        if session.alive:
            return session
        await session.close()
        return None

    async def _let_go(self, expecting: asyncio.Task[Session]) -> None:
        """End a session that waits for a decision; its hook is answered first, or the call would count as refused."""
        try:
            session = await expecting
        except AgentError:
            return
        self._options.release(session.id)
        await session.drain()
        await session.close()

    async def _take_idle(self, session_id: UUID) -> Session | None:
        session, _ = self._idle.pop(session_id, (None, 0.0))
        return session if session and await _usable(session) else None

    async def _take_spare(self) -> Session | None:
        while self._spares:
            spare = self._spares.pop(0)
            if _fresh(spare) and await _usable(spare):
                return spare
            await spare.close()
        return None

    async def _end_oldest(self) -> None:
        _, (oldest, _) = self._idle.popitem(last=False)
        await oldest.close()

    async def _make_room(self) -> None:
        """End idle sessions, then spares, until one more may be started.

        Raises:
            AgentBusy: what runs needs all the memory.
        """
        while self._is_full():
            if self._idle:
                await self._end_oldest()
            elif self._expecting:
                await self._let_go(self._expecting.popitem(last=False)[1])
            elif self._spares:
                await self._spares.pop().close()
            else:
                raise AgentBusy("The sessions that run need all the memory I may use (SRE_MEMORY_MB). Ask again soon.")

    def _is_full(self) -> bool:
        """Whether all sessions together hold more memory than they may."""
        return sum(resident_bytes(session.pid) for session in self.sessions) > self._house.memory_mb << 20

    def _is_swollen(self, session: Session) -> bool:
        """Whether one session holds more memory than one may."""
        return resident_bytes(session.pid) > self._house.session_memory_mb << 20

    @property
    def sessions(self) -> list[Session]:
        """Every session there is: lent, spare, idle, and waiting for a decision."""
        started = (each for each in self._expecting.values() if each.done() and not each.cancelled())
        waiting = [each.result() for each in started if not each.exception()]
        return [*self._lent, *self._spares, *waiting, *(session for session, _ in self._idle.values())]

    async def _tend(self) -> None:
        """Replace spares that died or grew old, end what was idle too long or grew too large, sweep the scratch."""
        sweep_at = 0.0
        while True:
            try:
                await self._retire()
                await self._stop_swollen()
                await self._refill()
                if time.monotonic() > sweep_at:
                    sweep_at = time.monotonic() + SWEEP_EVERY
                    await asyncio.to_thread(self._options.scratch.sweep)
            except Exception:  # the top level of the pool: sessions must be looked after whatever became of this round
                log.exception("a round of looking after the sessions failed; the next one follows")
            await asyncio.sleep(TEND_EVERY)

    async def _refill(self) -> None:
        """Start spares while there is memory to spare: a session that a thread may come back to is worth more."""
        while len(self._spares) < self._bounds.spare_sessions and not self._is_full():
            try:
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
        await asyncio.gather(*(session.close() for session in retired))

    async def _stop_swollen(self) -> None:
        limit = self._house.session_memory_mb
        for session in tuple(self._lent):
            if session.alive and self._is_swollen(session):
                session.give_up()
                await session.stop(Outcome.LIMITED, f"The run needed more than {limit} MB (SRE_SESSION_MEMORY_MB).")


async def _usable(session: Session) -> bool:
    """Whether a session that waited may be lent. One that may not is closed, and so is one whose taker is cancelled."""
    try:
        if session.alive and await session.check():
            return True
    except BaseException:
        await session.close()
        raise
    await session.close()
    return False


def _fresh(spare: Session) -> bool:
    return spare.alive and time.monotonic() - spare.started < SPARE_MAX_AGE
