"""The tables, as the code of today sees them; `migrations/` says how a database gets there, and a test that both agree.

Only types that SQLite and PostgreSQL share. A change here needs a migration beside it.
"""

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)

from sre_bot.incidents.model import ApprovalState, Rating, TurnState
from sre_bot.incidents.paging import IncidentStatus, Urgency


class PlainText(TypeDecorator[str]):
    """A text from anywhere, with what a database refuses replaced: NUL (PostgreSQL) and lone surrogates (both)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """Make any Python string storable."""
        return None if value is None else value.replace("\x00", "?").encode(errors="replace").decode()


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware in Python, always UTC in the database (SQLite keeps no zone). Refuses naive times."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Turn an aware time into UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give the zone back that SQLite dropped."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class UuidText(TypeDecorator[UUID]):
    """A uuid as its 36 characters: what the Agent SDK uses for session ids, so that the tables can be joined."""

    impl = String(36)
    cache_ok = True

    def process_bind_param(self, value: UUID | None, _dialect: Dialect) -> str | None:
        """Write the canonical form."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> UUID | None:
        """Read it back."""
        return None if value is None else UUID(value)


def _states(states: type[StrEnum], length: int = 16) -> Enum:
    """A column of one of these words, as plain text: a new word needs no change of the column's type."""
    return Enum(states, native_enum=False, length=length, values_callable=lambda values: [str(each) for each in values])


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

