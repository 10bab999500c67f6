"""A run's conversation with the agent: the thread's session, what the model is given, and what it says."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

from sre_bot.agent.events import Event, Notice, RunEnded, TextDelta
from sre_bot.agent.pool import SessionPool
from sre_bot.agent.session import Session
from sre_bot.errors import LedgerError, SessionLost
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Thread, Turn
from sre_bot.workflows.checking import Checking
from sre_bot.workflows.circumstances import Circumstances
from sre_bot.workflows.people import People, Prompt, Reply
from sre_bot.workflows.runs import Run, compose, outlast


class Conversation:
    """Holds conversations, one run at a time.

    Args:
        ledger: knows which session is whose.
        pool: lends sessions.
        people: what they said before.
        around: budgets, proposals, and what monitoring said.
    """

    def __init__(self, ledger: Ledger, pool: SessionPool, people: People, around: Circumstances) -> None:
        self._ledger = ledger
        self._pool = pool
        self._people = people
        self._around = around

    async def hold(self, turn: Turn, run: Run) -> RunEnded:
        """Ask the agent, or let it go on after a decision, and show what it says.

        Raises:
            SreBotError: it could not be asked.
        """
        session, context = await outlast(lambda: self._prepare(turn, run), run.reply)
        run.session = session
        checking = Checking(self._ledger, turn.thread_id, self._around.services, self._around.describe)
        try:
            async for event in self._listen(session, turn, run.prompt, context):
                if not isinstance(event, RunEnded):
                    _show(run.reply, await checking.take(event))
                    continue
                said, end = await checking.finish(event)
                _show(run.reply, said)
                if end.deferred:
                    await self._around.proposed(end.deferred)
                run.ended, run.left = end, session.left_unanswered
                return end
        finally:
            run.session = None
            await self._pool.give_back(session)
            if run.ended and run.ended.deferred:
                self._pool.expect(session.id)
        raise AssertionError("a run ends with RunEnded")

    async def _prepare(self, turn: Turn, run: Run) -> tuple[Session, str]:
        """What comes before the agent is asked, and may be done again."""
        prompt = run.prompt
        thread = await self._ledger.thread(prompt.channel, prompt.thread_ts, team=prompt.team, started_by=prompt.author)
        if prompt.decides is None:
            await self._around.check_budget(thread.id, turn.urgency)
        context = "" if prompt.decides else await self.context(prompt, new=thread.session_id is None)
        session = await self._take(thread, run.reply, decided=bool(prompt.decides) and not turn.attempts)
        return session, context

    async def context(self, prompt: Prompt, *, new: bool) -> str:
        """What a prompt refers to; below a card also what monitoring said, where the agent does not know it yet."""
        told = await self._around.background(prompt.channel, prompt.thread_ts) if new or not prompt.by_person else ""
        above = await self._people.read_context(prompt, above=new) if prompt.by_person else ""
        past = await self._around.past(f"{prompt.text}\n{told}\n{above}") if new else ""
        return "\n\n".join(filter(None, (told, above, past)))

    async def show_evidence(self, turn: Turn, reply: Reply) -> None:
        """Where a run cannot begin: what the thread knows already."""
        with contextlib.suppress(LedgerError):
            answers = [each.answer for each in await self._ledger.turns_of(turn.thread_id) if each.answer]
            if answers:
                reply.show(TextDelta("What was found so far:\n\n" + answers[-1]))

    async def _listen(self, session: Session, turn: Turn, prompt: Prompt, context: str) -> AsyncIterator[Event]:
        again = turn.attempts > 0
        if prompt.decides is not None and not again:
            async for event in session.go_on():
                yield event
            return
        if prompt.decides is not None:
            # The call may be decided already, or wait still: it is asked about first, then this is answered.
            text = compose(prompt, await self._around.outcome(prompt.decides), again=True)
        else:
            text = compose(prompt, context, again=again)
        # A prompt that an earlier process gave to the model is in the transcript under the turn's own id.
        async for event in session.ask(text, uuid4() if again else turn.id):
            yield event

    async def _take(self, thread: Thread, reply: Reply, *, decided: bool) -> Session:
        """The thread's session, or a new one that is bound to it."""
        if thread.session_id and thread.session_owner not in ("", self._around.replica):
            await self._pool.forget(thread.session_id)  # another replica spoke in it since; the transcript knows
        try:
            session = await self._pool.take(thread.session_id, decided=decided)
        except SessionLost as error:
            reply.show(Notice(f"{error} I begin anew, without what was said before."))
            session = await self._pool.take(None)
        if session.id != thread.session_id or thread.session_owner != self._around.replica:
            try:
                await self._ledger.bind_session(thread.id, session.id, self._around.replica)
            except BaseException:
                await self._pool.give_back(session)
                raise
        return session


def _show(reply: Reply, events: Sequence[Event]) -> None:
    for event in events:
        reply.show(event)
