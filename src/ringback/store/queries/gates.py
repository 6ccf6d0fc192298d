"""SQL for gates: what holds attempts back (limits, rates, stops), and the hint when somebody must look behind one.

An account has one gate, each of its agents and batches another; what waits behind these is a lane. A hint
(`next_due_at`) may be too early, never too late: whatever puts an attempt into `waiting` calls `offer` in the same
transaction, and only who holds the account's gate (`lock`) may raise one.

Locks are taken in this order, here and everywhere: accounts, batches, the account's gate, the trunk's, the agent's, the
batch's; then attempts, then executions. Who lets nobody pass any more takes FOR UPDATE, which waits for the intents on
their way (FOR KEY SHARE) and keeps new ones out; all others take FOR NO KEY UPDATE, and pass intents by: on PostgreSQL
a stream of intents would keep the claims of other workers waiting. Trunks are in `trunk_gates`, rates in `rates`.
"""

from __future__ import annotations

from typing import Final

from ringback.store.database import Reader, Row, Transaction

OPERATOR: Final = ""
"""The account_id of what belongs to the installation."""

NEVER_US: Final = 2**62
"""`opens_at` of a batch that is not scheduled, or not read to its end."""

SKEW_US: Final = 5_000_000
"""A theoretical arrival time further ahead than this and its interval was written by a clock that is wrong."""

_GATE: Final = """
account_id, kind, key, max_calls, interval_us, tat_us, opens_at, next_due_at, served_at, closed, closed_at, closed_why,
stopped_seq
"""
_THE_GATE: Final = f"SELECT {_GATE} FROM gates WHERE account_id = :account_id AND kind = :kind AND key = :key"
_OPEN_AND_DUE: Final = """
kind <> 'account' AND next_due_at IS NOT NULL AND next_due_at <= :now AND opens_at <= :now AND closed IS NULL
"""
_AGENT: Final = """
CASE WHEN gates.kind = 'agent' THEN gates.key ELSE (
  SELECT w.agent_id FROM attempts w
  WHERE w.account_id = gates.account_id AND w.lane = gates.key AND w.state = 'waiting' ORDER BY w.due_at, w.seq LIMIT 1
) END
"""
"""Whose calls wait in a lane: those of a batch are all of one agent."""


# Who is next.


async def due_accounts(
    db: Reader,
    *,
    now_us: int,
    horizon_us: int,
    default_calls: int | None,
    default_interval_us: int | None = None,
    limit: int,
) -> list[str]:
    """Accounts with something to dial and room for it, least recently served first; a look without locks.

    `default_calls`, `default_interval_us`: the limits of accounts without their own, None: unlimited. Left out is who
    may not dial within the horizon, unless a clock that was wrong says so. Cross-account.
    """
    rows = await db.fetch_all(
        """
        SELECT g.account_id FROM gates g
        WHERE g.kind = 'account' AND g.next_due_at IS NOT NULL AND g.next_due_at <= :now AND g.closed IS NULL
          AND (g.tat_us <= :latest
            OR g.tat_us > :insane + COALESCE(g.interval_us, CAST(:default_interval AS BIGINT), 0))
          AND (COALESCE(g.max_calls, CAST(:default_calls AS INTEGER)) IS NULL
            OR COALESCE(g.max_calls, CAST(:default_calls AS INTEGER)) > (
              SELECT COUNT(*) FROM attempts a WHERE a.account_id = g.account_id AND a.slot_since IS NOT NULL))
        ORDER BY g.served_at, g.account_id LIMIT :limit
        """,
        now=now_us,
        latest=now_us + horizon_us,
        insane=now_us + SKEW_US,
        default_interval=default_interval_us,
        default_calls=default_calls,
        limit=limit,
    )
    return [row["account_id"] for row in rows]


