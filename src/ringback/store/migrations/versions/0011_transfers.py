"""Calls handed on to a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("transfers", sa.Text()))
    op.add_column("attempts", sa.Column("transfer_token", sa.Text()))
    op.create_index(
        "ix_attempts_transfer_token",
        "attempts",
        ["transfer_token"],
        sqlite_where=sa.text("transfer_token IS NOT NULL"),
        postgresql_where=sa.text("transfer_token IS NOT NULL"),
    )
