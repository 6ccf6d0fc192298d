"""SQL for calls to us: the menus of numbers, what is known of callers, and how often somebody has called."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.store.database import Reader, Row, Transaction


async def menus(db: Reader, account_id: str, number_id: str) -> str | None:
    """`ivr_config` of a number, JSON; None: it has none."""
    row = await db.fetch_one(
        "SELECT ivr_config FROM inbound_menus WHERE account_id = :account_id AND number_id = :number_id",
        account_id=account_id,
        number_id=number_id,
    )
    return row["ivr_config"] if row else None


async def set_menus(tx: Transaction, account_id: str, number_id: str, ivr_config: str) -> None:
    await tx.execute(
        """
        INSERT INTO inbound_menus (account_id, number_id, ivr_config) VALUES (:account_id, :number_id, :ivr_config)
        ON CONFLICT (account_id, number_id) DO UPDATE SET ivr_config = excluded.ivr_config
        """,
        account_id=account_id,
        number_id=number_id,
        ivr_config=ivr_config,
    )


async def delete_menus(tx: Transaction, account_id: str, number_id: str) -> None:
    await tx.execute(
        "DELETE FROM inbound_menus WHERE account_id = :account_id AND number_id = :number_id",
        account_id=account_id,
        number_id=number_id,
    )


async def calls_from(db: Reader, account_id: str, agent_id: str, number: str, *, limit: int) -> int:
    """How often somebody has called an agent and was not refused for an empty wallet, counted up to the limit."""
    row = await db.fetch_one(
        """
        SELECT COUNT(*) AS n FROM (
          SELECT 1 FROM executions
          WHERE account_id = :account_id AND agent_id = :agent_id AND from_number = :number
            AND call_type = 'inbound' AND status <> 'balance-low' LIMIT :limit
        ) AS found
        """,
        account_id=account_id,
        agent_id=agent_id,
        number=number,
        limit=limit,
    )
    return int(row["n"]) if row else 0


# What is known of callers.


async def caller(db: Reader, account_id: str, source: str, digits: str) -> str | None:
    """JSON object; None: the file does not have them."""
    row = await db.fetch_one(
        "SELECT data FROM callers WHERE account_id = :account_id AND source = :source AND digits = :digits",
        account_id=account_id,
        source=source,
        digits=digits,
    )
    return row["data"] if row else None


async def replace_callers(
    tx: Transaction, account_id: str, source: str, lines: Sequence[tuple[str, str]], *, now_us: int
) -> None:
    """`lines`: digits and data of each, no digits twice."""
    await delete_callers(tx, account_id, source)
    await tx.insert_rows(
        "callers",
        ("account_id", "source", "digits", "data", "created_at"),
        [(account_id, source, digits, data, now_us) for digits, data in lines],
    )


async def delete_callers(tx: Transaction, account_id: str, source: str) -> int:
    """How many there were."""
    return await tx.execute(
        "DELETE FROM callers WHERE account_id = :account_id AND source = :source",
        account_id=account_id,
        source=source,
    )


async def sources(db: Reader, account_id: str) -> list[Row]:
    """source, lines, created_at of each file, by name."""
    return await db.fetch_all(
        """
        SELECT source, COUNT(*) AS lines, MAX(created_at) AS created_at FROM callers
        WHERE account_id = :account_id GROUP BY source ORDER BY source
        """,
        account_id=account_id,
    )
