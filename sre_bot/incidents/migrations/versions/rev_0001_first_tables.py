"""Events seen, threads, turns and transcripts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "seen_events",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_seen_events"),
    )
    op.create_table(
        "threads",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("thread_ts", sa.Text, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("started_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("session_id", sa.String(36)),
        sa.Column("session_started_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_threads"),
        sa.UniqueConstraint("channel", "thread_ts", name="uq_threads_channel_thread_ts"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "turns",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("thread_id", sa.Integer, nullable=False),
        sa.Column("prompt_ts", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("reply_ts", sa.JSON, nullable=False),
        sa.Column("cost_usd", sa.Float),
        sa.Column("duration_ms", sa.Integer),
        sa.Column("tool_calls", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name="fk_turns_thread_id_threads"),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        sa.UniqueConstraint("thread_id", "prompt_ts", name="uq_turns_thread_id_prompt_ts"),
    )
    op.create_index("ix_turns_state", "turns", ["state"])
    op.create_table(
        "transcript_entries",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_key", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("subpath", sa.Text, nullable=False),
        sa.Column("uuid", sa.Text),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transcript_entries"),
        sa.UniqueConstraint(
            "project_key",
            "session_id",
            "subpath",
            "uuid",
            name="uq_transcript_entries_project_key_session_id_subpath_uuid",
        ),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("transcript_entries")
    op.drop_table("turns")
    op.drop_table("threads")
    op.drop_table("seen_events")
