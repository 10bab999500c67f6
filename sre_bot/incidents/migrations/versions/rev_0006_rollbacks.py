"""Which act an approval takes back, and the chart that goes with a verdict."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the columns; an act is taken back once."""
    with op.batch_alter_table("approvals", table_kwargs={"sqlite_autoincrement": True}) as approvals:
        approvals.add_column(sa.Column("rolls_back", sa.Integer))
        approvals.add_column(sa.Column("chart", sa.Text, nullable=False, server_default=""))
        approvals.create_unique_constraint("uq_approvals_rolls_back", ["rolls_back"])


def downgrade() -> None:
    """Remove them."""
    with op.batch_alter_table("approvals", table_kwargs={"sqlite_autoincrement": True}) as approvals:
        approvals.drop_constraint("uq_approvals_rolls_back", type_="unique")
        approvals.drop_column("chart")
        approvals.drop_column("rolls_back")
