"""A turn: one prompt, one run of the agent, one visible end.

`submit()` is all that the Slack layer knows of how work is done. A prompt is written to the ledger before anything
else, so that a redelivered event is recognised and a crash cannot lose it. One run at a time is in a thread: what
people write meanwhile steers it, or waits when it cannot. Threads run side by side up to a limit, urgent ones first.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

from sre_bot.agent.events import Notice, Outcome, RunEnded, Steered
from sre_bot.agent.pool import SessionPool
from sre_bot.errors import LedgerError, SreBotError
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Turn, TurnState
from sre_bot.incidents.paging import Urgency
from sre_bot.incidents.runs import Claim
from sre_bot.workflows.circumstances import Circumstances
from sre_bot.workflows.conversation import Conversation
from sre_bot.workflows.people import People, Prompt, Reply
from sre_bot.workflows.places import Places
from sre_bot.workflows.runs import Run, compose, ended, outlast, turn_end

log = logging.getLogger(__name__)

GOING_ON = "I was restarted while I worked on this; I go on here."
RESTARTING = "I am being restarted, and go on with this below."
STOPPED = "Stopped. Ask me again to go on."
WITHDRAWN = "The message that asked for this was deleted, so I stopped."
ELSEWHERE = "What you wrote has become part of the run that goes on here."
DRAIN_TIMEOUT = 20.0  # seconds that a shutdown waits for the last words of the turns in flight
LOOK_EVERY = 1.0  # seconds between two looks at what other replicas do


class Gone(SreBotError):
    """A turn is not this process's any more."""


