"""SQL that audits the outbox. All of it is cross-account."""

from __future__ import annotations

from ringback.store.database import Reader, Row

# A subquery of the audit alone, over all accounts.
_STEPS = """(
  SELECT account_id, subject, position, event,
    LAG(event) OVER (PARTITION BY account_id, subject ORDER BY position) AS before,
    LAG(position) OVER (PARTITION BY account_id, subject ORDER BY position) AS position_before
  FROM webhook_deliveries WHERE kind = 'execution'
) AS steps"""


async def untold(db: Reader, *, since_us: int, limit: int) -> list[Row]:
    """account_id, subject, status, moves, `told` (how many) and `newest` (told at last) of executions that were
    not told of as often as their status changed, or not of the last one. Looked at are those created since then whose
    agent has had its URL all the time. Cross-account: for the audit."""
    return await db.fetch_all(
        """
        SELECT e.account_id, e.id AS subject, e.status, e.moves, COUNT(d.position) AS told,
          MAX(CASE WHEN d.position = e.moves THEN d.event END) AS newest
        FROM agents a
        JOIN executions e ON e.account_id = a.account_id AND e.agent_id = a.id
        LEFT JOIN webhook_deliveries d ON d.account_id = e.account_id AND d.subject = e.id
        WHERE a.webhook_url IS NOT NULL AND a.updated_at <= e.seq AND e.seq >= :since AND e.moves > 0
        GROUP BY e.account_id, e.id, e.status, e.moves
        HAVING COUNT(d.position) <> e.moves
          OR COALESCE(MAX(CASE WHEN d.position = e.moves THEN d.event END), '') <> e.status
        LIMIT :limit
        """,
        since=since_us,
        limit=limit,
    )


async def steps(db: Reader) -> list[Row]:
    """`before` and `event`: which statuses were told right after which. Cross-account: for the audit."""
    return await db.fetch_all(
        f"SELECT DISTINCT before, event FROM {_STEPS} WHERE position = position_before + 1"
    )


async def with_step(db: Reader, before: str, event: str, *, limit: int) -> list[Row]:
    """account_id, subject, position, before, event of deliveries that told this. Cross-account: for the audit."""
    return await db.fetch_all(
        f"""
        SELECT account_id, subject, position, before, event FROM {_STEPS}
        WHERE position = position_before + 1 AND before = :before AND event = :event LIMIT :limit
        """,
        before=before,
        event=event,
        limit=limit,
    )
