"""The records that the ledger hands out, and the moves that a turn and an approval may make.

A turn is one prompt and what became of it. Every turn ends in exactly one of the states on the right, and stays there:

    queued ◀─▶ running ──┬──▶ answered      the model finished its answer
       │                 ├──▶ proposed      it asked for a change, which waits for a person
       │                 ├──▶ failed        an error ended it; `reason` says which
       └─────────────────┼──▶ stopped       a person ended it
     (all but answered)  ├──▶ interrupted   the process died too often while it ran
                         └──▶ limited       a bound on turns, time or cost ended it

It goes back to queued when the process that ran it died or was shut down: it is begun again, here or elsewhere.

An approval is one change that the model proposed, or the way back from one, which code sealed. Nothing runs but by the
arrows from `approved` to `consumed`, each of which one process goes once; whatever is left behind by a crash therefore
says how far it came:

    proposed ─▶ pending ─┬─▶ approved ─▶ executing ─▶ consumed ─┬─▶ succeeded
       │          │      │      │            │                  └─▶ failed
       │          │      └─▶ rejected        │
       └──────────┴──▶ expired ◀┴────────────┘

    proposed    recorded by the bot's hook, before anybody sees it
    pending     the call is durable, its card may be shown: a person has to decide
    approved    a person said yes            rejected   a person said no
    executing   the bot let the call go to the tool process
    consumed    the tool process took it and acts; found after a crash, it means that the outcome is unknown
    succeeded   the tool said so             failed     the tool said so, and what stands now
    expired     its time ran out, or what it was to change changed meanwhile: nothing was executed, nothing ever will be

Records are frozen: to change one is to ask the ledger, which refuses any other move with `IllegalMove`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sre_bot.errors import LedgerError
from sre_bot.incidents.paging import Urgency
from sre_bot.incidents.plan import NO_PLAN, Plan


class IllegalMove(LedgerError):
    """A turn or an approval was asked to leave an end state, or to skip a step; the row is unchanged."""


class TurnState(StrEnum):
    """Where a turn stands; the value is what the database holds."""

    QUEUED = "queued"
    RUNNING = "running"
    ANSWERED = "answered"
    PROPOSED = "proposed"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    LIMITED = "limited"


UNFINISHED = frozenset({TurnState.QUEUED, TurnState.RUNNING})
END_STATES = frozenset(TurnState) - UNFINISHED

PREDECESSORS: dict[TurnState, frozenset[TurnState]] = {
    TurnState.QUEUED: frozenset({TurnState.RUNNING}),
    TurnState.RUNNING: frozenset({TurnState.QUEUED}),
    TurnState.ANSWERED: frozenset({TurnState.RUNNING}),
    TurnState.PROPOSED: frozenset({TurnState.RUNNING}),
    TurnState.FAILED: UNFINISHED,
    TurnState.STOPPED: UNFINISHED,
    TurnState.INTERRUPTED: UNFINISHED,
    TurnState.LIMITED: UNFINISHED,
}
"""For each state, the states that it may be entered from: the arrows of the drawing above, read backwards."""


class ApprovalState(StrEnum):
    """Where an approval stands; the value is what the database holds."""

    PROPOSED = "proposed"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    EXECUTING = "executing"
    CONSUMED = "consumed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


APPROVAL_PREDECESSORS: dict[ApprovalState, frozenset[ApprovalState]] = {
    ApprovalState.PROPOSED: frozenset(),
    ApprovalState.PENDING: frozenset({ApprovalState.PROPOSED}),
    ApprovalState.APPROVED: frozenset({ApprovalState.PENDING}),
    ApprovalState.REJECTED: frozenset({ApprovalState.PENDING}),
    ApprovalState.EXPIRED: frozenset(
        {ApprovalState.PROPOSED, ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXECUTING}
    ),
    ApprovalState.EXECUTING: frozenset({ApprovalState.APPROVED}),
    ApprovalState.CONSUMED: frozenset({ApprovalState.EXECUTING}),
    ApprovalState.SUCCEEDED: frozenset({ApprovalState.CONSUMED}),
    ApprovalState.FAILED: frozenset({ApprovalState.CONSUMED}),
}
"""The arrows of the second drawing, read backwards."""

UNDECIDED_OR_UNDONE = frozenset().union(*APPROVAL_PREDECESSORS.values())
"""The states that an approval leaves again: what a bot that starts has to look at."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A call that the model wants to make, or with `rolls_back` the one that takes an earlier act of that number back.

    `tool` is the tool's own name, without the MCP server's prefix; `file_hash` is that of the file which the call would
    change, as it was when the proposal was made: the change is void once the file is another.
    """

    tool_use_id: str
    session_id: UUID
    tool: str
    arguments: Mapping[str, Any]
    expires_at: datetime
    file_hash: str | None = None
    channel: str = ""
    thread_ts: str = ""
    plan: Plan = NO_PLAN
    rolls_back: int | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """One proposed call and what became of it; `decided_by` is Slack's id of a person.

    `applied` says that the agent has read the decision, so that its conversation may go on. `rolls_back` is the number
    of the act that this one takes back, which is no call of the model's: no conversation waits for it. `chart` is
    Slack's id of the picture that goes with the verdict.
    """

    id: int
    tool_use_id: str
    session_id: UUID
    tool: str
    arguments: Mapping[str, Any]
    call_hash: str
    file_hash: str | None
    state: ApprovalState
    proposed_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str
    started_at: datetime | None
    consumed_at: datetime | None
    ended_at: datetime | None
    reason: str
    outcome: str
    channel: str
    thread_ts: str
    card_ts: str
    plan: Plan
    before: Mapping[str, float]
    verdict: str
    applied: bool
    rolls_back: int | None = None
    chart: str = ""

    @property
    def act(self) -> int:
        """Number of the act on whose card it is shown: its own, or the one that it takes back."""
        return self.rolls_back or self.id


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
    session_owner: str


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
    owner: str
    attempts: int
    urgency: Urgency
    stop_requested: bool


class Rating(StrEnum):
    """What a person thinks of an answer; the value is what the database holds."""

    GOOD = "good"
    BAD = "bad"


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
    deliveries: int = 0
    cases: int = 0
