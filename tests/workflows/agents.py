"""Agents that say what a test lets them, in place of the CLI; they stand where `SessionPool` does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID, uuid4

from sre_bot.agent.events import Event, Outcome, RunEnded, TextDelta


class Agent:
    """One conversation; it answers when `ready` returns, with everything that it was told."""

    def __init__(self, session_id: UUID, ready: Callable[[], Awaitable[None]]) -> None:
        self.id = session_id
        self.told: list[str] = []
        self._ready = ready
        self._stopping: tuple[Outcome, str] | None = None
        self._asked = False
        self._woken = asyncio.Event()

    async def ask(self, text: str, _prompt_id: UUID) -> AsyncIterator[Event]:
        self._asked, self._stopping = True, None
        self._woken.clear()
        self.told.append(text)
        yield TextDelta("I look.")
        waiting = asyncio.ensure_future(self._ready())
        stopped = asyncio.ensure_future(self._woken.wait())
        await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        stopped.cancel()
        self._asked = False
        outcome, reason = self._end()
        yield RunEnded(outcome, reason, "Answered.", 0.1, 0.1, 0)

    @property
    def left_unanswered(self) -> frozenset[str]:
        return frozenset()

    def _end(self) -> tuple[Outcome, str]:
        return self._stopping or (Outcome.ANSWERED, "")

    async def steer(self, text: str, _prompt_id: UUID) -> bool:
        if self._asked:
            self.told.append(text)
        return self._asked

    async def stop(self, outcome: Outcome, reason: str) -> None:
        self._stopping = (outcome, reason)
        self._woken.set()


class Agents:
    """A pool of them: a thread's agent stays warm until it is forgotten."""

    def __init__(self, ready: Callable[[], Awaitable[None]]) -> None:
        self._ready = ready
        self.warm: dict[UUID, Agent] = {}
        self.started: list[tuple[UUID, bool]] = []
        self.agents: list[Agent] = []

    async def take(self, session_id: UUID | None, *, decided: bool = False) -> Agent:
        if session_id in self.warm:
            return self.warm[session_id]
        agent = Agent(session_id or uuid4(), self._ready)
        self.started.append((agent.id, session_id is not None))
        self.agents.append(agent)
        return agent

    async def give_back(self, session: Agent) -> None:
        self.warm[session.id] = session

    async def forget(self, session_id: UUID) -> None:
        self.warm.pop(session_id, None)
