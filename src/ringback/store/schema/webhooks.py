"""Where webhooks go, and which are to be delivered."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint, text

from ringback.store.schema.base import belongs_to, metadata, one_of

DELIVERY_STATES = ("waiting", "delivered", "dead")

# A URL of an account's, made when an agent or a batch first names it.
webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    # Signs too, until then.
    Column("old_secret", Text),
    Column("old_secret_until", BigInteger),
    Column("state", Text, nullable=False, server_default="enabled"),
    # The first failure since the last success, and how many there were; nothing is sent before `paused_until`.
    Column("failing_since", BigInteger),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("paused_until", BigInteger, nullable=False, server_default="0"),
    Column("disabled_at", BigInteger),
    Column("disabled_why", Text),
    Column("created_at", BigInteger, nullable=False),
    belongs_to("accounts", "account_id"),
    one_of("state", ("enabled", "disabled")),
    UniqueConstraint("account_id", "url"),
)

# The outbox. The subject is an execution or a batch; it may be gone before its deliveries are.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    # Of its changes, from 1: one is told once.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    # The status of an execution, 'processed' or 'completed' of a batch.
    Column("event", Text, nullable=False),
    Column("endpoint_id", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    # May be too early: what stands before it in its subject goes first.
    Column("due_at", BigInteger, nullable=False),
    # It is under way, and whoever sent it is taken for lost then.
    Column("lease_until", BigInteger),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("first_try_at", BigInteger),
    Column("last_try_at", BigInteger),
    Column("last_code", Integer),
    Column("last_error", Text),
    # Delivered, or given up.
    Column("ended_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    belongs_to("accounts", "account_id"),
    belongs_to("webhook_endpoints", "account_id", "endpoint_id"),
    one_of("kind", ("execution", "batch")),
    one_of("state", DELIVERY_STATES),
)
_WAITING = text("state = 'waiting'")
Index(
    "ix_webhook_deliveries_due",
    webhook_deliveries.c.account_id,
    webhook_deliveries.c.endpoint_id,
    webhook_deliveries.c.due_at,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
_OPEN = text("state <> 'delivered'")
Index(
    "ix_webhook_deliveries_open",
    webhook_deliveries.c.account_id,
    webhook_deliveries.c.created_at,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)
Index(None, webhook_deliveries.c.account_id, webhook_deliveries.c.created_at)