class Turns:
    """Runs turns.

    Args:
        ledger: where prompts and their ends are recorded.
        pool: lends the sessions.
        people: where answers are shown.
        around: bounds, budgets, and the replicas beside this one.
    """

    def __init__(self, ledger: Ledger, pool: SessionPool, people: People, around: Circumstances) -> None:
        self._ledger = ledger
        self._people = people
        self._around = around
        self._conversation = Conversation(ledger, pool, people, around)
        self._places = Places(around.concurrent)
        self._queues: dict[int, deque[tuple[Turn, Prompt]]] = {}
        self._workers: dict[int, asyncio.Task[None]] = {}
        self._runs: dict[int, Run] = {}
        self._in_hand: set[UUID] = set()
        self._left_behind: set[UUID] = set()
        self._closing = False
        self._looking: asyncio.Task[None] | None = None

    async def submit(self, prompt: Prompt) -> None:
        """Record a prompt and see that it is answered; returns as soon as it is safe. A repeated one is ignored."""
        try:
            await self.ask(prompt, Urgency.HIGH)
        except LedgerError as error:
            log.error("prompt %s %s is not recorded: %s", prompt.channel, prompt.ts, error)
            await self._people.say(prompt.channel, prompt.thread_ts, f"I could not take this on: {error}")

    async def ask(self, prompt: Prompt, urgency: Urgency) -> bool:
        """As `submit`; False for a repeated one.

        Raises:
            LedgerError: it is not recorded.
        """
        turn_id = uuid4()
        self._in_hand.add(turn_id)
        try:
            thread = await self._ledger.thread(
                prompt.channel, prompt.thread_ts, team=prompt.team, started_by=prompt.author
            )
            turn = await self._ledger.queue_turn(
                thread.id,
                turn_id=turn_id,
                prompt_ts=prompt.ts,
                author=prompt.author,
                prompt=prompt.text,
                owner=self._around.replica,
                urgency=urgency,
            )
        except BaseException:
            self._in_hand.discard(turn_id)  # should it be recorded all the same, it is found as one left behind
            raise
        if turn.id != turn_id:
            self._in_hand.discard(turn_id)
            return False
        await self.enqueue(thread.id, turn, prompt)
        return True

    @property
    def running(self) -> int:
        """How many runs go on in this process, those that wait for a place included."""
        return len(self._runs)

    def holds(self, turn_id: UUID) -> bool:
        """Whether this process is at work on a turn, or has it waiting."""
        return turn_id in self._in_hand

    async def knows(self, channel: str, thread_ts: str) -> bool:
        """Whether the bot takes part in this thread already."""
        return await self._ledger.find_thread(channel, thread_ts) is not None

    async def stop(self, channel: str, thread_ts: str) -> bool:
        """End the run in flight in a thread, on whichever replica; False where none is."""
        run = next((run for run in self._runs.values() if run.is_in(channel, thread_ts)), None)
        if run:
            await run.stop(Outcome.STOPPED, STOPPED)
            return True
        if self._around.alone:
            return False
        try:
            return await self._ledger.runs.request_stop(channel, thread_ts, STOPPED)
        except LedgerError as error:
            await self._people.say(channel, thread_ts, f"I could not stop what may run on another replica: {error}")
            return True

    async def amend(self, channel: str, thread_ts: str, ts: str, text: str | None) -> None:
        """A prompt was edited, or deleted where `text` is None: what has not begun follows, what runs is only stopped
        by a deletion, and what was answered stays; on whichever replica.
        """
        run = next((run for run in self._runs.values() if run.is_in(channel, thread_ts)), None)
        if run and text is None and run.prompt.ts == ts:
            await run.stop(Outcome.STOPPED, WITHDRAWN)
            return
        try:
            turn = await self._ledger.runs.find(channel, thread_ts, ts)
            if turn and text is None:
                await self._ledger.runs.withdraw(turn.id, WITHDRAWN)
            elif turn and text is not None:
                await self._ledger.edit_turn(turn.id, text)
        except LedgerError as error:
            log.error("that the prompt %s %s was changed is not recorded: %s", channel, ts, error)

    def open(self) -> None:
        """Begin to look at what other replicas do, where there are any."""
        if not self._around.alone:
            self._looking = asyncio.create_task(self._look_around(), name="other replicas")

    async def close(self) -> None:
        """Stop what runs, with a visible end; it goes on in the process that starts next, as does what is queued."""
        self._closing = True
        if self._looking:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await asyncio.gather(*(run.stop(Outcome.INTERRUPTED, RESTARTING) for run in tuple(self._runs.values())))
        if self._workers:
            await asyncio.wait(self._workers.values(), timeout=DRAIN_TIMEOUT)

    async def resume(self, thread_id: int, turn: Turn, prompt: Prompt) -> None:
        """As `enqueue`, for a turn that another process left, which may have begun to show its reply."""
        self._left_behind.add(turn.id)
        await self.enqueue(thread_id, turn, prompt)

    async def enqueue(self, thread_id: int, turn: Turn, prompt: Prompt) -> None:
        """Steer the thread's run with a recorded turn, or let it wait for its place."""
        self._in_hand.add(turn.id)
        run = self._runs.get(thread_id)
        # What lets a call through, or was asked while one waits for that, is no word within a run.
        if run and not prompt.decides and not run.prompt.decides and await self._steer(run, turn, prompt):
            return
        self._queues.setdefault(thread_id, deque()).append((turn, prompt))
        if thread_id not in self._workers:
            self._workers[thread_id] = asyncio.create_task(self._work(thread_id), name=f"thread {thread_id}")
        elif prompt.by_person:
            await self._people.acknowledge(prompt)

    async def _steer(self, run: Run, turn: Turn, prompt: Prompt) -> bool:
        """Give a run one more prompt; False where it cannot take it, which leaves the turn to wait."""
        replica = self._around.replica
        self._in_hand.add(turn.id)  # before the ledger says that it runs here: recovery must not find it in no hand
        try:
            text = compose(prompt, await self._conversation.context(prompt, new=False))
            # First: a turn that is answered must not be found waiting.
            if not await self._ledger.runs.take_in(turn.id, replica):
                self._in_hand.discard(turn.id)
                return True
            if run.session and await run.session.steer(text, turn.id):
                run.taken_in.append(turn)
                run.reply.show(Steered())
                return True
            await self._ledger.runs.refuse(turn.id, replica, to=turn.owner)
        except LedgerError as error:
            log.warning("turn %s waits, since it could not be marked as running: %s", turn.id, error)
        if turn.owner != replica:
            self._in_hand.discard(turn.id)
        return False

    async def _work(self, thread_id: int) -> None:
        """A thread's turns, one after the other, until there are none."""
        queue = self._queues[thread_id]
        while following := await self._next(queue):
            turn, prompt = following
            try:
                if await self._await_others(thread_id, prompt) and not self._closing:
                    await self._answer(thread_id, turn, prompt)
            except Exception:  # the top level of a thread: its next turn must run whatever became of this one
                log.exception("turn %s was not brought to its end", turn.id)
            finally:
                self._in_hand.discard(turn.id)
        del self._workers[thread_id], self._queues[thread_id]

    async def _next(self, queue: deque[tuple[Turn, Prompt]]) -> tuple[Turn, Prompt] | None:
        """What comes next: a decision before everything else; words wait while a proposal waits for its decision."""
        told: set[UUID] = set()
        while queue and not self._closing:
            chosen = next((each for each in queue if each[1].decides), queue[0])
            turn, prompt = chosen
            why = "" if prompt.decides else await self._around.held_up(prompt.channel, prompt.thread_ts)
            if not why:
                queue.remove(chosen)
                return chosen
            if prompt.by_person and turn.id not in told:
                told.add(turn.id)
                await self._people.acknowledge(prompt)
                await self._people.say(prompt.channel, prompt.thread_ts, why)
            await asyncio.sleep(LOOK_EVERY / 4)
        return None

    async def _await_others(self, thread_id: int, prompt: Prompt) -> bool:
        """Wait while another replica runs in the thread; False where that took the turn in, or it was withdrawn."""
        told = False
        replica, runs = self._around.replica, self._ledger.runs
        while not (self._around.alone or self._closing) and await runs.busy_elsewhere(thread_id, replica):
            if not told and prompt.by_person:
                await self._people.acknowledge(prompt)
            told = True
            await asyncio.sleep(LOOK_EVERY)
        now = await runs.find(prompt.channel, prompt.thread_ts, prompt.ts)
        return now is not None and now.owner == replica and not now.ended_at

    async def _answer(self, thread_id: int, turn: Turn, prompt: Prompt) -> None:
        """One turn from its first visible sign to its recorded end."""
        run = await self._open(thread_id, turn, prompt)
        if self._closing:
            await run.stop(Outcome.INTERRUPTED, RESTARTING)
        run.task = asyncio.create_task(self._run(turn, run), name=f"turn {turn.id}")
        if run.stopped:  # before there was a task to cancel
            run.task.cancel()
        try:
            end = await self._outcome(turn, run, run.task)
        finally:
            del self._runs[thread_id]
        run.reply.show(end)
        try:
            put_back = self._closing and end.outcome is Outcome.INTERRUPTED
            if prompt.decides and end.reason != ELSEWHERE and not put_back:
                await self._apply(prompt.decides, ran=end.outcome in (Outcome.ANSWERED, Outcome.PROPOSED))
            await run.reply.settle()
        finally:
            await self._close(thread_id, turn, run, end)

    async def _open(self, thread_id: int, turn: Turn, prompt: Prompt) -> Run:
        """The first visible sign; from its reply on, a run can be stopped."""
        left_behind = turn.id in self._left_behind
        self._left_behind.discard(turn.id)
        reply = await self._people.open_reply(prompt, turn.id, turn.attempts + 1, search=left_behind)
        run = self._runs[thread_id] = Run(prompt, reply)
        if turn.attempts:
            run.reply.show(Notice(GOING_ON))
        if self._places.all_taken:
            run.reply.show(Notice("As many investigations run as I may hold at once; yours is in line."))
            if prompt.by_person:
                await self._people.acknowledge(prompt)  # at once: posts into a busy channel come one a second
        return run

    async def _close(self, thread_id: int, turn: Turn, run: Run, end: RunEnded) -> None:
        """The recorded end, of the turn and of what its run took in."""
        for done in (turn, *run.taken_in):
            if str(done.id) in run.left:
                await self._put_off(thread_id, done, run.prompt.team)
                continue
            await self._record(done, end)
            end = replace(end, cost_usd=None, answer="")  # counted once, with the prompt that began the run
        self._around.changed(run.prompt.channel, run.prompt.thread_ts)

    async def _put_off(self, thread_id: int, turn: Turn, team: str) -> None:
        """What a run took in and did not come to, because it ended in a proposal, is answered after the decision."""
        try:
            if await self._ledger.runs.put_back(turn.id, self._around.replica, to=self._around.replica):
                self._queues[thread_id].append((turn, prompt_of(turn, team)))
        except LedgerError as error:
            log.error("turn %s is answered after the next start: %s", turn.id, error)
            self._in_hand.discard(turn.id)

    async def _outcome(self, turn: Turn, run: Run, task: asyncio.Task[RunEnded]) -> RunEnded:
        """How a run ended, whatever ended it."""
        try:
            return await task
        except asyncio.CancelledError:
            return run.ended or ended(*(run.stopped or (Outcome.INTERRUPTED, RESTARTING)))
        except Gone as gone:
            return ended(Outcome.ANSWERED, ELSEWHERE) if str(gone) == ELSEWHERE else ended(Outcome.STOPPED, str(gone))
        except SreBotError as error:
            await self._conversation.show_evidence(turn, run.reply)
            return ended(Outcome.LIMITED if self._around.is_bound(error) else Outcome.FAILED, str(error))
        except Exception:  # the top level of a run: whatever broke, people see an end
            log.exception("turn %s broke", turn.id)
            reference = f"reference {turn.id.hex[:8]}, see the bot's log"
            return ended(Outcome.FAILED, f"Something in me broke ({reference}). Please ask again.")

    async def _run(self, turn: Turn, run: Run) -> RunEnded:
        async with self._placed(turn, run.reply):
            self._around.changed(run.prompt.channel, run.prompt.thread_ts)
            if now := await outlast(lambda: self._ledger.runs.read(turn.id), run.reply):
                run.prompt = replace(run.prompt, text=now.prompt)  # it may have been edited while it waited
            return await self._conversation.hold(turn, run)

    @asynccontextmanager
    async def _placed(self, turn: Turn, reply: Reply) -> AsyncIterator[None]:
        """Have a place in this process and the ledger's leave to run.

        Raises:
            Gone: the turn is another replica's now.
        """
        while True:
            async with self._places.hold(turn.urgency):
                claim = await outlast(
                    lambda: self._ledger.runs.begin(turn.id, self._around.replica, self._around.in_all), reply
                )
                if claim is Claim.BEGUN:
                    yield
                    return
            if claim is Claim.GONE:
                now = await self._ledger.runs.read(turn.id)
                raise Gone(now.reason if now and now.state is TurnState.STOPPED else ELSEWHERE)
            await asyncio.sleep(LOOK_EVERY)

    async def _apply(self, approval_id: int, *, ran: bool) -> None:
        try:
            await outlast(lambda: self._around.applied(approval_id, ran=ran))
        except LedgerError as error:
            log.error("what became of proposal %d is not shown yet: %s", approval_id, error)

    async def _record(self, turn: Turn, end: RunEnded) -> None:
        replica = self._around.replica
        try:
            if end.reason == ELSEWHERE:
                return
            if self._closing and end.outcome is Outcome.INTERRUPTED:
                # Whoever starts first goes on with it; where this process is alone that is its successor of that name.
                await self._ledger.runs.put_back(turn.id, replica, to=replica if self._around.alone else "")
                return
            await outlast(lambda: self._ledger.end_turn(turn.id, turn_end(end), owner=replica))
        except LedgerError as error:
            log.error("the end of turn %s is not recorded: %s", turn.id, error)
        finally:
            self._in_hand.discard(turn.id)

    async def _look_around(self) -> None:
        """While runs go on here: take in what other replicas were asked in their threads, and hear their Stop."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                if self._runs:
                    await self._hear_others()
            except LedgerError as error:
                log.warning("what other replicas were asked is not known: %s", error)
            except Exception:  # a top level: a replica that hears no Stop any more would not notice
                log.exception("a look at what other replicas were asked failed; the next one follows")

    async def _hear_others(self) -> None:
        for turn in await self._ledger.runs.to_stop(self._around.replica):
            run = self._runs.get(turn.thread_id)
            if run and run.prompt.ts == turn.prompt_ts:
                await run.stop(Outcome.STOPPED, turn.reason or STOPPED)
        for turn in await self._ledger.runs.waiting_elsewhere(tuple(self._runs), self._around.replica):
            run = self._runs.get(turn.thread_id)
            # What is in hand here is an heir's by now, who took this replica for dead: it is no new word.
            if run and run.session and turn.id not in self._in_hand:
                await self._steer(run, turn, prompt_of(turn, run.prompt.team))


def prompt_of(turn: Turn, team: str) -> Prompt:
    """The prompt of a recorded turn."""
    return Prompt(team, turn.channel, turn.thread_ts, turn.prompt_ts, turn.author, turn.prompt)