async def next_look(db: Reader, *, now_us: int, horizon_us: int) -> int | None:
    """When to look again without being woken: something will be due, or what is due may be dialled. None: no need.

    What is due and only waits for a slot needs no timer: the end of a call wakes. Cross-account.
    """
    row = await db.fetch_one(
        """
        SELECT at_us FROM (
          SELECT at_us FROM (
            SELECT next_due_at AS at_us FROM gates
            WHERE kind = 'account' AND next_due_at IS NOT NULL AND next_due_at > :now AND closed IS NULL
            ORDER BY next_due_at LIMIT 1
          ) AS due
          UNION ALL
          SELECT tat_us - :horizon AS at_us FROM gates
          WHERE kind = 'account' AND next_due_at IS NOT NULL AND next_due_at <= :now AND closed IS NULL
            AND tat_us - :horizon > :now
          UNION ALL
          SELECT tat_us - :horizon AS at_us FROM trunk_gates WHERE tat_us - :horizon > :now
        ) AS moments ORDER BY at_us LIMIT 1
        """,
        now=now_us,
        horizon=horizon_us,
    )
    return row["at_us"] if row else None


async def lock(tx: Transaction, account_id: str, kind: str, key: str = "") -> Row | None:
    """A gate; nobody else changes it until the transaction ends. Claims of an account wait here."""
    return await tx.fetch_one(f"{_THE_GATE} FOR NO KEY UPDATE", account_id=account_id, kind=kind, key=key)


async def lanes_due(tx: Transaction, account_id: str, *, now_us: int, limit: int) -> list[Row]:
    """The open agents' and batches' gates with something due, least recently served first, locked; with them whose
    calls wait there (`agent_id`), and that agent's limit over all its lanes (`agent_calls`).

    The account's gate must be locked.
    """
    # Locked in the order of all others, agents before batches, which is not that of fairness.
    rows = await tx.fetch_all(
        f"""
        SELECT {_GATE}, {_AGENT} AS agent_id, (
          SELECT a.max_calls FROM gates a
          WHERE a.account_id = gates.account_id AND a.kind = 'agent' AND a.key = {_AGENT}
        ) AS agent_calls
        FROM gates WHERE account_id = :account_id AND {_OPEN_AND_DUE} AND key IN (
          SELECT key FROM gates WHERE account_id = :account_id AND {_OPEN_AND_DUE}
          ORDER BY served_at, key LIMIT :limit
        ) ORDER BY kind, key FOR NO KEY UPDATE
        """,
        account_id=account_id,
        now=now_us,
        limit=limit,
    )
    return sorted(rows, key=lambda row: (row["served_at"], row["key"]))


async def slots(tx: Transaction, account_id: str) -> list[Row]:
    """lane, agent_id, trunk, state, n: what counts for the limits of an account. Its gate must be locked."""
    return await tx.fetch_all(
        """
        SELECT lane, agent_id, trunk, state, COUNT(*) AS n FROM attempts
        WHERE account_id = :account_id AND slot_since IS NOT NULL GROUP BY lane, agent_id, trunk, state
        """,
        account_id=account_id,
    )


async def lane_served(tx: Transaction, account_id: str, kind: str, key: str, *, now_us: int) -> None:
    """It had its turn; its hint becomes when the first that waits there is due. The account's gate must be locked."""
    await tx.execute(
        """
        UPDATE gates SET served_at = :now, next_due_at = (
          SELECT a.due_at FROM attempts a
          WHERE a.account_id = gates.account_id AND a.lane = gates.key AND a.state = 'waiting'
            AND a.seq > gates.stopped_seq ORDER BY a.due_at, a.seq LIMIT 1
        ) WHERE account_id = :account_id AND kind = :kind AND key = :key
        """,
        account_id=account_id,
        kind=kind,
        key=key,
        now=now_us,
    )


async def account_served(tx: Transaction, account_id: str, *, now_us: int) -> None:
    """As `lane_served`, after it: when the first of the open lanes opens and has something due."""
    await tx.execute(
        """
        UPDATE gates SET served_at = :now, next_due_at = (
          SELECT CASE WHEN l.opens_at > l.next_due_at THEN l.opens_at ELSE l.next_due_at END AS due_us FROM gates l
          WHERE l.account_id = gates.account_id AND l.kind <> 'account' AND l.next_due_at IS NOT NULL
            AND l.closed IS NULL ORDER BY due_us LIMIT 1
        ) WHERE account_id = :account_id AND kind = 'account' AND key = ''
        """,
        account_id=account_id,
        now=now_us,
    )


