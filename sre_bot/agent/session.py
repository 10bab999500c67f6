"""One session: a connected Claude Code process that answers one prompt at a time.

`ask()` yields events and always ends with `RunEnded`, whatever happens to the model, the tools or the process. A
session whose tools are not connected is never used: an answer without tools would be a guess.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast
from uuid import UUID

from claude_agent_sdk import ClaudeSDKClient, ClaudeSDKError, Message, ResultMessage

from sre_bot.agent.events import Event, Outcome, RunEnded
from sre_bot.agent.stream import Describe, RunStream
from sre_bot.errors import SessionLost, ToolsUnavailable
from sre_bot.settings import RunSettings

CONNECT_TIMEOUT = 60.0  # seconds: a cold start took up to 6 s on two loaded cores; a minute means that it is broken
INTERRUPT_TIMEOUT = 10.0  # seconds: an interrupt was answered within 0.1 s in every state


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
        self._client = client
        self._bounds = bounds
        self._describe = describe
        self._spent_usd = 0.0  # by this process: resumed from a store, the CLI counts from zero again
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._reader = asyncio.create_task(self._pump(), name=f"session {session_id}")
        self._stopping: tuple[Outcome, str] | None = None

    @property
    def alive(self) -> bool:
        """Whether the process still runs and can be asked."""
        return not self._reader.done()

    @property
    def pid(self) -> int:
        """Process id of the CLI, for measurements; the SDK has no public name for it."""
        return int(self._client._transport._process.pid)  # type: ignore[union-attr]

    async def ask(self, prompt: str, prompt_id: UUID) -> AsyncIterator[Event]:
        """Send one prompt and yield what happens, ending with `RunEnded`.

        Args:
            prompt: text for the model, taken verbatim.
            prompt_id: names this prompt; the result that carries it is the end of this run.
        """
        stream = RunStream(self._describe, self._spent_usd)
        self._stopping = None
        deadline = time.monotonic() + self._bounds.timeout
        try:
            await self._client.query(_once(prompt, prompt_id))
        except ClaudeSDKError:
            await self.close()
        while True:
            message = await self._next(stream, deadline)
            if message is None:
                yield self._broken(stream)
                return
            for event in stream.read(message):
                if not isinstance(event, RunEnded):
                    yield event
                elif _answers(cast(ResultMessage, message), prompt_id):
                    self._spent_usd += event.cost_usd or 0.0
                    yield self._explain(event)
                    return

    async def stop(self, outcome: Outcome = Outcome.STOPPED, reason: str = "Stopped.") -> None:
        """End the run in flight; the session stays usable. `ask()` then ends with this outcome and reason."""
        self._stopping = (outcome, reason)
        try:
            async with asyncio.timeout(INTERRUPT_TIMEOUT):
                await self._client.interrupt()
        except (TimeoutError, ClaudeSDKError):
            await self.close()

    async def close(self) -> None:
        """End the process; a run in flight ends as broken."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        self._messages.put_nowait(None)
        with contextlib.suppress(ClaudeSDKError):
            await self._client.disconnect()

    async def _pump(self) -> None:
        """Reads the process's messages into the queue, so that waiting for one can be given up without losing it."""
        try:
            async for message in self._client.receive_messages():
                self._messages.put_nowait(message)
        except ClaudeSDKError:
            pass  # the process died; the None below says so to whoever waits
        self._messages.put_nowait(None)

    async def _next(self, stream: RunStream, deadline: float) -> Message | None:
        """The next message; None when the process is gone. Ends the run when it is silent or late."""
        while True:
            late = deadline - time.monotonic()
            patience = late if stream.tools_running else min(late, self._bounds.silence)
            try:
                async with asyncio.timeout(max(0.0, patience)):
                    return await self._messages.get()
            except TimeoutError:
                if self._stopping:  # it did not even answer the interrupt
                    await self.close()
                    return None
                await self.stop(*self._limit(late <= patience))
                deadline = time.monotonic() + INTERRUPT_TIMEOUT

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


async def connect(client: ClaudeSDKClient) -> None:
    """Connect a client and wait until its tools are there.

    Raises:
        ToolsUnavailable: the MCP server or the process did not start in time.
        SessionLost: the conversation to resume is not in the store.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await client.connect()
            await _await_tools(client)
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


async def _await_tools(client: ClaudeSDKClient) -> None:
    while True:
        servers = (await client.get_mcp_status())["mcpServers"]
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


def _answers(result: ResultMessage, prompt_id: UUID) -> bool:
    """Whether a result is the end of our prompt: some error results name no prompt, then it is the only one there."""
    named = result.user_message_uuids or ([result.user_message_uuid] if result.user_message_uuid else [])
    return not named or str(prompt_id) in named


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")
