"""SQL for the state of the whole installation, for its operator. All of it is cross-account, and reads only indexes."""

from __future__ import annotations

from ringback.store.database import Reader, Row


async def slots(db: Reader) -> list[Row]:
    """account_id, calls, unknown: what counts for the limits of each account, and how much was lost. Cross-account."""
    return await db.fetch_all(
        """
        SELECT account_id, COUNT(*) AS calls, SUM(CASE WHEN state = 'unknown' THEN 1 ELSE 0 END) AS unknown
        FROM attempts WHERE slot_since IS NOT NULL GROUP BY account_id ORDER BY account_id
        """
    )


async def closed_lanes(db: Reader, *, limit: int) -> list[Row]:
    """account_id, kind, key, closed_at, closed_why: what is paused, latest first. Cross-account."""
    return await db.fetch_all(
        """
        SELECT account_id, kind, key, closed_at, closed_why FROM gates WHERE closed = 'paused'
        ORDER BY closed_at DESC LIMIT :limit
        """,
        limit=limit,
    )


async def promised(db: Reader, *, now_us: int, limit: int) -> Row | None:
    """`later`: attempts that wait for a moment to come, counted to the limit; `next_at`: the first. Cross-account."""
    return await db.fetch_one(
        """
        SELECT COUNT(*) AS later, MIN(at_us) AS next_at FROM (
          SELECT a.due_at AS at_us FROM gates g
          JOIN attempts a ON a.account_id = g.account_id AND a.lane = g.key
          WHERE g.kind <> 'account' AND g.next_due_at IS NOT NULL AND g.closed IS NULL
            AND a.state = 'waiting' AND a.due_at > :now LIMIT :limit
        ) AS waiting
        """,
        now=now_us,
        limit=limit,
    )


async def jobs(db: Reader) -> list[Row]:
    """kind, jobs, failing: work beside the calls that is not done. Cross-account."""
    return await db.fetch_all(
        """
        SELECT kind, COUNT(*) AS jobs, SUM(CASE WHEN error IS NULL THEN 0 ELSE 1 END) AS failing
        FROM jobs GROUP BY kind ORDER BY kind
        """
    )


async def limited(db: Reader) -> list[Row]:
    """account_id, kind, key, max_calls, interval_us of whatever has limits of its own. Cross-account."""
    return await db.fetch_all(
        """
        SELECT account_id, kind, key, max_calls, interval_us FROM gates
        WHERE max_calls IS NOT NULL OR interval_us IS NOT NULL ORDER BY account_id, kind, key
        """
    )
