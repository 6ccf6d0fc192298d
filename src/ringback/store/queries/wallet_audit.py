"""SQL for the audit of wallets: what their entries do not give. Cross-account, all of it: for the operator.

As in `audit`: account_id, subject and the columns that contradict each other, at most `limit` rows.
"""

from __future__ import annotations

from typing import Final

from ringback.store.database import Reader, Row


def _sum(name: str, condition: str) -> str:
    return f"CAST(SUM(CASE WHEN {condition} THEN amount ELSE 0 END) AS BIGINT) AS {name}"


_ENTERED: Final = f"""
spender, execution_id, attempt, {_sum("reserved", "kind = 'reserve'")}, {_sum("released", "kind = 'release'")},
  {_sum("paid", "kind = 'charge'")}, {_sum("written_off", "kind = 'write-off'")}
FROM wallet_entries WHERE execution_id IS NOT NULL GROUP BY spender, execution_id, attempt
"""


async def balances(db: Reader, limit: int) -> list[Row]:
    """Wallets that are not what their entries give; those that are not counted yet are not in the balance.
    Cross-account."""
    return await db.fetch_all(
        """
        SELECT w.account_id, w.account_id AS subject, w.balance, w.reserved, w.unlimited,
          COALESCE(e.balance, 0) AS entered_balance, COALESCE(e.reserved, 0) AS entered_reserved
        FROM wallets w LEFT JOIN (
          SELECT account_id,
            CAST(SUM(CASE WHEN NOT counted THEN 0 WHEN credit = 'wallet' THEN amount
              WHEN debit = 'wallet' THEN -amount ELSE 0 END) AS BIGINT) AS balance,
            CAST(SUM(CASE WHEN credit = 'reserved' THEN amount WHEN debit = 'reserved' THEN -amount ELSE 0 END)
              AS BIGINT) AS reserved
          FROM wallet_entries GROUP BY account_id
        ) AS e ON e.account_id = w.account_id
        WHERE w.balance <> COALESCE(e.balance, 0) OR w.reserved <> COALESCE(e.reserved, 0)
          OR (NOT w.unlimited AND w.balance < 0)
        LIMIT :limit
        """,
        limit=limit,
    )


async def reservations(db: Reader, limit: int) -> list[Row]:
    """Attempts whose entries have another reservation than they, or that are over (or were removed) and have it still,
    or are under way and have it no more. Cross-account."""
    return await db.fetch_all(
        f"""
        SELECT e.spender AS account_id, e.execution_id AS subject, e.attempt, a.status, a.reserved AS attempt_reserved,
          e.reserved, e.released
        FROM (SELECT {_ENTERED}) AS e LEFT JOIN attempts a
          ON a.account_id = e.spender AND a.execution_id = e.execution_id AND a.number = e.attempt
        WHERE e.reserved <> COALESCE(a.reserved, e.reserved)
          OR e.released <> CASE WHEN a.number IS NULL OR a.status IS NOT NULL THEN e.reserved ELSE 0 END
        UNION ALL
        SELECT a.account_id, a.execution_id, a.number, a.status, a.reserved, 0, 0 FROM attempts a
        WHERE a.reserved > 0 AND NOT EXISTS (
          SELECT 1 FROM wallet_entries e WHERE e.spender = a.account_id AND e.execution_id = a.execution_id
            AND e.attempt = a.number AND e.kind = 'reserve'
            AND e.account_id = (SELECT COALESCE(c.parent_id, c.account_id) FROM accounts c
                                WHERE c.account_id = a.account_id))
        LIMIT :limit
        """,
        limit=limit,
    )


async def charges(db: Reader, limit: int) -> list[Row]:
    """Attempts whose charges and write-offs are not the sum of their usage lines, once they are over. Cross-account."""
    return await db.fetch_all(
        f"""
        SELECT * FROM (
          SELECT a.account_id, a.execution_id AS subject, a.number AS attempt, a.status,
            CASE WHEN a.status IS NULL THEN 0 ELSE COALESCE(u.amount, 0) END AS due,
            COALESCE(e.paid, 0) AS paid, COALESCE(e.written_off, 0) AS written_off
          FROM attempts a
          LEFT JOIN (
            SELECT account_id, execution_id, attempt, CAST(SUM(amount) AS BIGINT) AS amount FROM usage_lines
            GROUP BY account_id, execution_id, attempt
          ) AS u ON u.account_id = a.account_id AND u.execution_id = a.execution_id AND u.attempt = a.number
          LEFT JOIN (SELECT {_ENTERED}) AS e
            ON e.spender = a.account_id AND e.execution_id = a.execution_id AND e.attempt = a.number
        ) AS settled WHERE due <> paid + written_off LIMIT :limit
        """,
        limit=limit,
    )
