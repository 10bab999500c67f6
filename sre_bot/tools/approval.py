"""What stands between a call that changes something and its execution.

Reads never come here. In the mode `client` the MCP client has asked its person already, and the call runs. In the mode
`approved` the call has to use up the one approval that the bot's ledger holds for it, matched by the tool-use id that
Claude Code sends along and by the hash of the arguments; without it nothing is executed. Once begun, a change goes on
to its end, also when the client gives up waiting or is gone, and when this process is told to end by SIGTERM: half a
change is worse than one whose answer nobody read.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sre_bot.errors import LedgerError, NotApproved
from sre_bot.tools.spec import Answer, Tool

if TYPE_CHECKING:
    from sre_bot.incidents.approvals import Approvals

TOOL_USE_ID = "claudecode/toolUseId"
"""Where Claude Code puts the id of a call, in `_meta` of tools/call."""

AWAY = (1.0, 2.0, 4.0, 8.0)  # seconds between tries to record an outcome while the ledger is away or locked
SETTLE = 2.0  # seconds after the tools were listed: whoever starts the server waits for that, and for nothing else

_log = logging.getLogger(__name__)


class Gate:
    """Runs the calls that change something.

    Args:
        database_url: the ledger that must hold an approval for each call; None where the client asks its person.
    """

    def __init__(self, database_url: str | None) -> None:
        self._database_url = database_url
        self._approvals: Approvals | None = None
        self._acts: set[asyncio.Task[Answer]] = set()
        self._preparing: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """Get ready to look approvals up, in a moment: whoever has clicked would wait for imports. Returns at once."""
        if self._database_url is not None and self._preparing is None:
            self._preparing = asyncio.create_task(self._prepare(self._database_url))

    async def run(self, tool: Tool, arguments: Mapping[str, Any], tool_use_id: object) -> Answer:
        """Run a call, or answer why it was not run.

        Args:
            tool: what is called.
            arguments: as the client sent them.
            tool_use_id: what the client sent as the call's id, if anything.
        """
        act = asyncio.create_task(self._act(tool, arguments, tool_use_id))
        self._acts.add(act)
        act.add_done_callback(self._acts.discard)
        return await asyncio.shield(act)

    def end(self) -> None:
        """End this process as SIGTERM does, once nothing is under way."""

        async def end() -> None:
            await self.close()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

        self._ending = self._ending or asyncio.create_task(end())

    async def close(self) -> None:
        """Wait for what was begun, then close the ledger."""
        if self._preparing:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        await asyncio.gather(*self._acts, return_exceptions=True)
        if self._approvals:
            await self._approvals.close()

    async def _act(self, tool: Tool, arguments: Mapping[str, Any], tool_use_id: object) -> Answer:
        if self._database_url is None:
            return await tool.call(arguments)
        if not isinstance(tool_use_id, str) or not tool_use_id:
            return _refuse(tool, "the client sent no tool-use id, by which its approval would be found.")
        try:
            approvals = self._open(self._database_url)
            approval = await approvals.consume(tool_use_id, tool.spec.name, arguments)
        except (NotApproved, LedgerError) as error:
            return _refuse(tool, str(error))
        # What was approved is a change of the file as it was shown: any other file voids it.
        unchanged = {"expected_hash": approval.file_hash} if approval.file_hash else {}
        answer = await tool.call({**arguments, **unchanged}, approval.plan.sealed)
        return await _record(approvals, tool_use_id, answer)

    async def _prepare(self, database_url: str) -> None:
        await asyncio.sleep(SETTLE)
        await asyncio.to_thread(import_module, "sre_bot.incidents.approvals")
        with contextlib.suppress(LedgerError):  # the call says so
            self._open(database_url)

    def _open(self, database_url: str) -> "Approvals":
        if self._approvals is None:
            # Imported here: SQLAlchemy costs a third of a second that a server without this mode need not spend.
            from sre_bot.incidents.approvals import Approvals

            self._approvals = Approvals.open(database_url)
        return self._approvals


async def _record(approvals: "Approvals", tool_use_id: str, answer: Answer) -> Answer:
    from sre_bot.incidents.model import ApprovalState, IllegalMove

    state = ApprovalState.FAILED if answer.is_error else ApprovalState.SUCCEEDED
    for pause in (*AWAY, None):
        try:
            await approvals.move(tool_use_id, state, outcome=answer.text)
        except LedgerError as error:
            if pause is None or isinstance(error, IllegalMove):
                _log.error("the outcome of %s was not recorded: %s", tool_use_id, error)
                return Answer(f"{answer.text}\n(This outcome could not be recorded: {error})", answer.is_error)
            _log.warning("the outcome of %s is not recorded yet: %s", tool_use_id, error)
            await asyncio.sleep(pause)
        else:
            break
    return answer


def _refuse(tool: Tool, reason: str) -> Answer:
    words = reason if "othing was executed" in reason else f"{reason} Nothing was executed."
    return Answer(f"{tool.spec.name} needs an approval: {words}", is_error=True)
