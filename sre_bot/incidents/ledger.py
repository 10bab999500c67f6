"""The ledger: who asked what in which thread, and how each turn ended, kept across crashes and restarts.

Every method is one short transaction and is safe beside other coroutines and other processes. Refuses to move a turn
against the drawing in `model.py`, and to lose a row to a race: what must happen once is decided by the database.
"""

from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, delete, func, select, update

from sre_bot.errors import LedgerError
from sre_bot.incidents.approvals import Approvals
from sre_bot.incidents.cases import Cases
from sre_bot.incidents.database import BUSY_TIMEOUT, Database
from sre_bot.incidents.deliveries import Deliveries
from sre_bot.incidents.exhibits import Exhibits
from sre_bot.incidents.feedback import Feedback
from sre_bot.incidents.model import PREDECESSORS, UNFINISHED, IllegalMove, Pruned, Thread, Turn, TurnEnd, TurnState
from sre_bot.incidents.paging import Urgency
from sre_bot.incidents.postmortems import Postmortems
from sre_bot.incidents.record import Records
from sre_bot.incidents.replicas import Replicas
from sre_bot.incidents.runs import Runs
from sre_bot.incidents.tables import (
    cases,
    deliveries,
    exhibits,
    feedback,
    incidents,
    seen_events,
    threads,
    transcript_entries,
    turns,
)
from sre_bot.incidents.transcripts import TranscriptStore
from sre_bot.incidents.turn_rows import read_turns

PROMPT_LIMIT = 40_000
"""Characters kept of a prompt: the longest message that Slack delivers (Slack: chat.postMessage documentation)."""
ANSWER_LIMIT = 40_000
REASON_LIMIT = 2_000


