"""SQL for the queue: which attempt is due, who holds its lease, whose lease ran out.

Who is served at all is in `gates`. Workers serve every account, so what looks for leases names no account; each
statement that writes does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ringback.store.database import Reader, Row, Transaction

# What is always read of a call with its attempt: who asks for it, and what forbids it.
_ASKED: Final = """
SELECT w.execution_id, w.number, w.agent_id, w.batch_id, w.trunk, w.seq,
  (SELECT g.updated_at FROM agents g WHERE g.account_id = :account_id AND g.id = w.agent_id) AS agent_changed_at,
  (SELECT b.bypass_guardrails FROM batches b WHERE b.account_id = :account_id AND b.id = w.batch_id) AS bypassing,
  EXISTS (
    SELECT 1 FROM executions e JOIN do_not_call d ON d.account_id = e.account_id AND d.number = e.to_number
    WHERE e.account_id = :account_id AND e.id = w.execution_id
  ) AS forbidden
"""

Key = tuple[str, str, int]
"""(account_id, execution_id, number): one attempt."""


# What waits behind open gates.


async def waiting(
    tx: Transaction,
    account_id: str,
    lane: str,
    *,
    now_us: int,
    after_seq: int,
    limit: int,
    full: Sequence[str] = (),
) -> list[Row]:
    """The first attempts of a lane whose time has come, locked until the transaction ends: execution_id, number,
    agent_id, batch_id, trunk, seq, agent_changed_at, bypassing (its batch is dialled at any hour), forbidden (it is on
    the account's do-not-call list).

    What was promised for a moment (calls of their own, retries) comes before what is due with its lane (`due_at` 0):
    it would wait behind all of a batch otherwise. Up to `after_seq` all is stopped; what is to leave by a trunk that is
    `full` is passed over. The account's gate must be locked.
    """
    passed = {f"full_{place}": name for place, name in enumerate(full)}
    others = f"AND trunk NOT IN ({', '.join(f':{name}' for name in passed)})" if passed else ""
    first = """
        SELECT execution_id, number, agent_id, batch_id, trunk, seq, due_at FROM attempts
        WHERE account_id = :account_id AND lane = :lane AND state = 'waiting' AND seq > :after_seq
          AND due_at <= :now AND {promised} {others} ORDER BY due_at, seq LIMIT :limit FOR UPDATE SKIP LOCKED
    """
    return await tx.fetch_all(
        f"""
        {_ASKED} FROM (
          SELECT 0 AS turn, promised.* FROM ({first.format(promised="due_at > 0", others=others)}) AS promised
          UNION ALL SELECT 1 AS turn, others.* FROM ({first.format(promised="due_at = 0", others=others)}) AS others
          ORDER BY turn, due_at, seq LIMIT :limit
        ) AS w ORDER BY w.turn, w.due_at, w.seq
        """,
        account_id=account_id,
        lane=lane,
        now=now_us,
        after_seq=after_seq,
        limit=limit,
        **passed,
    )


async def late_lanes(db: Reader) -> list[Row]:
    """account_id, lane of what waits behind a hint that is too late, which there should not be: for repair.

    Reads the index of all that waits to its end. Cross-account.
    """
    return await db.fetch_all(
        """
        SELECT w.account_id, w.lane FROM (
          SELECT account_id, lane, MIN(due_at) AS due_us FROM attempts
          WHERE state = 'waiting' GROUP BY account_id, lane
        ) AS w
        LEFT JOIN gates g ON g.account_id = w.account_id AND g.kind IN ('agent', 'batch') AND g.key = w.lane
        LEFT JOIN gates a ON a.account_id = w.account_id AND a.kind = 'account' AND a.key = ''
        WHERE g.key IS NULL OR (g.closed IS NULL AND (
          g.next_due_at IS NULL OR g.next_due_at > w.due_us OR a.next_due_at IS NULL
          OR (a.next_due_at > g.next_due_at AND a.next_due_at > g.opens_at)))
        """
    )


async def first_waiting(tx: Transaction, account_id: str, lane: str) -> Row | None:
    """agent_id, batch_id, seq, due_at of the first that waits in a lane: what `gates.offer` asks for."""
    return await tx.fetch_one(
        """
        SELECT agent_id, batch_id, seq, due_at FROM attempts
        WHERE account_id = :account_id AND lane = :lane AND state = 'waiting' ORDER BY due_at, seq LIMIT 1
        """,
        account_id=account_id,
        lane=lane,
    )


async def last_ends(
    tx: Transaction, account_id: str, batch_id: str, *, after_us: int, limit: int
) -> list[str]:
    """What became of the last attempts of a batch that ended after a moment, newest first; not of the stopped."""
    rows = await tx.fetch_all(
        """
        SELECT status FROM attempts
        WHERE account_id = :account_id AND batch_id IS NOT NULL AND batch_id = :batch_id AND ended_at > :after
          AND status IS NOT NULL AND status NOT IN ('stopped', 'canceled')
        ORDER BY ended_at DESC LIMIT :limit
        """,
        account_id=account_id,
        batch_id=batch_id,
        after=after_us,
        limit=limit,
    )
    return [row["status"] for row in rows]


async def forbidden(db: Reader, account_id: str, number: str) -> bool:
    """Whether it is on the account's do-not-call list."""
    row = await db.fetch_one(
        "SELECT number FROM do_not_call WHERE account_id = :account_id AND number = :number",
        account_id=account_id,
        number=number,
    )
    return row is not None


async def depth(db: Reader, *, now_us: int, limit: int) -> Row:
    """`due`: how many attempts wait although their time has come, counted up to the limit in each lane; `oldest`:
    since when the first of them does, None without any. Cross-account."""
    # Lane by lane and in order: otherwise PostgreSQL reads the table from its beginning where most of it is due.
    row = await db.fetch_one(
        """
        SELECT CAST(COALESCE(SUM(due), 0) AS BIGINT) AS due,
          MIN(CASE WHEN first_at < opens_at THEN opens_at ELSE first_at END) AS oldest
        FROM (
          SELECT g.opens_at,
            (SELECT COUNT(*) FROM (
               SELECT 1 FROM attempts a WHERE a.account_id = g.account_id AND a.lane = g.key
                 AND a.state = 'waiting' AND a.due_at <= :now AND a.seq > g.stopped_seq
               ORDER BY a.due_at LIMIT :limit) AS found) AS due,
            (SELECT a.due_at FROM attempts a WHERE a.account_id = g.account_id AND a.lane = g.key
               AND a.state = 'waiting' AND a.due_at <= :now AND a.seq > g.stopped_seq
             ORDER BY a.due_at LIMIT 1) AS first_at
          FROM gates g
          WHERE g.kind <> 'account' AND g.next_due_at IS NOT NULL AND g.next_due_at <= :now
            AND g.opens_at <= :now AND g.closed IS NULL
        ) AS lanes
        """,
        now=now_us,
        limit=limit,
    )
    assert row is not None
    return row


async def is_free(tx: Transaction, key: Key) -> bool:
    """Nobody else had locked the attempt; it is ours until the transaction ends."""
    return (
        await tx.fetch_one(
            """
        SELECT number FROM attempts
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number FOR UPDATE SKIP LOCKED
        """,
            **_named(key),
        )
        is not None
    )


async def wait(tx: Transaction, key: Key, *, owner: str | None = None) -> bool:
    """A claim that led to no dial goes back to the queue; False: it was no claim (of `owner`) any more.

    The hints must be lowered first, in the same transaction (`gates.offer`).
    """
    return (
        await tx.execute(
            """
        UPDATE attempts SET state = 'waiting', lease_owner = NULL, lease_until = NULL, slot_since = NULL
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number AND state = 'claimed'
          AND lease_owner = COALESCE(CAST(:owner AS TEXT), lease_owner)
        """,
            **_named(key),
            owner=owner,
        )
        == 1
    )


# Leases.


async def claim(tx: Transaction, keys: Sequence[Key], *, owner: str, now_us: int, until_us: int) -> None:
    """Lease what `waiting` gave; it counts for the limits from now on."""
    await tx.execute_many(
        """
        UPDATE attempts SET state = 'claimed', lease_owner = :owner, lease_until = :until, slot_since = :now
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number AND state = 'waiting'
        """,
        [_named(key) | {"owner": owner, "now": now_us, "until": until_us} for key in keys],
    )


async def abandon(tx: Transaction, key: Key, *, now_us: int) -> None:
    """An attempt that waits although its execution goes on without it (a bug) is over: others get their turn."""
    await tx.execute(
        """
        UPDATE attempts SET state = 'done', ended_at = :now, slot_since = NULL, lease_owner = NULL, lease_until = NULL
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number
        """,
        **_named(key),
        now=now_us,
    )


async def adopt(tx: Transaction, key: Key, *, owner: str, now_us: int, until_us: int, tries: int) -> bool:
    """Take over a live call whose lease ran out; its slot is free. False: it was renewed or taken meanwhile."""
    return (
        await tx.execute(
            """
        UPDATE attempts SET lease_owner = :owner, lease_until = :until, tries = :tries, slot_since = NULL
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number
          AND state = 'live' AND lease_until < :now
        """,
            **_named(key),
            owner=owner,
            now=now_us,
            until=until_us,
            tries=tries,
        )
        == 1
    )


async def renew(tx: Transaction, keys: Sequence[Key], *, owner: str, until_us: int) -> None:
    """Prolong the leases of a worker that are still its own; never shorten one. Cross-account.

    Those that somebody is just writing to wait for the next round: who holds one attempt and waits for another could
    close a circle with an intent (gate, then attempt) and an end that opens a retry (attempt, then gate).
    """
    free = await tx.fetch_all(
        """
        SELECT account_id, execution_id, number FROM attempts
        WHERE lease_owner = :owner AND state IN ('claimed', 'dialling', 'live') FOR UPDATE SKIP LOCKED
        """,
        owner=owner,
    )
    still = {(row["account_id"], row["execution_id"], row["number"]) for row in free}
    await tx.execute_many(
        """
        UPDATE attempts SET lease_until = CASE WHEN lease_until > :until THEN lease_until ELSE :until END
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number
          AND lease_owner = :owner AND state IN ('claimed', 'dialling', 'live')
        """,
        [_named(key) | {"owner": owner, "until": until_us} for key in keys if key in still],
    )


async def held(db: Reader, *, owner: str) -> list[Row]:
    """What a worker holds, and which of it shall be cancelled. Cross-account."""
    return await db.fetch_all(
        """
        SELECT account_id, execution_id, number, cancel_requested FROM attempts
        WHERE lease_owner = :owner AND state IN ('claimed', 'dialling', 'live')
        """,
        owner=owner,
    )


async def expired(tx: Reader, *, now_us: int, limit: int) -> list[Row]:
    """Attempts whose worker gave no sign of life, longest first; not locked. Cross-account."""
    return await tx.fetch_all(
        """
        SELECT account_id, execution_id, number, state, agent_id, batch_id, seq, due_at, lease_until, answered_at,
            ended_at, tries
        FROM attempts WHERE lease_until IS NOT NULL AND lease_until < :now ORDER BY lease_until LIMIT :limit
        """,
        now=now_us,
        limit=limit,
    )


async def still_expired(tx: Transaction, key: Key, *, now_us: int) -> Row | None:
    """state of an attempt, locked, if its lease has run out."""
    return await tx.fetch_one(
        """
        SELECT state FROM attempts
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number
          AND lease_until IS NOT NULL AND lease_until < :now FOR UPDATE
        """,
        **_named(key),
        now=now_us,
    )


# Dials of unknown outcome: they keep their slot until it is known that nobody talks.


async def unreconciled(db: Reader, *, before_us: int, limit: int) -> list[Row]:
    """Dials that were lost, from before a moment. Cross-account."""
    return await db.fetch_all(
        """
        SELECT account_id, execution_id, number FROM attempts
        WHERE state = 'unknown' AND slot_since IS NOT NULL AND dialled_at < :before
        ORDER BY dialled_at LIMIT :limit
        """,
        before=before_us,
        limit=limit,
    )


async def reconcile(tx: Transaction, key: Key, *, sip_code: int | None) -> bool:
    """Free the slot of a dial that was lost; False: it is free."""
    return (
        await tx.execute(
            """
        UPDATE attempts SET slot_since = NULL, sip_code = COALESCE(CAST(:sip_code AS INTEGER), sip_code)
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number
          AND state = 'unknown' AND slot_since IS NOT NULL
        """,
            **_named(key),
            sip_code=sip_code,
        )
        == 1
    )


def _named(key: Key) -> dict[str, object]:
    return dict(zip(("account_id", "execution_id", "number"), key, strict=True))