# What puts something behind a gate.


async def offer(
    tx: Transaction, account_id: str, agent_id: str, batch_id: str | None, *, seq: int, due_us: int
) -> bool:
    """Tell that an attempt waits from `due_us` on, in the transaction that makes it wait.

    False, and nothing has changed: its lane is stopped, it must not wait. Locks the gates until the transaction ends.
    """
    account = await _held(tx, account_id, "account", "")
    lane = await _held(tx, account_id, "agent", agent_id)
    if _stopped(lane, seq):
        return False
    if batch_id is not None:
        lane = await _held(tx, account_id, "batch", batch_id)
        if _stopped(lane, seq):
            return False
    await _lower(tx, lane, due_us)
    await _lower(tx, account, max(due_us, lane["opens_at"]))
    return True


# Before a packet leaves.


async def share(
    tx: Transaction,
    account_id: str,
    agent_id: str,
    batch_id: str | None,
    trunk: str,
    default_interval_us: int | None,
) -> list[Row]:
    """kind, interval_us, tat_us, closed, opens_at, stopped_seq of what a dial passes, in the order of the locks: the
    account's gate and the trunk's where they have a rate, the agent's, the batch's. Until the transaction ends nobody
    else gets a moment of these rates, and nobody closes a lane.

    `default_interval_us`: of accounts without a rate of their own.
    """
    return await tx.fetch_all(
        """
        SELECT * FROM (
          SELECT kind, COALESCE(interval_us, CAST(:default_interval AS BIGINT)) AS interval_us, tat_us,
            closed, opens_at, stopped_seq FROM gates
          WHERE account_id = :account_id AND kind = 'account' AND key = ''
            AND COALESCE(interval_us, CAST(:default_interval AS BIGINT)) IS NOT NULL FOR NO KEY UPDATE
        ) AS account
        UNION ALL SELECT * FROM (
          SELECT 'trunk' AS kind, interval_us, tat_us, CAST(NULL AS TEXT) AS closed, 0 AS opens_at, 0 AS stopped_seq
          FROM trunk_gates
          WHERE account_id = :operator AND name = :trunk AND interval_us IS NOT NULL FOR NO KEY UPDATE
        ) AS trunk
        UNION ALL SELECT * FROM (
          SELECT kind, CAST(NULL AS BIGINT) AS interval_us, 0 AS tat_us, closed, opens_at, stopped_seq FROM gates
          WHERE (account_id = :account_id AND kind = 'agent' AND key = :agent_id)
            OR (account_id = :account_id AND kind = 'batch' AND key = :batch_id)
          ORDER BY kind FOR KEY SHARE
        ) AS lanes
        """,
        account_id=account_id,
        agent_id=agent_id,
        batch_id=batch_id,
        operator=OPERATOR,
        trunk=trunk,
        default_interval=default_interval_us,
    )


# What opens and closes a gate, and its limits.


async def get(db: Reader, account_id: str, kind: str, key: str = "") -> Row | None:
    return await db.fetch_one(_THE_GATE, account_id=account_id, kind=kind, key=key)


async def set_limits(
    tx: Transaction, account_id: str, kind: str, key: str, *, max_calls: int | None, interval_us: int | None
) -> None:
    """None: as the settings say (account), unlimited (others)."""
    await _held(tx, account_id, kind, key)
    await tx.execute(
        """
        UPDATE gates SET max_calls = :max_calls, interval_us = :interval_us
        WHERE account_id = :account_id AND kind = :kind AND key = :key
        """,
        account_id=account_id,
        kind=kind,
        key=key,
        max_calls=max_calls,
        interval_us=interval_us,
    )


