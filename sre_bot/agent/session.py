"""One session: a connected Claude Code process that answers one run at a time.

A run is begun by one prompt and may be steered by more. The CLI answers several prompts in one result or in several, as
their timing falls; so a run ends when every prompt's own id has been answered, and nothing is ever counted. `ask()`
yields events and always ends with `RunEnded`, whatever happens to the model, the tools or the process. A session whose
tools are not connected is never used: an answer without tools would be a guess.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast
from uuid import UUID

from claude_agent_sdk import ClaudeSDKClient, ClaudeSDKError, Message, ResultMessage

from sre_bot.agent.events import Event, Notice, Outcome, RunEnded, TextBreak
from sre_bot.agent.stream import Describe, RunStream
from sre_bot.errors import SessionLost, ToolsUnavailable
from sre_bot.settings import RunSettings
from sre_bot.tools.offer import SERVER_NAME

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 60.0  # seconds: a cold start took up to 6 s on two loaded cores; a minute means that it is broken
CHECK_TIMEOUT = 10.0  # seconds: a healthy process answers within milliseconds, on a crowded machine within seconds
INTERRUPT_TIMEOUT = 10.0  # seconds: an interrupt was answered within 0.1 s in every state
INSIST_EVERY = 0.3  # seconds between two interrupts of one run
DECISION = "decision"
"""Stands for the prompt where a run is begun by a person's decision."""
BUDGET_RESERVE = 0.5  # of a run's budget; a process with less of it left is not asked again


