"""The ledger: counters, segments, more filters, retention, rate limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Twins of `store.queries.counts`, frozen: what a migration does never changes.
_DIMENSIONS = {
    "all": "''",
    "status": "status",
    "call_type": "call_type",
    "provider": "provider",
    "batch_id": "batch_id",
    "answered_by_voice_mail": "CASE WHEN answered_by_voice_mail THEN 'true' ELSE 'false' END",
    "hour": "CAST(seq / 3600000000 AS TEXT)",
}


def upgrade() -> None:
    _add_columns()
    _add_tables()
    _fill_columns()
    _count()
    _add_indexes()


def _add_columns() -> None:
    for name in ("keep_recordings_days", "keep_transcripts_days", "keep_records_days"):
        op.add_column("accounts", sa.Column(name, sa.Integer()))
    for name in ("recordings_removed_until", "transcripts_removed_until"):
        op.add_column("accounts", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    for name in ("conversation_ms", "total_cost"):
        op.add_column("executions", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("executions", sa.Column("hangup_reason", sa.Text()))


def _add_tables() -> None:
    op.create_table(
        "execution_counts",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        _of_agent("execution_counts"),
        sa.PrimaryKeyConstraint("account_id", "agent_id", "dimension", "value", name="pk_execution_counts"),
    )
    op.create_table(
        "count_changes",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("call_type", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text()),
        sa.Column("answered_by_voice_mail", sa.Boolean(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        _of_agent("count_changes"),
        sa.PrimaryKeyConstraint("account_id", "agent_id", "id", name="pk_count_changes"),
    )
    op.create_table(
        "segments",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("frame", sa.LargeBinary()),
        _of_agent("segments"),
        sa.PrimaryKeyConstraint("account_id", "agent_id", "last_seq", name="pk_segments"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Frames are compressed already.
        op.execute("ALTER TABLE segments ALTER COLUMN frame SET STORAGE EXTERNAL")
    op.create_table(
        "rate_windows",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_rate_windows_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "bucket", name="pk_rate_windows"),
    )


def _of_agent(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id", "agent_id"],
        ["agents.account_id", "agents.id"],
        name=f"fk_{table}_account_id_agent_id",
        ondelete="CASCADE",
    )


def _fill_columns() -> None:
    """Every execution has one attempt yet: retries are made from a later version on."""
    attempt = "FROM attempts a WHERE a.account_id = executions.account_id AND a.execution_id = executions.id"
    op.execute(
        f"""
        UPDATE executions SET
          conversation_ms = COALESCE((SELECT (a.conversation_ms + 50) / 100 * 100 {attempt} AND a.number = 1), 0),
          hangup_reason = (SELECT a.hangup_reason {attempt} AND a.number = 1),
          total_cost = CASE
            WHEN status IN ('completed', 'no-answer', 'busy', 'failed', 'canceled', 'stopped', 'error',
                            'balance-low')
            THEN cost_llm + cost_network + cost_platform + cost_synthesizer + cost_transcriber ELSE 0 END
        """
    )


def _count() -> None:
    for dimension, value in _DIMENSIONS.items():
        op.execute(
            f"""
            INSERT INTO execution_counts (account_id, agent_id, dimension, value, count)
            SELECT account_id, agent_id, '{dimension}', {value}, COUNT(*) FROM executions
            WHERE {value} IS NOT NULL GROUP BY 1, 2, 4
            """
        )


def _add_indexes() -> None:
    agent, newest = ["account_id", "agent_id"], sa.text("seq DESC")
    op.create_index("ix_executions_status", "executions", [*agent, "status", newest])
    op.create_index("ix_executions_to_number", "executions", [*agent, "to_number", newest])
    op.create_index(
        "ix_executions_batch",
        "executions",
        ["account_id", "batch_id", "agent_id", newest],
        sqlite_where=sa.text("batch_id IS NOT NULL"),
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_index(
        "ix_executions_filters",
        "executions",
        [
            *agent,
            newest,
            "status",
            "call_type",
            "provider",
            "answered_by_voice_mail",
            "batch_id",
            "to_number",
            "from_number",
            "hangup_reason",
            "conversation_ms",
            "total_cost",
        ],
    )
    op.create_index(
        "ix_segments_open",
        "segments",
        [*agent, "last_seq"],
        sqlite_where=sa.text("frame IS NULL"),
        postgresql_where=sa.text("frame IS NULL"),
    )
    op.create_index("ix_attempts_account_id_ended_at", "attempts", ["account_id", "ended_at"])
