"""The records that the ledger hands out, and the moves that a turn may make.

A turn is one prompt and what became of it. Every turn ends in exactly one of the states on the right, and stays there:

    queued ──▶ running ──┬──▶ answered      the model finished its answer
       │                 ├──▶ failed        an error ended it; `reason` says which
       └─────────────────┼──▶ stopped       a person ended it
     (all but answered)  ├──▶ interrupted   the process died or was shut down
                         └──▶ limited       a bound on turns, time or cost ended it

Records are frozen: to change one is to ask the ledger, which refuses any other move with `IllegalMove`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sre_bot.errors import LedgerError


class IllegalMove(LedgerError):
    """A turn was asked to leave an end state, or to skip a step; the row is unchanged."""


class TurnState(StrEnum):
    """Where a turn stands; the value is what the database holds."""

    QUEUED = "queued"
    RUNNING = "running"
    ANSWERED = "answered"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    LIMITED = "limited"


UNFINISHED = frozenset({TurnState.QUEUED, TurnState.RUNNING})
END_STATES = frozenset(TurnState) - UNFINISHED

PREDECESSORS: dict[TurnState, frozenset[TurnState]] = {
    TurnState.QUEUED: frozenset(),
    TurnState.RUNNING: frozenset({TurnState.QUEUED}),
    TurnState.ANSWERED: frozenset({TurnState.RUNNING}),
    TurnState.FAILED: UNFINISHED,
    TurnState.STOPPED: UNFINISHED,
    TurnState.INTERRUPTED: UNFINISHED,
    TurnState.LIMITED: UNFINISHED,
}
"""For each state, the states that it may be entered from: the arrows of the drawing above, read backwards."""


@dataclass(frozen=True, slots=True)
class Thread:
    """One Slack thread and the agent session that remembers it."""

    id: int
    channel: str
    thread_ts: str
    team: str
    started_by: str
    created_at: datetime
    last_used_at: datetime
    session_id: UUID | None
    session_started_at: datetime | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One prompt in a thread, and what became of it.

    `id` is the uuid that the agent was given for the prompt; `reply_ts` are the bot's own messages, in the
    order posted. `cost_usd` is the agent's estimate in US dollars.
    """

    id: UUID
    thread_id: int
    channel: str
    thread_ts: str
    prompt_ts: str
    author: str
    prompt: str
    state: TurnState
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reason: str
    answer: str
    reply_ts: tuple[str, ...]
    cost_usd: float | None
    duration_ms: int | None
    tool_calls: int


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """How a turn ended, as the workflow reports it.

    Raises:
        ValueError: `state` is not an end state.
    """

    state: TurnState
    reason: str = ""
    answer: str = ""
    cost_usd: float | None = None
    duration_ms: int | None = None
    tool_calls: int = 0

    def __post_init__(self) -> None:
        if self.state not in END_STATES:
            raise ValueError(f"a turn does not end as {self.state!r}; it ends as one of {sorted(END_STATES)}")


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows a pruning removed, by table."""

    seen_events: int
    threads: int
    turns: int
    transcript_entries: int
