"""The stages of the work after a call, dispositions and extraction templates."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from ringback.store.schema.base import belongs_to, metadata, of_execution, one_of

# What the stages of the work after a call found. A stage that found nothing to do has no row.
stages = Table(
    "stages",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("execution_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    # failing: it is tried again.
    Column("state", Text, nullable=False),
    # So often it was run.
    Column("tries", Integer, nullable=False),
    # JSON.
    Column("result", Text),
    # Why it failed.
    Column("error", Text),
    Column("at_us", BigInteger, nullable=False),
    of_execution(),
    one_of("state", ("done", "failing", "failed")),
)

SUBJECTIVE_TYPES = ("text", "timestamp", "numeric", "boolean", "email", "regex")

dispositions = Table(
    "dispositions",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("system_prompt", Text),
    Column("model", Text, nullable=False),
    Column("is_subjective", Boolean, nullable=False),
    Column("is_objective", Boolean, nullable=False),
    Column("subjective_type", Text, nullable=False),
    # JSON.
    Column("subjective_type_config", Text),
    Column("objective_options", Text),
    # No two that were made together have the same: it is their order.
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    belongs_to("accounts", "account_id"),
    one_of("subjective_type", SUBJECTIVE_TYPES),
)
Index(None, dispositions.c.account_id, dispositions.c.created_at, dispositions.c.id)

# Which agents' calls a disposition is asked about.
agent_dispositions = Table(
    "agent_dispositions",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("agent_id", Text, primary_key=True),
    Column("disposition_id", Text, primary_key=True),
    belongs_to("agents", "account_id", "agent_id"),
    belongs_to("dispositions", "account_id", "disposition_id"),
)
Index(None, agent_dispositions.c.account_id, agent_dispositions.c.disposition_id)

extraction_templates = Table(
    "extraction_templates",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    # JSON, as are inputs and keys.
    Column("json_schema", Text, nullable=False),
    Column("instructions", Text),
    Column("model", Text, nullable=False),
    Column("inputs", Text),
    Column("keys", Text),
    Column("display", Boolean, nullable=False),
    Column("supports_custom_questions", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    belongs_to("accounts", "account_id"),
)
Index(None, extraction_templates.c.account_id, extraction_templates.c.created_at, extraction_templates.c.id)
