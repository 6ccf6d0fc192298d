"""Ways into the telephone network that accounts bring along, and their numbers."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from ringback.store.schema.base import belongs_to, metadata, one_of

trunks = Table(
    "trunks",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("description", Text),
    Column("auth_type", Text, nullable=False),
    Column("auth_username", Text),
    # Encrypted: only `ringback.trunks.secrecy` reads it.
    Column("auth_password", Text),
    # JSON arrays of texts.
    Column("ip_identifiers", Text, nullable=False),
    Column("allow", Text, nullable=False),
    Column("disallow", Text, nullable=False),
    Column("transport", Text, nullable=False),
    Column("direct_media", Boolean, nullable=False),
    Column("rtp_symmetric", Boolean, nullable=False),
    Column("force_rport", Boolean, nullable=False),
    Column("media_encryption", Text, nullable=False),
    Column("media_encryption_optimistic", Boolean, nullable=False),
    # Seconds; 0: never.
    Column("qualify_frequency", Integer, nullable=False),
    Column("inbound_enabled", Boolean, nullable=False),
    Column("outbound_leading_plus_enabled", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    # Calls at a time, and the time between two dials; null: unlimited. What is counted is in `trunk_gates`.
    Column("max_calls", Integer),
    Column("interval_us", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # Which worker keeps it: registers, and asks its gateways how they are.
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    # Null: it does not register, or has not yet.
    Column("registration", Text),
    # Until then the registrar knows us, at this address.
    Column("registered_until", BigInteger),
    Column("contact", Text),
    # Why it refuses us.
    Column("registration_code", Integer),
    Column("registration_error", Text),
    belongs_to("accounts", "account_id"),
    one_of("auth_type", ("userpass", "ip-based")),
    one_of("transport", ("transport-udp", "transport-tcp", "transport-tls")),
    one_of("media_encryption", ("no", "sdes")),
    one_of("registration", ("registered", "failing")),
    UniqueConstraint("account_id", "name"),
)

# The first that works carries a call.
trunk_gateways = Table(
    "trunk_gateways",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("trunk_id", Text, primary_key=True),
    # In the order in which they were given, from 1.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("address", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    # How it answered the last OPTIONS.
    Column("state", Text, nullable=False, server_default="unknown"),
    Column("asked_at", BigInteger),
    Column("answer_us", BigInteger),
    Column("code", Integer),
    Column("error", Text),
    belongs_to("trunks", "account_id", "trunk_id"),
    one_of("state", ("unknown", "up", "down")),
)

phone_numbers = Table(
    "phone_numbers",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    # Null: on the trunk of the settings.
    Column("trunk_id", Text),
    # As the carrier writes it.
    Column("phone_number", Text, nullable=False),
    # The same without a leading plus: what is compared.
    Column("digits", Text, nullable=False),
    Column("name", Text),
    Column("e164_check_enabled", Boolean, nullable=False),
    # Who answers; it may be gone.
    Column("agent_id", Text),
    # A month, in 1e-4 cents.
    Column("price", BigInteger, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    belongs_to("accounts", "account_id"),
    ForeignKeyConstraint(["account_id", "trunk_id"], ["trunks.account_id", "trunks.id"], ondelete="CASCADE"),
    UniqueConstraint("account_id", "digits"),
)
Index(None, phone_numbers.c.account_id, phone_numbers.c.trunk_id)
Index(None, phone_numbers.c.account_id, phone_numbers.c.agent_id)
# Whoever is called through the trunk of the settings is known by the number alone.
_OURS = text("trunk_id IS NULL")
Index(
    "ix_phone_numbers_digits",
    phone_numbers.c.digits,
    unique=True,
    sqlite_where=_OURS,
    postgresql_where=_OURS,
)
