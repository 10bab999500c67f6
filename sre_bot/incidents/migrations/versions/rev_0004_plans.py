"""What an approval shows, where, and what the check after it found."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COLUMNS = ("channel", "thread_ts", "card_ts", "plan", "before", "verdict", "applied")


def upgrade() -> None:
    """Make the columns."""
    with op.batch_alter_table("approvals", table_kwargs={"sqlite_autoincrement": True}) as approvals:
        for name in ("channel", "thread_ts", "card_ts"):
            approvals.add_column(sa.Column(name, sa.Text, nullable=False, server_default=""))
        for name in ("plan", "before"):
            approvals.add_column(sa.Column(name, sa.JSON, nullable=False, server_default="{}"))
        approvals.add_column(sa.Column("verdict", sa.Text, nullable=False, server_default=""))
        approvals.add_column(sa.Column("applied", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_approvals_channel_thread_ts", "approvals", ["channel", "thread_ts"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_approvals_channel_thread_ts", "approvals")
    with op.batch_alter_table("approvals", table_kwargs={"sqlite_autoincrement": True}) as approvals:
        for name in reversed(_COLUMNS):
            approvals.drop_column(name)