class Session:
    """One connected process. Not for two callers at once: the pool lends it to one run.

    Args:
        session_id: the conversation's id, the same for its whole life.
        client: a client that is connected and whose tools are.
        bounds: limits of a run.
        describe: the line that people read for a tool call.
    """

    def __init__(self, session_id: UUID, client: ClaudeSDKClient, bounds: RunSettings, describe: Describe) -> None:
        self.id = session_id
        self.started = time.monotonic()
        # Process id of the CLI; the SDK has no public name for it, and forgets it when it disconnects.
        self.pid = int(client._transport._process.pid)  # type: ignore[union-attr]
        self._client = client
        self._bounds = bounds
        self._describe = describe
        self._spent_usd = 0.0  # by this process: resumed from a store, the CLI counts from zero again
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._reader = asyncio.create_task(self._pump(), name=f"session {session_id}")
        self._stopping: tuple[Outcome, str] | None = None
        self._insisting: asyncio.Task[None] | None = None
        self._unanswered: set[str] = set()
        self._given_up = False

    @property
    def alive(self) -> bool:
        """Whether the process still runs and can be asked."""
        return not (self._given_up or self._reader.done())

    def give_up(self) -> None:
        """Never lend it again: the run in flight goes on to its end, then the thread is resumed in a new process."""
        self._given_up = True

    async def ask(self, prompt: str, prompt_id: UUID) -> AsyncIterator[Event]:
        """Send one prompt and yield what happens, ending with `RunEnded`.

        Args:
            prompt: text for the model, taken verbatim.
            prompt_id: names this prompt; results carry the ids of the prompts that they answer.
        """
        stream = self._begin(str(prompt_id))
        await self._send(prompt, prompt_id)
        async for event in self._follow(stream):
            yield event

    async def go_on(self) -> AsyncIterator[Event]:
        """Yield what happens once a person has decided on the call with which the last run ended; sends nothing.

        The process is a resumed one: it asks the hook about that call again, and goes on with what the hook says.
        """
        async for event in self._follow(self._begin(DECISION)):
            yield event

    async def drain(self) -> None:
        """Wait a moment for the result with which a process that was let go ends its run."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CHECK_TIMEOUT):
                while message := await self._messages.get():
                    if isinstance(message, ResultMessage):
                        return

    @property
    def left_unanswered(self) -> frozenset[str]:
        """Ids of the prompts that the run which has ended did not come to."""
        return frozenset(self._unanswered)

    def _begin(self, prompt_id: str) -> RunStream:
        self._stopping = None
        self._unanswered = {prompt_id}
        return RunStream(self._describe, self._spent_usd)

    async def _follow(self, stream: RunStream) -> AsyncIterator[Event]:
        deadline = time.monotonic() + self._bounds.timeout
        while True:
            message = await self._next(stream, deadline)
            if message is None:
                self._unanswered.clear()
                yield self._broken(stream)
                return
            for event in stream.read(message):
                if isinstance(event, RunEnded):
                    if event.outcome is Outcome.PROPOSED:
                        self._unanswered -= answered_by(cast(ResultMessage, message))
                        self.give_up()  # a process that has deferred a call cannot go on with it; a resumed one can
                        self._count(cast(ResultMessage, message), event)
                        yield event
                        return
                    if not self._settle(cast(ResultMessage, message)):
                        yield Notice(event.reason) if event.reason else TextBreak()
                        continue
                    self._count(cast(ResultMessage, message), event)
                    yield self._explain(event)
                    return
                yield event

    async def steer(self, prompt: str, prompt_id: UUID) -> bool:
        """Give the run in flight one more prompt; False where no run is in flight that could take it."""
        if not self._unanswered or self._stopping:
            return False
        self._unanswered.add(str(prompt_id))
        await self._send(prompt, prompt_id)
        return True

    async def stop(self, outcome: Outcome = Outcome.STOPPED, reason: str = "Stopped.") -> None:
        """End the run in flight; `ask()` then ends with this outcome and reason. Does not wait for that end."""
        self._stopping = (outcome, reason)
        self._insisting = asyncio.create_task(self._insist(self._stopping), name=f"stop of {self.id}")

    async def check(self) -> bool:
        """Whether the process answers and its tools are connected."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                servers = (await self._client.get_mcp_status())["mcpServers"]
        except (TimeoutError, ClaudeSDKError):
            return False
        return any(server["name"] == SERVER_NAME and server["status"] == "connected" for server in servers)

    async def close(self) -> None:
        """End the process; a run in flight ends as broken."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        self._messages.put_nowait(None)
        with contextlib.suppress(ClaudeSDKError):
            await self._client.disconnect()

    async def _insist(self, stopping: tuple[Outcome, str]) -> None:
        """Interrupt until the run has ended: the CLI forgets an interrupt that comes before the turn has begun."""
        try:
            async with asyncio.timeout(INTERRUPT_TIMEOUT):
                while self._unanswered and self._stopping is stopping:
                    await self._client.interrupt()
                    await asyncio.sleep(INSIST_EVERY)
        except Exception:  # the top level of a stop: the SDK raises bare exceptions too, and a run must end
            log.warning("session %s could not be interrupted, so its process is ended", self.id, exc_info=True)
            await self.close()

    async def _send(self, prompt: str, prompt_id: UUID) -> None:
        try:
            await self._client.query(_once(prompt, prompt_id))
        except ClaudeSDKError:
            await self.close()  # whoever waits for a message is told by the None that this leaves

    def _settle(self, result: ResultMessage) -> bool:
        """Strike out the prompts that a result answers; True when none is left.

        After an interrupt, prompts that were still queued in the CLI would begin a run that nobody waits for, and an
        error may name no prompt at all. Then the process is given up; the thread is resumed from the store.
        """
        answered = answered_by(result)
        left = self._unanswered - answered if answered or len(self._unanswered) > 1 else set()
        if left and (self._stopping or not answered):
            self._given_up = True
            left = set()
        self._unanswered = left
        return not left

    def _count(self, result: ResultMessage, end: RunEnded) -> None:
        """Add up what the process has cost: `max_budget_usd` bounds a process, and ours is the bound of one run."""
        self._spent_usd += end.cost_usd or 0.0
        left = self._bounds.max_cost_usd - self._spent_usd
        if result.subtype == "error_max_budget_usd" or left < BUDGET_RESERVE * self._bounds.max_cost_usd:
            self.give_up()

    async def _pump(self) -> None:
        """Reads the process's messages into the queue, so that waiting for one can be given up without losing it."""
        try:
            async for message in self._client.receive_messages():
                self._messages.put_nowait(message)
        except ClaudeSDKError:
            pass  # the process died; the None below says so to whoever waits
        except Exception:  # the top level of reading: the SDK raises bare exceptions too
            log.warning("session %s cannot be read any more", self.id, exc_info=True)
        self._messages.put_nowait(None)

    async def _next(self, stream: RunStream, deadline: float) -> Message | None:
        """The next message; None when the process is gone. Stops the run when it is silent or late.

        Once it is being stopped there is no other bound here: an interrupt that brings no end closes the process.
        """
        while True:
            late = deadline - time.monotonic()
            patience = late if stream.tools_running else min(late, self._bounds.silence)
            try:
                async with asyncio.timeout(None if self._stopping else max(0.0, patience)):
                    return await self._messages.get()
            except TimeoutError:
                if not self._stopping:
                    await self.stop(*self._limit(late <= patience))

    def _limit(self, late: bool) -> tuple[Outcome, str]:
        if late:
            return Outcome.LIMITED, f"I used the {self._bounds.timeout:.0f} s that one run may take (SRE_RUN_TIMEOUT)."
        return Outcome.LIMITED, f"The model was silent for {self._bounds.silence:.0f} s, so I ended the run."

    def _explain(self, event: RunEnded) -> RunEnded:
        """The end as we know it: where we interrupted, our own reason, not the SDK's."""
        if self._stopping is None or event.outcome is Outcome.ANSWERED:
            return event
        outcome, reason = self._stopping
        return RunEnded(outcome, reason, event.answer, event.cost_usd, event.seconds, event.tool_calls)

    def _broken(self, stream: RunStream) -> RunEnded:
        if self._stopping:
            return stream.end(*self._stopping)
        return stream.end(Outcome.FAILED, "The agent's process ended unexpectedly. Please ask again.")


