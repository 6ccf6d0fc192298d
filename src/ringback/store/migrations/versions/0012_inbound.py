"""What a number does with those who call it, and what is known of them beforehand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbound_menus",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("number_id", sa.Text(), nullable=False),
        sa.Column("ivr_config", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "number_id"],
            ["phone_numbers.account_id", "phone_numbers.id"],
            name="fk_inbound_menus_account_id_number_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "number_id", name="pk_inbound_menus"),
    )
    op.create_table(
        "callers",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digits", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_callers_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "source", "digits", name="pk_callers"),
    )
    inbound = sa.text("call_type = 'inbound'")
    op.create_index(
        "ix_executions_inbound",
        "executions",
        ["account_id", "agent_id", "from_number"],
        sqlite_where=inbound,
        postgresql_where=inbound,
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in ("inbound_menus", "callers"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN account_id SET STATISTICS 0")
