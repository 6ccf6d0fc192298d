"""SQL for the queue: which attempt is due, who holds its lease, whose lease ran out.

Who is served at all is in `gates`. Workers serve every account, so what looks for leases names no account; each
statement that writes does.
"""

from __future__ import annotations

from collections.abc import Sequence

from ringback.store.database import Reader, Row, Transaction

Key = tuple[str, str, int]
"""(account_id, execution_id, number): one attempt."""


# What waits behind open gates.


async def waiting(
    tx: Transaction, account_id: str, lane: str, *, now_us: int, after_seq: int, limit: int
) -> list[Row]:
    """execution_id, number of the first attempts of a lane whose time has come, locked until the transaction ends.

    What was promised for a moment (calls of their own, retries) comes before what is due with its lane (`due_at` 0):
    it would wait behind all of a batch otherwise. Up to `after_seq` all is stopped. The account's gate must be locked.
    """
    where = "account_id = :account_id AND lane = :lane AND state = 'waiting' AND seq > :after_seq"
    rows: list[Row] = []
    for due in ("due_at > 0 AND due_at <= :now", "due_at = 0 AND due_at <= :now"):
        if len(rows) < limit:
            rows += await tx.fetch_all(
                f"""
                SELECT execution_id, number FROM attempts WHERE {where} AND {due}
                ORDER BY due_at, seq LIMIT :limit FOR UPDATE SKIP LOCKED
                """,
                account_id=account_id,
                lane=lane,
                now=now_us,
                after_seq=after_seq,
                limit=limit - len(rows),
            )
    return rows


async def first_due(tx: Transaction, account_id: str, lane: str, *, after_seq: int) -> int | None:
    """When the first attempt that waits in a lane is due; None: none waits."""
    row = await tx.fetch_one(
        """
        SELECT due_at FROM attempts
        WHERE account_id = :account_id AND lane = :lane AND state = 'waiting' AND seq > :after_seq
        ORDER BY due_at, seq LIMIT 1
        """,
        account_id=account_id,
        lane=lane,
        after_seq=after_seq,
    )
    return row["due_at"] if row else None


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


async def agent_changed_at(db: Reader, account_id: str, agent_id: str) -> int | None:
    """None: there is no such agent. Without its definition, which is long."""
    row = await db.fetch_one(
        "SELECT updated_at FROM agents WHERE account_id = :account_id AND id = :agent_id",
        account_id=account_id,
        agent_id=agent_id,
    )
    return row["updated_at"] if row else None


async def forbidden(db: Reader, account_id: str, numbers: Sequence[str]) -> frozenset[str]:
    """Which of them are on the account's do-not-call list."""
    if not numbers:
        return frozenset()
    named = {f"number_{place}": number for place, number in enumerate(numbers)}
    rows = await db.fetch_all(
        f"""
        SELECT number FROM do_not_call
        WHERE account_id = :account_id AND number IN ({", ".join(f":{name}" for name in named)})
        """,
        account_id=account_id,
        **named,
    )
    return frozenset(row["number"] for row in rows)


async def depth(db: Reader, *, now_us: int, limit: int) -> Row:
    """`due`: how many attempts wait although their time has come, counted up to the limit; `oldest`: since when the
    first of them does, None without any. Cross-account."""
    row = await db.fetch_one(
        """
        SELECT COUNT(*) AS due, MIN(since) AS oldest FROM (
          SELECT CASE WHEN a.due_at > g.opens_at THEN a.due_at ELSE g.opens_at END AS since
          FROM gates g CROSS JOIN attempts a -- in this order, which SQLite would not see
          WHERE a.account_id = g.account_id AND a.lane = g.key AND a.state = 'waiting' AND a.due_at <= :now
            AND a.seq > g.stopped_seq AND g.kind <> 'account' AND g.next_due_at IS NOT NULL AND g.next_due_at <= :now
            AND g.opens_at <= :now AND g.closed IS NULL
          LIMIT :limit
        ) AS waiting
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
        SELECT account_id, execution_id, number, state, agent_id, batch_id, seq, due_at, lease_until, answered_at, tries
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