def answered_by(result: ResultMessage) -> set[str]:
    """Ids of the prompts that a result answers."""
    return set(result.user_message_uuids or filter(None, [result.user_message_uuid]))


async def connect(client: ClaudeSDKClient) -> None:
    """Connect a client and wait until its tools are there.

    Raises:
        ToolsUnavailable: the MCP server or the process did not start in time.
        SessionLost: the conversation to resume is not in the store.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await client.connect()
            await await_tools(client)
    except (TimeoutError, ClaudeSDKError) as error:
        await client.disconnect()
        if "No conversation found" in str(error):
            raise SessionLost("The earlier conversation of this thread is no longer stored.") from error
        raise ToolsUnavailable(
            f"The agent could not be started: {_first_line(error) or 'it did not answer in time'}. "
            "Whoever runs me: see the log of the bot."
        ) from error
    except BaseException:
        await client.disconnect()
        raise


async def await_tools(client: ClaudeSDKClient) -> None:
    """Wait until our tool process serves: a CLI that is asked before that goes on without its tools.

    Raises:
        ToolsUnavailable: it will not come.
    """
    while True:
        # Further servers are a help; ours is what no answer may lack.
        status = (await client.get_mcp_status())["mcpServers"]
        servers = [server for server in status if server["name"] == SERVER_NAME]
        failed = [server for server in servers if server["status"] not in ("connected", "pending")]
        if failed or not servers:
            why = "; ".join(f"{server['name']}: {server.get('error', server['status'])}" for server in failed)
            raise ToolsUnavailable(
                f"My tools are not available ({why or 'no MCP server configured'}), so I did not start: an answer "
                "without them would be a guess. Whoever runs me: run `python sre_mcp_server.py` to see why."
            )
        if all(server["status"] == "connected" for server in servers):
            return
        await asyncio.sleep(0.05)


async def _once(prompt: str, prompt_id: UUID) -> AsyncIterator[dict[str, Any]]:
    message: Mapping[str, Any] = {"role": "user", "content": prompt}
    yield {"type": "user", "uuid": str(prompt_id), "message": message, "parent_tool_use_id": None}


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")