seen_events = Table(
    "seen_events",
    metadata,
    Column("key", PlainText, primary_key=True),
    Column("source", PlainText, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

threads = Table(
    "threads",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", PlainText, nullable=False),
    Column("thread_ts", PlainText, nullable=False),
    Column("team", PlainText, nullable=False),
    Column("started_by", PlainText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime, nullable=False),
    Column("session_id", UuidText),
    Column("session_started_at", UtcDateTime),
    Column("session_owner", PlainText, nullable=False, server_default=""),  # id of the replica that last spoke in it
    UniqueConstraint("channel", "thread_ts"),
    sqlite_autoincrement=True,  # a pruned thread's id must never come back as another thread's
)

turns = Table(
    "turns",
    metadata,
    Column("id", UuidText, primary_key=True),
    Column("thread_id", ForeignKey(threads.c.id), nullable=False),
    Column("prompt_ts", PlainText, nullable=False),
    Column("author", PlainText, nullable=False),
    Column("prompt", PlainText, nullable=False),
    Column("state", _states(TurnState), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("reason", PlainText, nullable=False),
    Column("answer", PlainText, nullable=False),
    Column("reply_ts", JSON, nullable=False),
    Column("cost_usd", Float),
    Column("duration_ms", Integer),
    Column("tool_calls", Integer, nullable=False),
    Column("owner", PlainText, nullable=False, server_default=""),  # id of the replica that has to answer it
    Column("attempts", Integer, nullable=False, server_default="0"),  # how often it was begun
    Column("urgency", _states(Urgency), nullable=False, server_default=Urgency.HIGH),
    Column("stop_requested", Boolean, nullable=False, server_default=false()),  # by a person, on another replica
    UniqueConstraint("thread_id", "prompt_ts"),
    Index(None, "state"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("turn_id", ForeignKey(turns.c.id), primary_key=True),
    Column("person", PlainText, primary_key=True),  # Slack's id: each has one opinion of an answer
    Column("rating", _states(Rating), nullable=False),
    Column("given_at", UtcDateTime, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tool_use_id", PlainText, nullable=False, unique=True),
    Column("session_id", UuidText, nullable=False),  # not a reference: the record outlives its thread
    Column("tool", PlainText, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("call_hash", String(64), nullable=False),
    Column("file_hash", String(64)),
    Column("state", _states(ApprovalState), nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Column("decided_by", PlainText, nullable=False),
    Column("started_at", UtcDateTime),
    Column("consumed_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("reason", PlainText, nullable=False),
    Column("outcome", PlainText, nullable=False),
    Column("channel", PlainText, nullable=False, server_default=""),
    Column("thread_ts", PlainText, nullable=False, server_default=""),
    Column("card_ts", PlainText, nullable=False, server_default=""),
    Column("plan", JSON, nullable=False, server_default="{}"),
    Column("before", JSON, nullable=False, server_default="{}"),  # figures when it was approved
    Column("verdict", PlainText, nullable=False, server_default=""),  # of the check after it
    Column("applied", Boolean, nullable=False, server_default=false()),  # the agent has read the decision
    Column("rolls_back", Integer, unique=True),  # number of the act that this one takes back
    Column("chart", PlainText, nullable=False, server_default=""),  # Slack's id of the verdict's picture
    Index(None, "state"),
    Index(None, "channel", "thread_ts"),
    sqlite_autoincrement=True,
)

exhibits = Table(
    "exhibits",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thread_id", ForeignKey(threads.c.id), nullable=False),
    Column("number", Integer, nullable=False),  # from 1 in each thread: E1, E2, …
    Column("tool_use_id", PlainText, nullable=False),
    Column("tool", PlainText, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("result", PlainText, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("kept_at", UtcDateTime, nullable=False),
    UniqueConstraint("thread_id", "number"),
    UniqueConstraint("thread_id", "tool_use_id"),
    sqlite_autoincrement=True,
)

transcript_entries = Table(
    "transcript_entries",
    metadata,
    Column("id", Integer, primary_key=True),  # its order is the order of the transcript
    Column("project_key", PlainText, nullable=False),
    Column("session_id", PlainText, nullable=False),
    Column("subpath", PlainText, nullable=False),  # "" is the main transcript, else a subagent's
    Column("uuid", PlainText),  # titles and markers have none, and NULLs are distinct in a unique constraint
    Column("stored_at", UtcDateTime, nullable=False),
    Column("entry", JSON, nullable=False),  # JSON, not JSONB: JSONB refuses the NUL that a log line may carry
    UniqueConstraint("project_key", "session_id", "subpath", "uuid"),
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),  # its order is the order of arrival
    Column("key", PlainText, nullable=False, unique=True),
    Column("source", PlainText, nullable=False),
    Column("kind", PlainText, nullable=False),
    Column("changes", JSON, nullable=False),
    Column("body", PlainText, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("folded_at", UtcDateTime),
    Column("outcome", PlainText, nullable=False),
    Index(None, "folded_at"),
    Index(None, "received_at"),
    sqlite_autoincrement=True,
)

cases = Table(
    "cases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", PlainText, nullable=False),
    Column("thread_ts", PlainText),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("last_page_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("revision", Integer, nullable=False),
    Column("shown_revision", Integer, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("told_episode", Integer, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("asked_at", UtcDateTime),
    Column("symptoms_asked", JSON, nullable=False),
    Index(None, "last_page_at"),
    Index(None, "channel", "thread_ts"),
    sqlite_autoincrement=True,
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Integer, primary_key=True),  # its order within a case is the order of joining
    Column("key", PlainText, nullable=False, unique=True),
    Column("case_id", ForeignKey(cases.c.id), nullable=False, index=True),
    Column("source", PlainText, nullable=False),
    Column("title", PlainText, nullable=False),
    Column("status", _states(IncidentStatus), nullable=False),
    Column("urgency", _states(Urgency), nullable=False),
    Column("priority", PlainText, nullable=False),
    Column("service", PlainText, nullable=False),
    Column("service_label", PlainText, nullable=False),
    Column("url", PlainText, nullable=False),
    Column("group_key", PlainText, nullable=False),
    Column("assignees", JSON, nullable=False),
    Column("details", PlainText, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("snapshot_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    sqlite_autoincrement=True,
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("beat_at", UtcDateTime, nullable=False),  # by the database's clock, where several processes share one
)
