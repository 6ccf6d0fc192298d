"""Accounts, agents and the record of calls."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from ringback.store.schema.base import EXECUTION_STATUSES, belongs_to, metadata, of_execution, one_of

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # Retention; null keeps for ever. What ended until then has been removed already.
    Column("keep_recordings_days", Integer),
    Column("keep_transcripts_days", Integer),
    Column("keep_records_days", Integer),
    Column("recordings_removed_until", BigInteger, nullable=False, server_default="0"),
    Column("transcripts_removed_until", BigInteger, nullable=False, server_default="0"),
    # Of a sub-account; whoever has no parent pays for itself.
    Column("parent_id", Text),
    Column("email", Text),
    Column("description", Text),
    # JSON, the client's own.
    Column("metadata", Text),
    # Calls at a time: how many are kept free for it, and how many it may have; null: what nobody else is promised.
    Column("min_concurrency", Integer),
    Column("max_concurrency", Integer),
    Column("updated_at", BigInteger),
    Column("deleted_at", BigInteger),
)
Index(
    "ix_accounts_parent_id",
    accounts.c.parent_id,
    sqlite_where=accounts.c.parent_id.is_not(None),
    postgresql_where=accounts.c.parent_id.is_not(None),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    belongs_to("accounts", "account_id"),
    UniqueConstraint("hash"),
)

agents = Table(
    "agents",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("definition", Text, nullable=False),
    Column("prompts", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # As in the definition: for the outbox.
    Column("webhook_url", Text),
    belongs_to("accounts", "account_id"),
)

executions = Table(
    "executions",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("agent_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("batch_id", Text),
    Column("status", Text, nullable=False),
    Column("call_type", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("to_number", Text),
    Column("from_number", Text),
    Column("hosted_telephony", Boolean, nullable=False),
    Column("recipient_data", Text, nullable=False),
    Column("agent_data", Text, nullable=False),
    Column("context_data", Text),
    Column("extracted_data", Text),
    Column("summary", Text),
    Column("error_message", Text),
    Column("answered_by_voice_mail", Boolean, nullable=False),
    Column("termination_reason", Text),
    Column("scheduled_at", BigInteger),
    Column("rescheduled_at", BigInteger),
    Column("initiated_at", BigInteger),
    Column("retry_config", Text),
    Column("retry_count", Integer, nullable=False),
    Column("retry_history", Text),
    Column("latency_data", Text),
    Column("cost_llm", BigInteger, nullable=False),
    Column("cost_network", BigInteger, nullable=False),
    Column("cost_platform", BigInteger, nullable=False),
    Column("cost_synthesizer", BigInteger, nullable=False),
    Column("cost_transcriber", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # SQLite reads the columns before it without following the overflow pages of a long body.
    Column("body", Text, nullable=False),
    # As the body shows them, for filters; read from the index alone.
    Column("conversation_ms", BigInteger, nullable=False, server_default="0"),
    Column("total_cost", BigInteger, nullable=False, server_default="0"),
    Column("hangup_reason", Text),
    Column("bypass_guardrails", Boolean, nullable=False, server_default=false()),
    # Of the batch's file, counted from 1.
    Column("line", Integer),
    # Statuses so far, the first one too: the position of the newest in the outbox.
    Column("moves", Integer, nullable=False, server_default="0"),
    # Of a webhook task; null: there is none.
    Column("extraction_webhook_status", Boolean),
    # Of `trunks`; null: that of the settings. It may be gone.
    Column("trunk_id", Text),
    belongs_to("agents", "account_id", "agent_id"),
    one_of("status", EXECUTION_STATUSES),
    one_of("call_type", ("inbound", "outbound")),
)
Index(None, executions.c.account_id, executions.c.agent_id, executions.c.seq.desc(), unique=True)
Index(
    "ix_executions_status",
    executions.c.account_id,
    executions.c.agent_id,
    executions.c.status,
    executions.c.seq.desc(),
)
Index(
    "ix_executions_to_number",
    executions.c.account_id,
    executions.c.agent_id,
    executions.c.to_number,
    executions.c.seq.desc(),
)
Index(
    "ix_executions_batch",
    executions.c.account_id,
    executions.c.batch_id,
    executions.c.agent_id,
    executions.c.seq.desc(),
    sqlite_where=executions.c.batch_id.is_not(None),
    postgresql_where=executions.c.batch_id.is_not(None),
)
# Answers the other filters without touching the rows.
Index(
    "ix_executions_filters",
    executions.c.account_id,
    executions.c.agent_id,
    executions.c.seq.desc(),
    executions.c.status,
    executions.c.call_type,
    executions.c.provider,
    executions.c.answered_by_voice_mail,
    executions.c.batch_id,
    executions.c.to_number,
    executions.c.from_number,
    executions.c.hangup_reason,
    executions.c.conversation_ms,
    executions.c.total_cost,
)

# How many executions an agent has, by what lists filter by: `count` is the sum of the changes that were folded in.
execution_counts = Table(
    "execution_counts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("agent_id", Text, primary_key=True),
    Column("dimension", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    belongs_to("agents", "account_id", "agent_id"),
)

# What is yet to be folded in. Writers only ever insert, so they never wait for each other.
count_changes = Table(
    "count_changes",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("agent_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("call_type", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("batch_id", Text),
    Column("answered_by_voice_mail", Boolean, nullable=False),
    Column("hour", BigInteger, nullable=False),
    Column("delta", BigInteger, nullable=False),
    belongs_to("agents", "account_id", "agent_id"),
)

# Runs of settled executions, as compressed copies of what the v1 list shows of them; without a frame the rows
# themselves are read. Together they cover an agent's history from its beginning without a gap.
segments = Table(
    "segments",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("agent_id", Text, primary_key=True),
    Column("last_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("first_seq", BigInteger, nullable=False),
    # Rises with every change of a settled row in it: a copy made meanwhile is not stored.
    Column("revision", BigInteger, nullable=False),
    Column("frame", LargeBinary),
    belongs_to("agents", "account_id", "agent_id"),
)
Index(
    "ix_segments_open",
    segments.c.account_id,
    segments.c.agent_id,
    segments.c.last_seq,
    sqlite_where=segments.c.frame.is_(None),
    postgresql_where=segments.c.frame.is_(None),
)

# Requests of an account in one minute of the clock.
rate_windows = Table(
    "rate_windows",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("bucket", Text, primary_key=True),
    Column("minute", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    belongs_to("accounts", "account_id"),
)


turns = Table(
    "turns",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("execution_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("role", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("interrupted", Boolean, nullable=False),
    of_execution(),
    one_of("role", ("assistant", "user")),
)

execution_log = Table(
    "execution_log",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("execution_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("component", Text, nullable=False),
    Column("provider", Text),
    Column("data", Text, nullable=False),
    Column("tool_name", Text),
    Column("reasoning_content", Text),
    of_execution(),
)

usage_lines = Table(
    "usage_lines",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("execution_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Column("turn", Integer),
    Column("at_us", BigInteger, nullable=False, server_default="0"),
    Column("purpose", Text, nullable=False, server_default="conversation"),
    # Cents for `per` units, a decimal number; charged by the started `step`.
    Column("price", Text),
    Column("per", BigInteger, nullable=False, server_default="1"),
    Column("step", BigInteger, nullable=False, server_default="1"),
    of_execution(),
    one_of("kind", ("llm", "network", "platform", "synthesizer", "transcriber")),
)

# What clients sent into a live call and its worker has not taken yet; nothing is left of it when the call is over.
call_events = Table(
    "call_events",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("execution_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("properties", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    of_execution(),
)
