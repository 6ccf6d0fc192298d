"""Webhooks: endpoints, deliveries in order of executions."""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_MAX_URL = 2000
"""Bytes that an index may hold; who has a longer one has none until it is changed."""
_UNSENT = "Written by a version that sent no webhooks"


def upgrade() -> None:
    op.add_column("executions", sa.Column("moves", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("agents", sa.Column("webhook_url", sa.Text()))
    _add_endpoints()
    urls = {**_urls_of_agents(), **_urls_of_batches()}
    endpoints = {key: uuid.uuid4().hex for key in urls}
    for (account_id, url), created_at in urls.items():
        _insert_endpoint(endpoints[account_id, url], account_id, url, created_at)
    _rebuild_deliveries(endpoints)


def _urls_of_agents() -> dict[tuple[str, str], int]:
    """By account and URL when it was first named; the new column is filled on the way."""
    connection, found = op.get_bind(), dict[tuple[str, str], int]()
    agents = connection.execute(
        sa.text("SELECT account_id, id, definition, created_at FROM agents ORDER BY created_at DESC")
    )
    for account_id, agent_id, definition, created_at in agents.fetchall():
        url = json.loads(definition).get("webhook_url")
        if url and len(url.encode()) <= _MAX_URL:
            found[account_id, url] = created_at
            connection.execute(
                sa.text("UPDATE agents SET webhook_url = :url WHERE account_id = :account_id AND id = :id"),
                {"url": url, "account_id": account_id, "id": agent_id},
            )
    return found


def _urls_of_batches() -> dict[tuple[str, str], int]:
    rows = op.get_bind().execute(
        sa.text(
            """
            SELECT account_id, webhook_url, MIN(created_at) FROM batches WHERE webhook_url IS NOT NULL
            GROUP BY account_id, webhook_url
            UNION ALL
            SELECT account_id, url, MIN(created_at) FROM webhook_deliveries GROUP BY account_id, url
            """
        )
    )
    return {
        (account_id, url): created_at
        for account_id, url, created_at in rows.fetchall()
        if len(url.encode()) <= _MAX_URL
    }


def _insert_endpoint(endpoint_id: str, account_id: str, url: str, created_at: int) -> None:
    op.get_bind().execute(
        sa.text(
            "INSERT INTO webhook_endpoints (account_id, id, url, secret, created_at)"
            " VALUES (:account_id, :id, :url, :secret, :created_at)"
        ),
        {
            "account_id": account_id,
            "id": endpoint_id,
            "url": url,
            "secret": "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
            "created_at": created_at,
        },
    )


def _rebuild_deliveries(endpoints: dict[tuple[str, str], str]) -> None:
    """Events of batches that are over are not told now: nobody expects them any more. They stay to be looked at."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("SELECT account_id, subject, event, url, created_at FROM webhook_deliveries")
    ).fetchall()
    op.drop_table("webhook_deliveries")
    _add_deliveries()
    for account_id, subject, event, url, created_at in rows:
        if (account_id, url) not in endpoints:
            continue
        values: dict[str, Any] = {
            "account_id": account_id,
            "subject": subject,
            "position": 1 if event == "processed" else 2,
            "event": event,
            "endpoint_id": endpoints[account_id, url],
            "at": created_at,
            "why": _UNSENT,
            "payload": json.dumps({"batch_id": subject, "state": event}, separators=(",", ":")),
        }
        connection.execute(
            sa.text(
                """
                INSERT INTO webhook_deliveries (account_id, subject, position, kind, event, endpoint_id, state, due_at,
                  last_error, ended_at, created_at, payload)
                VALUES (:account_id, :subject, :position, 'batch', :event, :endpoint_id, 'dead', :at, :why, :at, :at,
                  :payload)
                """
            ),
            values,
        )


def _add_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text()),
        sa.Column("old_secret_until", sa.BigInteger()),
        sa.Column("state", sa.Text(), nullable=False, server_default="enabled"),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("paused_until", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("disabled_at", sa.BigInteger()),
        sa.Column("disabled_why", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('enabled', 'disabled')", name="ck_webhook_endpoints_state"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name="fk_webhook_endpoints_account_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_webhook_endpoints"),
        sa.UniqueConstraint("account_id", "url", name="uq_webhook_endpoints_account_id_url"),
    )


def _add_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="waiting"),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("first_try_at", sa.BigInteger()),
        sa.Column("last_try_at", sa.BigInteger()),
        sa.Column("last_code", sa.Integer()),
        sa.Column("last_error", sa.Text()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('execution', 'batch')", name="ck_webhook_deliveries_kind"),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'dead')", name="ck_webhook_deliveries_state"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name="fk_webhook_deliveries_account_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "endpoint_id"],
            ["webhook_endpoints.account_id", "webhook_endpoints.id"],
            name="fk_webhook_deliveries_account_id_endpoint_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "subject", "position", name="pk_webhook_deliveries"),
    )
    _index("due", ["account_id", "endpoint_id", "due_at"], "state = 'waiting'")
    _index("open", ["account_id", "created_at"], "state <> 'delivered'")
    op.create_index(
        "ix_webhook_deliveries_account_id_created_at", "webhook_deliveries", ["account_id", "created_at"]
    )
    if op.get_bind().dialect.name == "postgresql":
        # As with attempts: the claim reads past what was delivered until that is vacuumed.
        op.execute("ALTER TABLE webhook_deliveries SET (autovacuum_vacuum_scale_factor = 0.01)")


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(
        f"ix_webhook_deliveries_{name}",
        "webhook_deliveries",
        columns,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
