"""Events that clients send into live calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call_events",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("properties", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "execution_id"],
            ["executions.account_id", "executions.id"],
            name="fk_call_events_account_id_execution_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "execution_id", "position", name="pk_call_events"),
    )
