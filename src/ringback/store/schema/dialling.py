"""The queue: attempts, what holds them back (gates), batches, and the jobs and keys around them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint, text

from ringback.store.schema.base import (
    ATTEMPT_STATES,
    EXECUTION_STATUSES,
    belongs_to,
    metadata,
    of_execution,
    one_of,
)

BATCH_STATES = ("created", "processed", "scheduled", "completed", "stopped", "failed", "deleted")


def _partial(name: str, where: str, *columns: Column[object]) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


attempts = Table(
    "attempts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("execution_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    # 0: as soon as its lane is open (first attempts of a batch).
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
    Column("recording_sha256", Text),
    Column("conversation_ms", BigInteger, nullable=False),
    # Copies of the execution's, so that the claim joins nothing.
    Column("agent_id", Text, nullable=False),
    Column("batch_id", Text),
    # What is first come, first served inside: its batch, else its agent.
    Column("lane", Text, nullable=False),
    Column("trunk", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    # It counts for the limits since then; null: it doesn't.
    Column("slot_since", BigInteger),
    # The moment that the rate limits granted it.
    Column("dial_at", BigInteger),
    # Of its after-call work.
    Column("tries", Integer, nullable=False, server_default="0"),
    # Of its payer's wallet, when it was dialled.
    Column("reserved", BigInteger, nullable=False, server_default="0"),
    # JSON, an array: how it was handed over to others. Null: it was not.
    Column("transfers", Text),
    Column("transfer_token", Text),
    # JSON: the usage lines of a call under way, of which none is billed yet.
    Column("metered", Text),
    of_execution(),
    one_of("state", ATTEMPT_STATES),
    one_of("status", EXECUTION_STATUSES),
)
_partial(
    "ix_attempts_waiting",
    "state = 'waiting'",
    attempts.c.account_id,
    attempts.c.lane,
    attempts.c.due_at,
    attempts.c.seq,
)
_partial(
    "ix_attempts_slots",
    "slot_since IS NOT NULL",
    attempts.c.account_id,
    attempts.c.lane,
    attempts.c.agent_id,
    attempts.c.trunk,
    attempts.c.state,
)
_partial("ix_attempts_trunk", "slot_since IS NOT NULL", attempts.c.trunk)
# Of workers, who serve every account: whose lease ran out, what one holds, what was never reconciled.
_partial("ix_attempts_lease", "lease_until IS NOT NULL", attempts.c.lease_until)
_partial("ix_attempts_owner", "lease_owner IS NOT NULL", attempts.c.lease_owner)
_partial("ix_attempts_unknown", "state = 'unknown' AND slot_since IS NOT NULL", attempts.c.dialled_at)
_partial(
    "ix_attempts_batch",
    "batch_id IS NOT NULL",
    attempts.c.account_id,
    attempts.c.batch_id,
    attempts.c.ended_at,
)
Index(None, attempts.c.account_id, attempts.c.ended_at)
# Whoever holds the link of a recording needs no key, so no account is known.
Index(None, attempts.c.recording_token, unique=True)
_partial("ix_attempts_transfer_token", "transfer_token IS NOT NULL", attempts.c.transfer_token)

# What holds attempts back: a limit, a rate, a lane or all three. The key is '' (account), an agent's or a batch's id.
gates = Table(
    "gates",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    # Null: the default of the settings for the account, unlimited for others.
    Column("max_calls", Integer),
    Column("interval_us", BigInteger),
    # Theoretical arrival time of the rate limit (GCRA): earliest moment of the next dial.
    Column("tat_us", BigInteger, nullable=False, server_default="0"),
    Column("opens_at", BigInteger, nullable=False, server_default="0"),
    # Of what waits behind it: may be too early, is never too late. Null: nothing waits.
    Column("next_due_at", BigInteger),
    Column("served_at", BigInteger, nullable=False, server_default="0"),
    Column("closed", Text),
    Column("closed_at", BigInteger),
    Column("closed_why", Text),
    # Nothing up to this seq is dialled any more.
    Column("stopped_seq", BigInteger, nullable=False, server_default="0"),
    belongs_to("accounts", "account_id"),
    one_of("kind", ("account", "agent", "batch")),
    one_of("closed", ("paused", "stopped")),
)
_partial("ix_gates_due", "kind = 'account' AND next_due_at IS NOT NULL", gates.c.next_due_at)
_partial(
    "ix_gates_lanes", "kind <> 'account' AND next_due_at IS NOT NULL", gates.c.account_id, gates.c.next_due_at
)

# Trunks are the installation's, shared by all accounts: account_id is '' (`queries.gates.OPERATOR`).
trunk_gates = Table(
    "trunk_gates",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("max_calls", Integer),
    Column("interval_us", BigInteger),
    Column("tat_us", BigInteger, nullable=False, server_default="0"),
)

# "running" is derived: its gate has been served.
batches = Table(
    "batches",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("agent_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("from_numbers", Text, nullable=False),
    Column("retry_config", Text),
    Column("webhook_url", Text),
    Column("bypass_guardrails", Boolean, nullable=False),
    # A number that stands in the file twice is dialled for its first line only.
    Column("dial_once", Boolean, nullable=False),
    Column("scheduled_at", BigInteger),
    Column("processed_at", BigInteger),
    # How far the file has been read.
    Column("lines_done", BigInteger, nullable=False, server_default="0"),
    Column("bytes_done", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger, nullable=False, server_default="0"),
    Column("valid", BigInteger, nullable=False, server_default="0"),
    Column("duplicates", BigInteger, nullable=False, server_default="0"),
    Column("failure", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    belongs_to("agents", "account_id", "agent_id"),
    one_of("state", BATCH_STATES),
)
Index("ix_batches_agent", batches.c.account_id, batches.c.agent_id, batches.c.created_at.desc())

# Lines that are not dialled, and why; the first ones of a file, `queries.batch_faults` says how many.
batch_faults = Table(
    "batch_faults",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("batch_id", Text, primary_key=True),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Text),
    Column("reason", Text, nullable=False),
    belongs_to("batches", "account_id", "batch_id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    # The id of the batch (intake), the key of the lane (sweep).
    Column("subject", Text, nullable=False),
    # Where the file lies; null: any machine can do it.
    Column("machine", Text),
    Column("due_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    Column("error", Text),
    belongs_to("accounts", "account_id"),
    one_of("kind", ("intake", "sweep")),
    UniqueConstraint("account_id", "kind", "subject"),
)
Index("ix_jobs_due", jobs.c.due_at)

do_not_call = Table(
    "do_not_call",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("reason", Text),
    Column("created_at", BigInteger, nullable=False),
    belongs_to("accounts", "account_id"),
)

# What was answered to a request with an Idempotency-Key.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("route", Text, nullable=False),
    # A hash of what was asked.
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    belongs_to("accounts", "account_id"),
)
Index(None, idempotency_keys.c.created_at)

# Call workers that gave a sign of life lately; account_id is '' as for trunks.
workers = Table(
    "workers",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("machine", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("address", Text),
    Column("capacity", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("lateness_us", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    one_of("state", ("serving", "draining")),
)
