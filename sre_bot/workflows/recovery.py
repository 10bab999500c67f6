"""After a crash, ours or another replica's: turns that were left behind go on, or end where people see it."""

import logging

from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import ApprovalState, Turn, TurnEnd, TurnState
from sre_bot.workflows.circumstances import Circumstances
from sre_bot.workflows.people import People
from sre_bot.workflows.turns import Turns, prompt_of

log = logging.getLogger(__name__)

BELOW = "I was restarted while I worked on this; I go on below."
GIVEN_UP = "I was restarted {attempts} times while I worked on this, so I give it up. What is written above stands."
SHOWN = "Its end was shown; a crash came before it was recorded."
PROPOSED = "I was restarted when I had proposed what stands on the card; that is not lost."
CUT_OFF = "the run that proposed it was cut off"
MOST_ATTEMPTS = 4
"""How often a turn is begun: one that takes the process with it each time must not do so for ever."""


class Recovery:
    """Brings turns that were left behind to their end.

    Args:
        ledger: knows them.
        people: see their end.
        turns: begins them again.
        around: whose turns, and who is told of their ends.
    """

    def __init__(self, ledger: Ledger, people: People, turns: Turns, around: Circumstances) -> None:
        self._ledger = ledger
        self._people = people
        self._turns = turns
        self._around = around
        self._replica = around.replica

    async def recover(self) -> None:
        """Look at every unfinished turn of this replica that this process has not begun itself.

        Raises:
            LedgerError: not all could be looked at.
        """
        shown: set[int] = set()
        proposed: set[int] = set()
        for turn in await self._ledger.runs.unfinished(self._replica):
            if self._turns.holds(turn.id):
                continue
            if turn.stop_requested:
                await self._stop(turn)
                continue
            if turn.state is not TurnState.RUNNING:
                await self._begin(turn)
                continue
            await self._void_proposals(turn)
            if turn.thread_id in proposed:  # the run took it in, and may not have come to it
                await self._begin_again(turn)
            elif await self._has_proposed(turn):
                proposed.add(turn.thread_id)
                await self._end_as_proposed(turn)
            else:
                await self._go_on(turn, shown)

    async def _go_on(self, turn: Turn, shown: set[int]) -> None:
        place = (turn.channel, turn.thread_ts)
        last = turn.attempts >= MOST_ATTEMPTS
        reason = GIVEN_UP.format(attempts=turn.attempts) if last else BELOW
        unfinished = await self._people.close_reply(*place, turn.id, turn.attempts, reason)
        if not unfinished or turn.thread_id in shown:  # what a run took in was answered with it
            shown.add(turn.thread_id)
            await self._end(turn, TurnEnd(TurnState.ANSWERED, reason=SHOWN))
        elif last:
            await self._people.say(*place, reason)
            await self._end(turn, TurnEnd(TurnState.INTERRUPTED, reason=reason))
        else:
            await self._begin_again(turn)

    async def _void_proposals(self, turn: Turn) -> None:
        """A call that was sealed by a run which never ended was never deferred, and nobody was shown it."""
        for approval in await self._ledger.approvals.of_thread(turn.channel, turn.thread_ts):
            if approval.state is ApprovalState.PROPOSED:
                await self._ledger.approvals.move(approval.tool_use_id, ApprovalState.EXPIRED, reason=CUT_OFF)

    async def _has_proposed(self, turn: Turn) -> bool:
        """Whether a run came to its end, a call that people were shown, and only that was not recorded."""
        return any(
            approval.rolls_back is None
            and turn.started_at is not None
            and approval.proposed_at >= turn.started_at
            and (approval.state is not ApprovalState.EXPIRED or approval.card_ts)
            for approval in await self._ledger.approvals.of_thread(turn.channel, turn.thread_ts)
        )

    async def _end_as_proposed(self, turn: Turn) -> None:
        """Asked again, the model would propose beside the call that waits, or go on as if that had been decided."""
        await self._people.close_reply(turn.channel, turn.thread_ts, turn.id, turn.attempts, PROPOSED)
        await self._end(turn, TurnEnd(TurnState.PROPOSED, reason=PROPOSED))

    async def _stop(self, turn: Turn) -> None:
        """Somebody stopped it, and its process died before it heard of that."""
        attempt = turn.attempts + (turn.state is TurnState.QUEUED)
        await self._people.close_reply(turn.channel, turn.thread_ts, turn.id, attempt, turn.reason)
        await self._end(turn, TurnEnd(TurnState.STOPPED, reason=turn.reason))

    async def _end(self, turn: Turn, end: TurnEnd) -> None:
        if decided := prompt_of(turn, "").decides:
            await self._around.applied(decided, ran=end.state in (TurnState.ANSWERED, TurnState.PROPOSED))
        await self._ledger.end_turn(turn.id, end)
        self._around.changed(turn.channel, turn.thread_ts)

    async def _begin_again(self, turn: Turn) -> None:
        if await self._ledger.runs.put_back(turn.id, self._replica, to=self._replica):
            await self._begin(turn)

    async def _begin(self, turn: Turn) -> None:
        thread = await self._ledger.find_thread(turn.channel, turn.thread_ts)
        if thread and not self._turns.holds(turn.id):
            await self._turns.resume(thread.id, turn, prompt_of(turn, thread.team))
