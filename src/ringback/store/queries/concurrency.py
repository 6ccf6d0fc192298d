"""SQL for how many calls an account has, and may have."""

from __future__ import annotations

from ringback.store.database import Reader, Row
from ringback.store.queries.gates import OPERATOR


async def of_account(db: Reader, account_id: str, *, seen_since_us: int) -> Row:
    """calls: that count for its limits; max_calls: its own limit, or null; capacity: what the workers that gave a sign
    of life since then hold together, of all accounts."""
    row = await db.fetch_one(
        """
        SELECT
          (SELECT COUNT(*) FROM attempts WHERE account_id = :account_id AND slot_since IS NOT NULL) AS calls,
          (SELECT max_calls FROM gates WHERE account_id = :account_id AND kind = 'account' AND key = '') AS max_calls,
          (SELECT CAST(COALESCE(SUM(capacity), 0) AS BIGINT) FROM workers
           WHERE account_id = :operator AND state = 'serving' AND seen_at >= :since) AS capacity
        """,
        account_id=account_id,
        operator=OPERATOR,
        since=seen_since_us,
    )
    assert row is not None
    return row
