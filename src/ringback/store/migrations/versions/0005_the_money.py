"""Usage lines with their price, price book, wallet, sub-accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _price_usage_lines()
    _add_prices()
    _add_wallets()
    _add_sub_accounts()


def _price_usage_lines() -> None:
    """A line of before costs what it cost: its amount becomes the price of the whole of it."""
    for column in (
        sa.Column("turn", sa.Integer()),
        sa.Column("at_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("purpose", sa.Text(), nullable=False, server_default="conversation"),
        sa.Column("price", sa.Text()),
        sa.Column("per", sa.BigInteger(), nullable=False, server_default="1"),
        sa.Column("step", sa.BigInteger(), nullable=False, server_default="1"),
    ):
        op.add_column("usage_lines", column)
    op.execute(
        """
        UPDATE usage_lines SET per = quantity, step = quantity,
          price = CAST(amount / 10000 AS TEXT) || '.' || SUBSTR(CAST(10000 + amount % 10000 AS TEXT), 2)
        WHERE amount > 0 AND quantity > 0
        """
    )


def _add_prices() -> None:
    op.create_table(
        "prices",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("price", sa.Text(), nullable=False),
        sa.Column("per", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('llm', 'network', 'platform', 'synthesizer', 'transcriber')", name="ck_prices_kind"
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_prices"),
    )


def _add_wallets() -> None:
    """Every account that is there is unlimited: nothing was held back before."""
    op.create_table(
        "wallets",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("reserved", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("unlimited", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.CheckConstraint("reserved >= 0", name="ck_wallets_reserved"),
        sa.CheckConstraint("unlimited OR balance >= 0", name="ck_wallets_balance"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_wallets_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_wallets"),
    )
    op.execute("INSERT INTO wallets (account_id) SELECT account_id FROM accounts")
    accounts = "('cash', 'wallet', 'reserved', 'revenue', 'written-off')"
    op.create_table(
        "wallet_entries",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("debit", sa.Text(), nullable=False),
        sa.Column("credit", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("spender", sa.Text()),
        sa.Column("execution_id", sa.Text()),
        sa.Column("attempt", sa.Integer()),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.Column("counted", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.CheckConstraint(
            "kind IN ('top-up', 'reserve', 'release', 'charge', 'write-off', 'adjust')",
            name="ck_wallet_entries_kind",
        ),
        sa.CheckConstraint(f"debit IN {accounts}", name="ck_wallet_entries_debit"),
        sa.CheckConstraint(f"credit IN {accounts}", name="ck_wallet_entries_credit"),
        sa.CheckConstraint("amount > 0 AND debit <> credit", name="ck_wallet_entries_amount"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_wallet_entries_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_wallet_entries"),
        sa.UniqueConstraint(
            "account_id",
            "kind",
            "execution_id",
            "attempt",
            name="uq_wallet_entries_account_id_kind_execution_id_attempt",
        ),
    )
    op.create_index(
        "ix_wallet_entries_uncounted",
        "wallet_entries",
        ["account_id", "id"],
        sqlite_where=sa.text("NOT counted"),
        postgresql_where=sa.text("NOT counted"),
    )
    op.add_column("attempts", sa.Column("reserved", sa.BigInteger(), nullable=False, server_default="0"))
    _charge_what_is_over()


def _charge_what_is_over() -> None:
    """As if there had been wallets: the entries are those of all calls, and the balance is what they amount to."""
    op.execute(
        """
        INSERT INTO wallet_entries (account_id, id, at_us, kind, debit, credit, amount, spender, execution_id, attempt,
          note)
        SELECT a.account_id, '0000' || a.execution_id || '-' || CAST(a.number AS TEXT), COALESCE(a.ended_at, 0),
          'charge', 'wallet', 'revenue', u.amount, a.account_id, a.execution_id, a.number, 'before there were wallets'
        FROM attempts a JOIN (
          SELECT account_id, execution_id, attempt, CAST(SUM(amount) AS BIGINT) AS amount FROM usage_lines
          GROUP BY account_id, execution_id, attempt
        ) AS u ON u.account_id = a.account_id AND u.execution_id = a.execution_id AND u.attempt = a.number
        WHERE a.status IS NOT NULL AND u.amount > 0
        """
    )
    op.execute(
        """
        UPDATE wallets SET balance = -(
          SELECT CAST(COALESCE(SUM(e.amount), 0) AS BIGINT) FROM wallet_entries e
          WHERE e.account_id = wallets.account_id
        )
        """
    )


def _add_sub_accounts() -> None:
    for column in (
        sa.Column("parent_id", sa.Text()),
        sa.Column("email", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("metadata", sa.Text()),
        sa.Column("min_concurrency", sa.Integer()),
        sa.Column("max_concurrency", sa.Integer()),
        sa.Column("updated_at", sa.BigInteger()),
        sa.Column("deleted_at", sa.BigInteger()),
    ):
        op.add_column("accounts", column)
    op.create_index(
        "ix_accounts_parent_id",
        "accounts",
        ["parent_id"],
        sqlite_where=sa.text("parent_id IS NOT NULL"),
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
