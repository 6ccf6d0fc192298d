"""SQL for the limits of trunks, which all accounts share."""

from __future__ import annotations

from ringback.store.database import Reader, Row, Transaction
from ringback.store.queries.gates import OPERATOR


async def names(db: Reader, account_id: str, shared: str) -> list[str]:
    """The account's trunks, and before them the one that all share, if that has limits."""
    rows = await db.fetch_all(
        """
        SELECT 0 AS place, name FROM trunk_gates
        WHERE account_id = :operator AND name = :shared AND (max_calls IS NOT NULL OR interval_us IS NOT NULL)
        UNION ALL SELECT 1 AS place, id AS name FROM trunks WHERE account_id = :account_id ORDER BY place, name
        """,
        operator=OPERATOR,
        shared=shared,
        account_id=account_id,
    )
    return [row["name"] for row in rows]


async def lock(tx: Transaction, name: str) -> Row | None:
    """max_calls, interval_us, tat_us of a trunk, which is then locked until the transaction ends; None: no limits.

    After the account's gate.
    """
    return await tx.fetch_one(
        """
        SELECT max_calls, interval_us, tat_us FROM trunk_gates
        WHERE account_id = :account_id AND name = :name
          AND (max_calls IS NOT NULL OR interval_us IS NOT NULL) FOR UPDATE
        """,
        account_id=OPERATOR,
        name=name,
    )


async def slots(tx: Transaction, name: str) -> tuple[int, int]:
    """How many attempts of all accounts count for the limits of a trunk, and how many of them have no grant yet.

    Cross-account.
    """
    row = await tx.fetch_one(
        """
        SELECT COUNT(*) AS calls, COALESCE(SUM(CASE WHEN state = 'claimed' THEN 1 ELSE 0 END), 0) AS claimed
        FROM attempts WHERE trunk = :name AND slot_since IS NOT NULL
        """,
        name=name,
    )
    return (row["calls"], row["claimed"]) if row else (0, 0)


async def set_limits(tx: Transaction, name: str, *, max_calls: int | None, interval_us: int | None) -> None:
    """As the settings say, None: unlimited."""
    await tx.execute(
        """
        INSERT INTO trunk_gates (account_id, name, max_calls, interval_us)
        VALUES (:account_id, :name, :max_calls, :interval_us)
        ON CONFLICT (account_id, name)
        DO UPDATE SET max_calls = excluded.max_calls, interval_us = excluded.interval_us
        """,
        account_id=OPERATOR,
        name=name,
        max_calls=max_calls,
        interval_us=interval_us,
    )


async def remove(tx: Transaction, name: str) -> None:
    """The trunk is gone."""
    await tx.execute(
        "DELETE FROM trunk_gates WHERE account_id = :account_id AND name = :name",
        account_id=OPERATOR,
        name=name,
    )
