"""What a number does with those who call it, and what is known of them beforehand."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Table, Text, text

from ringback.store.schema.base import belongs_to, metadata
from ringback.store.schema.records import executions

# The menus before the agent of a number.
inbound_menus = Table(
    "inbound_menus",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("number_id", Text, primary_key=True),
    # JSON, as it was sent and with its defaults.
    Column("ivr_config", Text, nullable=False),
    ForeignKeyConstraint(
        ["account_id", "number_id"], ["phone_numbers.account_id", "phone_numbers.id"], ondelete="CASCADE"
    ),
)

# Lines of the files that agents look callers up in.
callers = Table(
    "callers",
    metadata,
    Column("account_id", Text, primary_key=True),
    # The name of the file.
    Column("source", Text, primary_key=True),
    # Their number without a leading plus.
    Column("digits", Text, primary_key=True),
    # JSON object of texts: the other columns of the line.
    Column("data", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    belongs_to("accounts", "account_id"),
)

# How often somebody has called an agent.
_INBOUND = text("call_type = 'inbound'")
Index(
    "ix_executions_inbound",
    executions.c.account_id,
    executions.c.agent_id,
    executions.c.from_number,
    sqlite_where=_INBOUND,
    postgresql_where=_INBOUND,
)