class Ledger:
    """The bot's memory. Open it with `Ledger.open`, close it when the process ends."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transcripts = TranscriptStore(database)
        self.approvals = Approvals(database)
        self.deliveries = Deliveries(database)
        self.cases = Cases(database)
        self.exhibits = Exhibits(database)
        self.postmortems = Postmortems(database)
        self.records = Records(database)
        self.replicas = Replicas(database)
        self.runs = Runs(database)
        self.feedback = Feedback(database)

    @classmethod
    async def open(cls, url: str, *, busy_timeout: float = BUSY_TIMEOUT) -> Self:
        """Open the database, creating it and its folder where they are missing, and bring its schema up to date.

        Args:
            url: `sqlite:///var/sre_bot.db` (relative to the working directory) or `postgresql://…`.
            busy_timeout: seconds to wait while another process writes.

        Raises:
            LedgerError: the database cannot be used; the message says why and what to do.
        """
        ledger = cls(Database(url, busy_timeout=busy_timeout))
        try:
            await ledger.migrate()
        except BaseException:
            await ledger.close()
            raise
        return ledger

    async def migrate(self) -> None:
        """Bring the schema up to date; safe when several processes start at once."""
        await self._database.migrate()

    @property
    def single(self) -> bool:
        """Whether one process has this database to itself: an SQLite file is not shared by several bots."""
        return self._database.single

    async def close(self) -> None:
        """Close every connection."""
        await self._database.close()

    async def first_sight(self, key: str, source: str) -> bool:
        """Record an event; True exactly once for a key, however many deliveries and processes ask.

        Args:
            key: what all deliveries of one event share.
            source: who delivered it, such as `slack` or `pagerduty`.
        """
        insert = self._database.insert_or_ignore(seen_events).returning(seen_events.c.key)
        async with self._database.writing() as connection:
            row = {"key": key, "source": source, "seen_at": _now()}
            return await connection.scalar(insert, row) is not None

    async def thread(self, channel: str, thread_ts: str, *, team: str, started_by: str) -> Thread:
        """Give the record of a Slack thread, making it at the first call."""
        if known := await self.find_thread(channel, thread_ts):
            return known
        now = _now()
        row = {"channel": channel, "thread_ts": thread_ts, "team": team, "started_by": started_by}
        async with self._database.writing() as connection:
            insert = self._database.insert_or_ignore(threads, "channel", "thread_ts")
            await connection.execute(insert, row | {"created_at": now, "last_used_at": now})
            return Thread(**(await connection.execute(_thread_at(channel, thread_ts))).one()._mapping)

    async def find_thread(self, channel: str, thread_ts: str) -> Thread | None:
        """Give the record of a Slack thread; None where the bot has never taken part in it."""
        async with self._database.reading() as connection:
            row = (await connection.execute(_thread_at(channel, thread_ts))).one_or_none()
            return Thread(**row._mapping) if row else None

    async def thread_of(self, session_id: UUID) -> Thread | None:
        """Give the thread whose conversation a session holds; None where it holds none, or no longer."""
        async with self._database.reading() as connection:
            found = await connection.execute(select(threads).where(threads.c.session_id == session_id))
            row = found.one_or_none()
            return Thread(**row._mapping) if row else None

    async def bind_session(self, thread_id: int, session_id: UUID, owner: str = "") -> None:
        """Remember which agent session holds a thread's conversation, and on which replica it was last spoken in.

        Raises:
            LedgerError: there is no such thread.
        """
        now = _now()
        bind = update(threads).where(threads.c.id == thread_id)
        values = {"session_id": session_id, "session_started_at": now, "last_used_at": now}
        values["session_owner"] = owner
        async with self._database.writing() as connection:
            if (await connection.execute(bind.values(values))).rowcount == 0:
                raise LedgerError(f"The ledger has no thread {thread_id}.")

    async def queue_turn(
        self,
        thread_id: int,
        *,
        turn_id: UUID,
        prompt_ts: str,
        author: str,
        prompt: str,
        owner: str = "",
        urgency: Urgency = Urgency.HIGH,
    ) -> Turn:
        """Record a prompt before anything is done about it.

        A message of a thread is one turn: where it was queued before, that turn is returned, with its own id.

        Args:
            thread_id: `Thread.id`.
            turn_id: the uuid that the agent will be given for this prompt.
            prompt_ts: Slack's timestamp of the prompt.
            author: Slack's id of the person who wrote it.
            prompt: its text; what exceeds `PROMPT_LIMIT` characters is not kept.
            owner: the replica that has to answer it.
            urgency: what goes before what, where not all can run at once.

        Raises:
            LedgerError: there is no such thread, or the id belongs to another turn.
        """
        now = _now()
        row = {
            "id": turn_id,
            "thread_id": thread_id,
            "prompt_ts": prompt_ts,
            "author": author,
            "prompt": _cut(prompt, PROMPT_LIMIT),
            "state": TurnState.QUEUED,
            "created_at": now,
            "reason": "",
            "answer": "",
            "reply_ts": [],
            "tool_calls": 0,
            "owner": owner,
            "urgency": urgency,
        }
        async with self._database.writing() as connection:
            await connection.execute(self._database.insert_or_ignore(turns, "thread_id", "prompt_ts"), row)
            await connection.execute(update(threads).where(threads.c.id == thread_id).values(last_used_at=now))
            found = await read_turns(connection, and_(turns.c.thread_id == thread_id, turns.c.prompt_ts == prompt_ts))
            return found[0]

    async def edit_turn(self, turn_id: UUID, prompt: str) -> None:
        """Replace the text of a prompt whose turn has not begun; one that has is left as it was asked."""
        waiting = (turns.c.id == turn_id) & (turns.c.state == TurnState.QUEUED)
        async with self._database.writing() as connection:
            await connection.execute(update(turns).where(waiting).values(prompt=_cut(prompt, PROMPT_LIMIT)))

    async def start_turn(self, turn_id: UUID) -> bool:
        """Move a turn to running; False where it is running already.

        Raises:
            IllegalMove: it has ended.
            LedgerError: there is no such turn.
        """
        return await self._move(turn_id, TurnState.RUNNING, {"started_at": _now()})

    async def end_turn(self, turn_id: UUID, outcome: TurnEnd, *, owner: str | None = None) -> bool:
        """Move a turn to its end; True for the one caller that did it, False where it had ended in the same way.

        Args:
            turn_id: the turn.
            outcome: how it ended.
            owner: the replica that says so; None for whoever has it.

        Raises:
            IllegalMove: it has ended in another way, was never started and cannot be answered, or is another's now.
            LedgerError: there is no such turn.
        """
        values = {
            "ended_at": _now(),
            "reason": _cut(outcome.reason, REASON_LIMIT),
            "answer": _cut(outcome.answer, ANSWER_LIMIT),
            "cost_usd": outcome.cost_usd,
            "duration_ms": outcome.duration_ms,
            "tool_calls": outcome.tool_calls,
        }
        return await self._move(turn_id, outcome.state, values, owner)

    async def note_reply(self, turn_id: UUID, ts: str) -> None:
        """Remember a message that the bot posted for a turn; noting it again changes nothing.

        Raises:
            LedgerError: there is no such turn.
        """
        this = turns.c.id == turn_id
        async with self._database.writing() as connection:
            noted: list[str] | None = await connection.scalar(select(turns.c.reply_ts).where(this).with_for_update())
            if noted is None:
                raise LedgerError(f"The ledger has no turn {turn_id}.")
            if ts not in noted:
                await connection.execute(update(turns).where(this).values(reply_ts=[*noted, ts]))

    async def unfinished_turns(self) -> list[Turn]:
        """Give every turn that is queued or running, oldest first: after a crash, what still owes an answer."""
        async with self._database.reading() as connection:
            return await read_turns(connection, turns.c.state.in_(UNFINISHED))

    async def turns_of(self, thread_id: int) -> list[Turn]:
        """Give the turns of a thread, oldest first."""
        async with self._database.reading() as connection:
            return await read_turns(connection, turns.c.thread_id == thread_id)

    async def prune(self, before: datetime) -> Pruned:
        """Forget events, deliveries, cases, threads with turns and exhibits, and transcripts last used before then.

        A case that is open stays whatever its age, as does a thread with an unfinished turn, and the transcript of a
        thread that stays.
        """
        busy = select(turns.c.thread_id).where(turns.c.state.in_(UNFINISHED))
        old_threads = select(threads.c.id).where(threads.c.last_used_at < before, threads.c.id.not_in(busy))
        kept_sessions = select(threads.c.session_id).where(threads.c.session_id.is_not(None))
        entries = transcript_entries.c
        last_stored = func.max(entries.stored_at)
        old_sessions = select(entries.session_id).group_by(entries.session_id).having(last_stored < before)
        over = cases.c.closed_at.is_not(None) & (cases.c.last_page_at < before) & (cases.c.closed_at < before)
        old_deliveries = deliveries.c.folded_at.is_not(None) & (deliveries.c.received_at < before)
        old_entries = entries.session_id.in_(old_sessions) & entries.session_id.not_in(kept_sessions)
        async with self._database.writing() as connection:

            async def forget(table: Table, condition: ColumnElement[bool]) -> int:
                return (await connection.execute(delete(table).where(condition))).rowcount

            await forget(exhibits, exhibits.c.thread_id.in_(old_threads))
            await forget(incidents, incidents.c.case_id.in_(select(cases.c.id).where(over)))
            old_turns = select(turns.c.id).where(turns.c.thread_id.in_(old_threads))
            await forget(feedback, feedback.c.turn_id.in_(old_turns))
            return Pruned(
                deliveries=await forget(deliveries, old_deliveries),
                cases=await forget(cases, over),
                seen_events=await forget(seen_events, seen_events.c.seen_at < before),
                turns=await forget(turns, turns.c.thread_id.in_(old_threads)),
                threads=await forget(threads, threads.c.id.in_(old_threads)),
                transcript_entries=await forget(transcript_entries, old_entries),
            )

    async def _move(self, turn_id: UUID, to: TurnState, values: dict[str, Any], owner: str | None = None) -> bool:
        this = turns.c.id == turn_id
        mine = [turns.c.owner == owner] if owner is not None else []
        move = update(turns).where(this, turns.c.state.in_(PREDECESSORS[to]), *mine).values(state=to, **values)
        async with self._database.writing() as connection:
            if (await connection.execute(move)).rowcount == 1:
                return True
            state = await connection.scalar(select(turns.c.state).where(this))
        if state is None:
            raise LedgerError(f"The ledger has no turn {turn_id}.")
        if state != to:
            raise IllegalMove(f"Turn {turn_id} is {state} and cannot become {to}; it stays {state}.")
        return False


def _thread_at(channel: str, thread_ts: str) -> Select[Any]:
    return select(threads).where(threads.c.channel == channel, threads.c.thread_ts == thread_ts)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _now() -> datetime:
    return datetime.now(UTC)
