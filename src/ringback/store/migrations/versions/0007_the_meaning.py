"""After-call stages, dispositions, extraction templates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_stages()
    _add_dispositions()
    _add_templates()


def _add_stages() -> None:
    op.add_column("attempts", sa.Column("recording_sha256", sa.Text()))
    op.add_column("executions", sa.Column("extraction_webhook_status", sa.Boolean()))
    op.create_table(
        "stages",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("result", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('done', 'failing', 'failed')", name="ck_stages_state"),
        sa.ForeignKeyConstraint(
            ["account_id", "execution_id"],
            ["executions.account_id", "executions.id"],
            name="fk_stages_account_id_execution_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "execution_id", "attempt", "name", name="pk_stages"),
    )


def _add_dispositions() -> None:
    op.create_table(
        "dispositions",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("system_prompt", sa.Text()),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("is_subjective", sa.Boolean(), nullable=False),
        sa.Column("is_objective", sa.Boolean(), nullable=False),
        sa.Column("subjective_type", sa.Text(), nullable=False),
        sa.Column("subjective_type_config", sa.Text()),
        sa.Column("objective_options", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "subjective_type IN ('text', 'timestamp', 'numeric', 'boolean', 'email', 'regex')",
            name="ck_dispositions_subjective_type",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_dispositions_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_dispositions"),
    )
    op.create_index(
        "ix_dispositions_account_id_created_at_id", "dispositions", ["account_id", "created_at", "id"]
    )
    op.create_table(
        "agent_dispositions",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("disposition_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "agent_id"],
            ["agents.account_id", "agents.id"],
            name="fk_agent_dispositions_account_id_agent_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "disposition_id"],
            ["dispositions.account_id", "dispositions.id"],
            name="fk_agent_dispositions_account_id_disposition_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "agent_id", "disposition_id", name="pk_agent_dispositions"),
    )
    op.create_index(
        "ix_agent_dispositions_account_id_disposition_id",
        "agent_dispositions",
        ["account_id", "disposition_id"],
    )


def _add_templates() -> None:
    op.create_table(
        "extraction_templates",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("json_schema", sa.Text(), nullable=False),
        sa.Column("instructions", sa.Text()),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text()),
        sa.Column("keys", sa.Text()),
        sa.Column("display", sa.Boolean(), nullable=False),
        sa.Column("supports_custom_questions", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name="fk_extraction_templates_account_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_extraction_templates"),
    )
    op.create_index(
        "ix_extraction_templates_account_id_created_at_id",
        "extraction_templates",
        ["account_id", "created_at", "id"],
    )
