"""The tables, as SQLAlchemy Core metadata. The migrations must build exactly this, on both databases.

Times are microseconds since the epoch, UTC; money is in 1e-4 cents; ids and JSON are text. The account comes
first in every primary key, so that the same schema can be spread over many databases by account.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

EXECUTION_STATUSES = (
    "prepared",
    "scheduled",
    "rescheduled",
    "queued",
    "initiated",
    "ringing",
    "in-progress",
    "call-disconnected",
    "completed",
    "no-answer",
    "busy",
    "failed",
    "canceled",
    "stopped",
    "error",
    "balance-low",
)
ATTEMPT_STATES = ("waiting", "claimed", "dialling", "live", "done", "unknown")


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _belongs_to(table: str, *columns: str) -> ForeignKeyConstraint:
    key = ("account_id",) if table == "accounts" else ("account_id", "id")
    return ForeignKeyConstraint(columns, [f"{table}.{name}" for name in key], ondelete="CASCADE")


accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
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
    _belongs_to("accounts", "account_id"),
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
    _belongs_to("accounts", "account_id"),
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
    # Last, so that SQLite reads the columns before it without following the overflow pages of a long body.
    Column("body", Text, nullable=False),
    _belongs_to("agents", "account_id", "agent_id"),
    _one_of("status", EXECUTION_STATUSES),
    _one_of("call_type", ("inbound", "outbound")),
)
Index(None, executions.c.account_id, executions.c.agent_id, executions.c.seq.desc(), unique=True)


def _of_execution() -> ForeignKeyConstraint:
    return _belongs_to("executions", "account_id", "execution_id")


attempts = Table(
    "attempts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("execution_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    Column("cancel_requested", Boolean, nullable=False),
    Column("call_id", Text),
    Column("dialled_at", BigInteger),
    Column("ringing_at", BigInteger),
    Column("answered_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("status", Text),
    Column("hangup_by", Text),
    Column("hangup_reason", Text),
    Column("hangup_provider_code", Integer),
    Column("sip_code", Integer),
    Column("recording_path", Text),
    Column("recording_token", Text),
    Column("recording_ms", BigInteger),
    Column("conversation_ms", BigInteger, nullable=False),
    _of_execution(),
    _one_of("state", ATTEMPT_STATES),
    _one_of("status", EXECUTION_STATUSES),
)
# The claim reads what is due, the reaper whose lease ran out; neither belongs to one account.
Index(None, attempts.c.state, attempts.c.due_at)
Index(None, attempts.c.state, attempts.c.lease_until)
# Whoever holds the link of a recording needs no key, so no account is known.
Index(None, attempts.c.recording_token, unique=True)

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
    _of_execution(),
    _one_of("role", ("assistant", "user")),
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
    _of_execution(),
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
    _of_execution(),
    _one_of("kind", ("llm", "network", "platform", "synthesizer", "transcriber")),
)
