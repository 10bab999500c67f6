"""Deliveries, incidents, cases, replicas, and which replica answers a turn."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables and columns."""
    _widen_turns()
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("changes", sa.JSON, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("folded_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("key", name="uq_deliveries_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_folded_at", "deliveries", ["folded_at"])
    op.create_index("ix_deliveries_received_at", "deliveries", ["received_at"])
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("thread_ts", sa.Text),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_page_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("shown_revision", sa.Integer, nullable=False),
        sa.Column("episode", sa.Integer, nullable=False),
        sa.Column("told_episode", sa.Integer, nullable=False),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True)),
        sa.Column("symptoms_asked", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_cases_last_page_at", "cases", ["last_page_at"])
    op.create_index("ix_cases_channel_thread_ts", "cases", ["channel", "thread_ts"])
    _make_incidents()
    op.create_table(
        "replicas",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replicas"),
    )


def _widen_turns() -> None:
    with op.batch_alter_table("turns", table_kwargs={}) as turns:
        turns.add_column(sa.Column("owner", sa.Text, nullable=False, server_default=""))
        turns.add_column(sa.Column("attempts", sa.Integer, nullable=False, server_default="0"))
        turns.add_column(sa.Column("urgency", sa.String(16), nullable=False, server_default="high"))
        turns.add_column(sa.Column("stop_requested", sa.Boolean, nullable=False, server_default=sa.false()))
    with op.batch_alter_table("threads", table_kwargs={"sqlite_autoincrement": True}) as threads:
        threads.add_column(sa.Column("session_owner", sa.Text, nullable=False, server_default=""))


def _make_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("case_id", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("urgency", sa.String(16), nullable=False),
        sa.Column("priority", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("service_label", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("group_key", sa.Text, nullable=False),
        sa.Column("assignees", sa.JSON, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("snapshot_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_incidents_case_id_cases"),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
        sa.UniqueConstraint("key", name="uq_incidents_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_incidents_case_id", "incidents", ["case_id"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("replicas")
    op.drop_table("incidents")
    op.drop_table("cases")
    op.drop_table("deliveries")
    with op.batch_alter_table("threads", table_kwargs={"sqlite_autoincrement": True}) as threads:
        threads.drop_column("session_owner")
    with op.batch_alter_table("turns") as turns:
        for name in ("stop_requested", "urgency", "attempts", "owner"):
            turns.drop_column(name)
