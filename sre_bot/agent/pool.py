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

from sre_bot.agent.options import AgentOptions
from sre_bot.agent.session import Session, connect
from sre_bot.agent.stream import Describe
from sre_bot.errors import AgentError
from sre_bot.settings import RunSettings

log = logging.getLogger(__name__)

STARTS_AT_ONCE = 2
SPARE_MAX_AGE = 1800.0  # seconds; an older spare is replaced, so that a changed configuration reaches new threads
TEND_EVERY = 2.0  # seconds between two looks at spares and idle sessions


class SessionPool:
    """Lends sessions to runs: `take` one, ask it, `give_back`.

    Args:
        options: makes each process's options.
        bounds: limits of runs, and how many sessions may wait.
        describe: the line that people read for a tool call.
    """

    def __init__(self, options: AgentOptions, bounds: RunSettings, describe: Describe) -> None:
        self._options = options
        self._bounds = bounds
        self._describe = describe
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE)
        self._spares: list[Session] = []
        self._idle: OrderedDict[UUID, tuple[Session, float]] = OrderedDict()
        self._tending: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep spares ready."""
        self._tending = asyncio.create_task(self._tend(), name="session pool")

    async def take(self, session_id: UUID | None) -> Session:
        """A connected session: the thread's own, warm or resumed, or a new one where `session_id` is None.

        Args:
            session_id: the conversation to go on with.

        Raises:
            ToolsUnavailable: it could not be started with its tools.
            SessionLost: the conversation is not stored any more.
        """
        if session_id is None:
            return await self._take_spare() or await self._start(uuid4(), resume=False)
        session, _ = self._idle.pop(session_id, (None, 0.0))
        if session:
            if session.alive and await session.check():
                return session
            await session.close()
        return await self._start(session_id, resume=True)

    async def give_back(self, session: Session) -> None:
        """The run is over; the session stays warm for its thread for a while."""
        if not session.alive:
            await session.close()
            return
        self._idle[session.id] = (session, time.monotonic())
        while len(self._idle) > self._bounds.idle_sessions:
            _, (oldest, _) = self._idle.popitem(last=False)
            await oldest.close()

    async def close(self) -> None:
        """End every process that waits here."""
        if self._tending:
            self._tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tending
        waiting = [*self._spares, *(session for session, _ in self._idle.values())]
        await asyncio.gather(*(session.close() for session in waiting))
        self._options.close()

    async def _start(self, session_id: UUID, *, resume: bool) -> Session:
        client = ClaudeSDKClient(self._options.for_session(session_id, resume=resume))
        async with self._starting:
            await connect(client)
        return Session(session_id, client, self._bounds, self._describe)

    async def _take_spare(self) -> Session | None:
        while self._spares:
            spare = self._spares.pop(0)
            if _fresh(spare) and await spare.check():
                return spare
            await spare.close()
        return None

    async def _tend(self) -> None:
        """Replace spares that died or grew old, end sessions that were idle too long."""
        while True:
            await self._retire()
            while len(self._spares) < self._bounds.spare_sessions:
                try:
                    self._spares.append(await self._start(uuid4(), resume=False))
                except AgentError as error:
                    log.warning("no spare session: %s", error)
                    break
            await asyncio.sleep(TEND_EVERY)

    async def _retire(self) -> None:
        now = time.monotonic()
        over = [key for key, (_, since) in self._idle.items() if now - since > self._bounds.idle]
        retired = [self._idle.pop(key)[0] for key in over]
        retired += [spare for spare in self._spares if not _fresh(spare)]
        self._spares = [spare for spare in self._spares if _fresh(spare)]
        for session in retired:
            await session.close()


def _fresh(spare: Session) -> bool:
    return spare.alive and time.monotonic() - spare.started < SPARE_MAX_AGE
