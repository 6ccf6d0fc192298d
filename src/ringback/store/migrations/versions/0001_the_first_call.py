"""The first call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATUS = (
    "status IN ('prepared', 'scheduled', 'rescheduled', 'queued', 'initiated', 'ringing', 'in-progress', "
    "'call-disconnected', 'completed', 'no-answer', 'busy', 'failed', 'canceled', 'stopped', 'error', "
    "'balance-low')"
)


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_accounts"),
    )
    op.create_table(
        "agents",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("prompts", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_agents_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_agents"),
    )
    op.create_table(
        "api_keys",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_api_keys_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_api_keys"),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
    )
    op.create_table(
        "executions",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("call_type", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("to_number", sa.Text(), nullable=True),
        sa.Column("from_number", sa.Text(), nullable=True),
        sa.Column("hosted_telephony", sa.Boolean(), nullable=False),
        sa.Column("recipient_data", sa.Text(), nullable=False),
        sa.Column("agent_data", sa.Text(), nullable=False),
        sa.Column("context_data", sa.Text(), nullable=True),
        sa.Column("extracted_data", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("answered_by_voice_mail", sa.Boolean(), nullable=False),
        sa.Column("termination_reason", sa.Text(), nullable=True),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=True),
        sa.Column("rescheduled_at", sa.BigInteger(), nullable=True),
        sa.Column("initiated_at", sa.BigInteger(), nullable=True),
        sa.Column("retry_config", sa.Text(), nullable=True),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("retry_history", sa.Text(), nullable=True),
        sa.Column("latency_data", sa.Text(), nullable=True),
        sa.Column("cost_llm", sa.BigInteger(), nullable=False),
        sa.Column("cost_network", sa.BigInteger(), nullable=False),
        sa.Column("cost_platform", sa.BigInteger(), nullable=False),
        sa.Column("cost_synthesizer", sa.BigInteger(), nullable=False),
        sa.Column("cost_transcriber", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.CheckConstraint("call_type IN ('inbound', 'outbound')", name="ck_executions_call_type"),
        sa.CheckConstraint(_STATUS, name="ck_executions_status"),
        sa.ForeignKeyConstraint(
            ["account_id", "agent_id"],
            ["agents.account_id", "agents.id"],
            name="fk_executions_account_id_agent_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_executions"),
    )
    op.create_index(
        "ix_executions_account_id_agent_id_seq",
        "executions",
        ["account_id", "agent_id", sa.literal_column("seq DESC")],
        unique=True,
    )

    op.create_table(
        "attempts",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=True),
        sa.Column("dialled_at", sa.BigInteger(), nullable=True),
        sa.Column("ringing_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("hangup_by", sa.Text(), nullable=True),
        sa.Column("hangup_reason", sa.Text(), nullable=True),
        sa.Column("hangup_provider_code", sa.Integer(), nullable=True),
        sa.Column("sip_code", sa.Integer(), nullable=True),
        sa.Column("recording_path", sa.Text(), nullable=True),
        sa.Column("recording_token", sa.Text(), nullable=True),
        sa.Column("recording_ms", sa.BigInteger(), nullable=True),
        sa.Column("conversation_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'claimed', 'dialling', 'live', 'done', 'unknown')", name="ck_attempts_state"
        ),
        sa.CheckConstraint(_STATUS, name="ck_attempts_status"),
        sa.ForeignKeyConstraint(
            ["account_id", "execution_id"],
            ["executions.account_id", "executions.id"],
            name="fk_attempts_account_id_execution_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "execution_id", "number", name="pk_attempts"),
    )
    op.create_index("ix_attempts_recording_token", "attempts", ["recording_token"], unique=True)
    op.create_index("ix_attempts_state_due_at", "attempts", ["state", "due_at"], unique=False)
    op.create_index("ix_attempts_state_lease_until", "attempts", ["state", "lease_until"], unique=False)

    op.create_table(
        "execution_log",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("tool_name", sa.Text(), nullable=True),
        sa.Column("reasoning_content", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id", "execution_id"],
            ["executions.account_id", "executions.id"],
            name="fk_execution_log_account_id_execution_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "execution_id", "position", name="pk_execution_log"),
    )
    op.create_table(
        "turns",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("interrupted", sa.Boolean(), nullable=False),
        sa.CheckConstraint("role IN ('assistant', 'user')", name="ck_turns_role"),
        sa.ForeignKeyConstraint(
            ["account_id", "execution_id"],
            ["executions.account_id", "executions.id"],
            name="fk_turns_account_id_execution_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "execution_id", "attempt", "position", name="pk_turns"),
    )
    op.create_table(
        "usage_lines",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('llm', 'network', 'platform', 'synthesizer', 'transcriber')", name="ck_usage_lines_kind"
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "execution_id"],
            ["executions.account_id", "executions.id"],
            name="fk_usage_lines_account_id_execution_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "execution_id", "position", name="pk_usage_lines"),
    )
