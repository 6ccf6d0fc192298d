"""SIP trunks, their gateways, and telephone numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_trunks()
    _add_gateways()
    _add_numbers()
    op.add_column("executions", sa.Column("trunk_id", sa.Text()))
    if op.get_bind().dialect.name == "postgresql":
        for table in ("trunks", "trunk_gateways", "phone_numbers"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN account_id SET STATISTICS 0")


def _add_trunks() -> None:
    op.create_table(
        "trunks",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("auth_type", sa.Text(), nullable=False),
        sa.Column("auth_username", sa.Text()),
        sa.Column("auth_password", sa.Text()),
        sa.Column("ip_identifiers", sa.Text(), nullable=False),
        sa.Column("allow", sa.Text(), nullable=False),
        sa.Column("disallow", sa.Text(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("direct_media", sa.Boolean(), nullable=False),
        sa.Column("rtp_symmetric", sa.Boolean(), nullable=False),
        sa.Column("force_rport", sa.Boolean(), nullable=False),
        sa.Column("media_encryption", sa.Text(), nullable=False),
        sa.Column("media_encryption_optimistic", sa.Boolean(), nullable=False),
        sa.Column("qualify_frequency", sa.Integer(), nullable=False),
        sa.Column("inbound_enabled", sa.Boolean(), nullable=False),
        sa.Column("outbound_leading_plus_enabled", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("max_calls", sa.Integer()),
        sa.Column("interval_us", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("registration", sa.Text()),
        sa.Column("registered_until", sa.BigInteger()),
        sa.Column("contact", sa.Text()),
        sa.Column("registration_code", sa.Integer()),
        sa.Column("registration_error", sa.Text()),
        sa.CheckConstraint("auth_type IN ('userpass', 'ip-based')", name="ck_trunks_auth_type"),
        sa.CheckConstraint(
            "transport IN ('transport-udp', 'transport-tcp', 'transport-tls')", name="ck_trunks_transport"
        ),
        sa.CheckConstraint("media_encryption IN ('no', 'sdes')", name="ck_trunks_media_encryption"),
        sa.CheckConstraint("registration IN ('registered', 'failing')", name="ck_trunks_registration"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_trunks_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_trunks"),
        sa.UniqueConstraint("account_id", "name", name="uq_trunks_account_id_name"),
    )


def _add_gateways() -> None:
    op.create_table(
        "trunk_gateways",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("trunk_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="unknown"),
        sa.Column("asked_at", sa.BigInteger()),
        sa.Column("answer_us", sa.BigInteger()),
        sa.Column("code", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.CheckConstraint("state IN ('unknown', 'up', 'down')", name="ck_trunk_gateways_state"),
        sa.ForeignKeyConstraint(
            ["account_id", "trunk_id"],
            ["trunks.account_id", "trunks.id"],
            name="fk_trunk_gateways_account_id_trunk_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "trunk_id", "position", name="pk_trunk_gateways"),
    )


def _add_numbers() -> None:
    op.create_table(
        "phone_numbers",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("trunk_id", sa.Text()),
        sa.Column("phone_number", sa.Text(), nullable=False),
        sa.Column("digits", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("e164_check_enabled", sa.Boolean(), nullable=False),
        sa.Column("agent_id", sa.Text()),
        sa.Column("price", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_phone_numbers_account_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "trunk_id"],
            ["trunks.account_id", "trunks.id"],
            name="fk_phone_numbers_account_id_trunk_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_phone_numbers"),
        sa.UniqueConstraint("account_id", "digits", name="uq_phone_numbers_account_id_digits"),
    )
    op.create_index("ix_phone_numbers_account_id_trunk_id", "phone_numbers", ["account_id", "trunk_id"])
    op.create_index("ix_phone_numbers_account_id_agent_id", "phone_numbers", ["account_id", "agent_id"])
    ours = sa.text("trunk_id IS NULL")
    op.create_index(
        "ix_phone_numbers_digits",
        "phone_numbers",
        ["digits"],
        unique=True,
        sqlite_where=ours,
        postgresql_where=ours,
    )
