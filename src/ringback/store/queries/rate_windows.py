"""SQL for rate windows: how many requests of an account a bucket has in the minute under way."""

from __future__ import annotations

from ringback.store.database import Row
from ringback.store.postgresql import PostgresqlDatabase


async def add(db: PostgresqlDatabase, *, account_id: str, bucket: str, minute: int) -> Row:
    """Count one request; the minute that it was counted in and how many that minute has. PostgreSQL only.

    A process whose clock is a little behind counts in the minute that another one has begun. A minute further
    ahead can't be right (a clock was wrong) and gives way, or the account would wait for it.

    One statement and no durable commit: the row is locked for microseconds, and what a crash of the server may
    cost are the counts of its last moments.
    """
    row = await db.write_one(
        """
        INSERT INTO rate_windows (account_id, bucket, minute, requests)
        SELECT CAST(:account_id AS TEXT), CAST(:bucket AS TEXT), CAST(:minute AS BIGINT), 1
        FROM (SELECT set_config('synchronous_commit', 'off', true)) AS for_this_transaction
        ON CONFLICT (account_id, bucket) DO UPDATE SET
            minute = CASE WHEN rate_windows.minute = excluded.minute + 1
                THEN rate_windows.minute ELSE excluded.minute END,
            requests = CASE WHEN rate_windows.minute IN (excluded.minute, excluded.minute + 1)
                THEN rate_windows.requests + 1 ELSE 1 END
        RETURNING minute, requests
        """,
        account_id=account_id,
        bucket=bucket,
        minute=minute,
    )
    assert row is not None
    return row
