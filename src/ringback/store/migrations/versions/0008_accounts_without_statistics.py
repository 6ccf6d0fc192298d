"""PostgreSQL estimates every account as one of two hundred, whoever it has seen.

Its statistics know the accounts of the last look. A new one "has no rows" then, any index that begins with the account
looks as good as the key, and what reads one row (a foreign key's check, at worst) reads all rows of the account.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    columns = op.get_bind().execute(
        sa.text(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND column_name = 'account_id'"
        )
    )
    for table in columns.scalars().all():
        op.execute(f'ALTER TABLE "{table}" ALTER COLUMN account_id SET STATISTICS 0')
