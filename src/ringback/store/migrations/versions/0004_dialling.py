"""Dialling: what the claim needs beside an attempt, gates, batches, jobs, idempotency keys, workers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_tables()
    op.add_column(
        "executions", sa.Column("bypass_guardrails", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("executions", sa.Column("line", sa.Integer()))
    _change_attempts()
    _open_gates()


def _change_attempts() -> None:
    op.drop_index("ix_attempts_state_due_at", "attempts")
    op.drop_index("ix_attempts_state_lease_until", "attempts")
    for name in ("agent_id", "batch_id", "lane", "trunk"):
        op.add_column("attempts", sa.Column(name, sa.Text()))
    for name in ("seq", "slot_since", "dial_at"):
        op.add_column("attempts", sa.Column(name, sa.BigInteger()))
    op.add_column("attempts", sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        """
        UPDATE attempts SET (agent_id, batch_id, lane, trunk, seq) = (
          SELECT e.agent_id, e.batch_id, COALESCE(e.batch_id, e.agent_id), e.provider, e.seq FROM executions e
          WHERE e.account_id = attempts.account_id AND e.id = attempts.execution_id
        )
        """
    )
    op.execute(
        """
        UPDATE attempts SET slot_since = COALESCE(dialled_at, due_at)
        WHERE state IN ('claimed', 'dialling') OR (state = 'live' AND ended_at IS NULL)
        """
    )
    with op.batch_alter_table("attempts") as attempts:
        for name in ("agent_id", "lane", "trunk"):
            attempts.alter_column(name, existing_type=sa.Text(), nullable=False)
        attempts.alter_column("seq", existing_type=sa.BigInteger(), nullable=False)
    _index("waiting", ["account_id", "lane", "due_at", "seq"], "state = 'waiting'")
    _index("slots", ["account_id", "lane", "agent_id", "trunk", "state"], "slot_since IS NOT NULL")
    _index("trunk", ["trunk"], "slot_since IS NOT NULL")
    _index("lease", ["lease_until"], "lease_until IS NOT NULL")
    _index("owner", ["lease_owner"], "lease_owner IS NOT NULL")
    _index("unknown", ["dialled_at"], "state = 'unknown' AND slot_since IS NOT NULL")
    _index("batch", ["account_id", "batch_id", "ended_at"], "batch_id IS NOT NULL")
    if op.get_bind().dialect.name == "postgresql":
        # The claim reads past rows that were just taken from the head of a lane until they are vacuumed.
        op.execute("ALTER TABLE attempts SET (autovacuum_vacuum_scale_factor = 0.01, fillfactor = 90)")


def _index(name: str, columns: list[str], where: str, table: str = "attempts") -> None:
    op.create_index(
        f"ix_{table}_{name}", table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )


def _open_gates() -> None:
    """For what waits already."""
    op.execute(
        """
        INSERT INTO gates (account_id, kind, key, next_due_at)
        SELECT account_id, 'account', '', MIN(due_at) FROM attempts WHERE state = 'waiting' GROUP BY account_id
        """
    )
    op.execute(
        """
        INSERT INTO gates (account_id, kind, key, next_due_at)
        SELECT account_id, 'agent', agent_id, MIN(CASE WHEN batch_id IS NULL THEN due_at END) FROM attempts
        WHERE state = 'waiting' GROUP BY account_id, agent_id
        """
    )
    op.execute(
        """
        INSERT INTO gates (account_id, kind, key, next_due_at)
        SELECT account_id, 'batch', batch_id, MIN(due_at) FROM attempts
        WHERE state = 'waiting' AND batch_id IS NOT NULL GROUP BY account_id, batch_id
        """
    )


def _add_tables() -> None:
    op.create_table(
        "gates",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("max_calls", sa.Integer()),
        sa.Column("interval_us", sa.BigInteger()),
        sa.Column("tat_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("opens_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("next_due_at", sa.BigInteger()),
        sa.Column("served_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("closed", sa.Text()),
        sa.Column("closed_at", sa.BigInteger()),
        sa.Column("closed_why", sa.Text()),
        sa.Column("stopped_seq", sa.BigInteger(), nullable=False, server_default="0"),
        sa.CheckConstraint("closed IN ('paused', 'stopped')", name="ck_gates_closed"),
        sa.CheckConstraint("kind IN ('account', 'agent', 'batch')", name="ck_gates_kind"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_gates_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "kind", "key", name="pk_gates"),
    )
    op.create_table(
        "trunk_gates",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("max_calls", sa.Integer()),
        sa.Column("interval_us", sa.BigInteger()),
        sa.Column("tat_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("account_id", "name", name="pk_trunk_gates"),
    )
    op.create_table(
        "batches",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("from_numbers", sa.Text(), nullable=False),
        sa.Column("retry_config", sa.Text()),
        sa.Column("webhook_url", sa.Text()),
        sa.Column("bypass_guardrails", sa.Boolean(), nullable=False),
        sa.Column("dial_once", sa.Boolean(), nullable=False),
        sa.Column("scheduled_at", sa.BigInteger()),
        sa.Column("processed_at", sa.BigInteger()),
        sa.Column("lines_done", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("total", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("valid", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("duplicates", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("failure", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('created', 'processed', 'scheduled', 'completed', 'stopped', 'failed', 'deleted')",
            name="ck_batches_state",
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "agent_id"],
            ["agents.account_id", "agents.id"],
            name="fk_batches_account_id_agent_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_batches"),
    )
    op.create_table(
        "batch_faults",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Text()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "batch_id"],
            ["batches.account_id", "batches.id"],
            name="fk_batch_faults_account_id_batch_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "batch_id", "line", name="pk_batch_faults"),
    )
    op.create_table(
        "jobs",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text()),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("error", sa.Text()),
        sa.CheckConstraint("kind IN ('intake', 'sweep')", name="ck_jobs_kind"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_jobs_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_jobs"),
        sa.UniqueConstraint("account_id", "kind", "subject", name="uq_jobs_account_id_kind_subject"),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="waiting"),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('batch')", name="ck_webhook_deliveries_kind"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name="fk_webhook_deliveries_account_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_webhook_deliveries"),
        sa.UniqueConstraint(
            "account_id",
            "kind",
            "subject",
            "event",
            name="uq_webhook_deliveries_account_id_kind_subject_event",
        ),
    )
    op.create_table(
        "do_not_call",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_do_not_call_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "number", name="pk_do_not_call"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_idempotency_keys_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "key", name="pk_idempotency_keys"),
    )
    op.create_table(
        "workers",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text()),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("lateness_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('serving', 'draining')", name="ck_workers_state"),
        sa.PrimaryKeyConstraint("account_id", "name", name="pk_workers"),
    )
    _index("due", ["next_due_at"], "kind = 'account' AND next_due_at IS NOT NULL", "gates")
    _index("lanes", ["account_id", "next_due_at"], "kind <> 'account' AND next_due_at IS NOT NULL", "gates")
    op.create_index("ix_batches_agent", "batches", ["account_id", "agent_id", sa.text("created_at DESC")])
    op.create_index("ix_jobs_due", "jobs", ["due_at"])
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