async def close(
    tx: Transaction, account_id: str, kind: str, key: str, *, how: str, why: str, now_us: int
) -> None:
    """Nothing passes from now on; `how` is 'paused' (what waits keeps its place) or 'stopped' (for good)."""
    await _barred(tx, account_id, kind, key)
    await tx.execute(
        """
        UPDATE gates SET closed = :how, closed_at = :now, closed_why = :why,
          next_due_at = CASE WHEN :how = 'stopped' THEN NULL ELSE next_due_at END
        WHERE account_id = :account_id AND kind = :kind AND key = :key
        """,
        account_id=account_id,
        kind=kind,
        key=key,
        how=how,
        why=why,
        now=now_us,
    )


async def stop_agent(tx: Transaction, account_id: str, agent_id: str) -> int:
    """No call of the agent that exists now is dialled any more; later ones are. The last seq that is stopped."""
    await _barred(tx, account_id, "agent", agent_id)
    row = await tx.fetch_one(
        """
        UPDATE gates SET stopped_seq = (SELECT last_seq FROM accounts WHERE account_id = :account_id)
        WHERE account_id = :account_id AND kind = 'agent' AND key = :agent_id RETURNING stopped_seq
        """,
        account_id=account_id,
        agent_id=agent_id,
    )
    assert row is not None
    stopped: int = row["stopped_seq"]
    return stopped


async def open_at(tx: Transaction, account_id: str, batch_id: str, opens_at_us: int) -> None:
    """Let a batch begin at a moment (NEVER_US: not yet), or go on after it was paused. A stopped one stays so."""
    account = await _held(tx, account_id, "account", "")
    await _barred(tx, account_id, "batch", batch_id)
    row = await tx.fetch_one(
        """
        UPDATE gates SET opens_at = :opens_at, closed = NULL, closed_at = NULL, closed_why = NULL
        WHERE account_id = :account_id AND kind = 'batch' AND key = :batch_id
          AND (closed IS NULL OR closed = 'paused')
        RETURNING next_due_at
        """,
        account_id=account_id,
        batch_id=batch_id,
        opens_at=opens_at_us,
    )
    if row is not None and row["next_due_at"] is not None:
        await _lower(tx, account, max(opens_at_us, row["next_due_at"]))


async def remove(tx: Transaction, account_id: str, kind: str, key: str) -> None:
    """Its agent or batch is gone."""
    await tx.execute(
        "DELETE FROM gates WHERE account_id = :account_id AND kind = :kind AND key = :key",
        account_id=account_id,
        kind=kind,
        key=key,
    )


async def _held(tx: Transaction, account_id: str, kind: str, key: str) -> Row:
    """As `lock`, of a gate that need not exist yet."""
    found = await lock(tx, account_id, kind, key)
    if found is None:
        await tx.execute(
            """
            INSERT INTO gates (account_id, kind, key) VALUES (:account_id, :kind, :key)
            ON CONFLICT (account_id, kind, key) DO NOTHING
            """,
            account_id=account_id,
            kind=kind,
            key=key,
        )
        found = await lock(tx, account_id, kind, key)
    assert found is not None
    return found


async def _barred(tx: Transaction, account_id: str, kind: str, key: str) -> None:
    """As `_held`, once no intent is on its way through the gate; none passes until the transaction ends."""
    await _held(tx, account_id, kind, key)
    await tx.fetch_one(f"{_THE_GATE} FOR UPDATE", account_id=account_id, kind=kind, key=key)


async def _lower(tx: Transaction, gate: Row, due_us: int) -> None:
    """Let the hint of a locked gate be no later than `due_us`."""
    if gate["next_due_at"] is not None and gate["next_due_at"] <= due_us:
        return
    await tx.execute(
        """
        UPDATE gates SET next_due_at = :due WHERE account_id = :account_id AND kind = :kind AND key = :key
        """,
        account_id=gate["account_id"],
        kind=gate["kind"],
        key=gate["key"],
        due=due_us,
    )


def _stopped(gate: Row, seq: int) -> bool:
    return bool(gate["closed"] == "stopped" or seq <= gate["stopped_seq"])
