"""Prices, wallets and what is entered in them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
    true,
)

from ringback.store.schema.base import belongs_to, metadata, one_of

LEDGER_ACCOUNTS = ("cash", "wallet", "reserved", "revenue", "written-off")
ENTRY_KINDS = ("top-up", "reserve", "release", "charge", "write-off", "adjust")

# Cents for `per` units of what is used, charged by the started `step`. Of every account: account_id ''; any provider or
# model: '*'. A row is only ever closed (valid_until), so the past can be reckoned again.
prices = Table(
    "prices",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("price", Text, nullable=False),
    Column("per", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    one_of("kind", ("llm", "network", "platform", "synthesizer", "transcriber")),
)

# What an account may spend, and what of it is reserved for calls under way: what the entries amount to, but for those
# that are not counted yet. Sub-accounts have none: their parent pays.
wallets = Table(
    "wallets",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("balance", BigInteger, nullable=False, server_default="0"),
    Column("reserved", BigInteger, nullable=False, server_default="0"),
    # Calls are not held back and nothing is reserved; the balance may be below zero.
    Column("unlimited", Boolean, nullable=False, server_default=true()),
    belongs_to("accounts", "account_id"),
    CheckConstraint("unlimited OR balance >= 0", name="balance"),
    CheckConstraint("reserved >= 0", name="reserved"),
)

# Double entry: an amount goes from the debited to the credited account of the books. Ids rise with time. Append only.
wallet_entries = Table(
    "wallet_entries",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("debit", Text, nullable=False),
    Column("credit", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    # Whose call it was: the account's own, or a sub-account's. The call may have been removed since.
    Column("spender", Text),
    Column("execution_id", Text),
    Column("attempt", Integer),
    Column("note", Text, nullable=False, server_default=""),
    # False: the wallet's balance does not have it yet. Who is not limited only inserts, and waits for nobody.
    Column("counted", Boolean, nullable=False, server_default=true()),
    belongs_to("accounts", "account_id"),
    one_of("kind", ENTRY_KINDS),
    one_of("debit", LEDGER_ACCOUNTS),
    one_of("credit", LEDGER_ACCOUNTS),
    CheckConstraint("amount > 0 AND debit <> credit", name="amount"),
    UniqueConstraint("account_id", "kind", "execution_id", "attempt"),
)
Index(
    "ix_wallet_entries_uncounted",
    wallet_entries.c.account_id,
    wallet_entries.c.id,
    sqlite_where=text("NOT counted"),
    postgresql_where=text("NOT counted"),
)
