"""SQL for events that clients sent into live calls and that no worker has taken yet."""

from __future__ import annotations

from ringback.store.database import Reader, Row, Transaction


async def count(db: Reader, account_id: str, execution_id: str) -> int:
    row = await db.fetch_one(
        "SELECT COUNT(*) AS n FROM call_events WHERE account_id = :account_id AND execution_id = :execution_id",
        account_id=account_id,
        execution_id=execution_id,
    )
    return row["n"] if row else 0


async def insert(
    tx: Transaction, account_id: str, execution_id: str, *, name: str, properties: str, now_us: int
) -> None:
    """Behind those that wait. Positions are counted: the execution's row must be locked."""
    await tx.execute(
        """
        INSERT INTO call_events (account_id, execution_id, position, name, properties, created_at)
        VALUES (:account_id, :execution_id,
          (SELECT COALESCE(MAX(position), 0) + 1 FROM call_events
           WHERE account_id = :account_id AND execution_id = :execution_id),
          :name, :properties, :now)
        """,
        account_id=account_id,
        execution_id=execution_id,
        name=name,
        properties=properties,
        now=now_us,
    )


async def waiting(db: Reader, *, owner: str, limit: int) -> list[Row]:
    """account_id, execution_id, position, name and properties of events for the live calls of a worker, each call's
    in order. Cross-account: a worker serves every account."""
    return await db.fetch_all(
        """
        SELECT e.account_id, e.execution_id, e.position, e.name, e.properties
        FROM call_events e JOIN attempts a ON a.account_id = e.account_id AND a.execution_id = e.execution_id
        WHERE a.lease_owner = :owner AND a.state = 'live'
        ORDER BY e.account_id, e.execution_id, e.position LIMIT :limit
        """,
        owner=owner,
        limit=limit,
    )


async def delete(tx: Transaction, account_id: str, execution_id: str, position: int) -> bool:
    """Whether it was still there."""
    return bool(
        await tx.execute(
            """
            DELETE FROM call_events
            WHERE account_id = :account_id AND execution_id = :execution_id AND position = :position
            """,
            account_id=account_id,
            execution_id=execution_id,
            position=position,
        )
    )


async def delete_all(tx: Transaction, account_id: str, execution_id: str) -> None:
    await tx.execute(
        "DELETE FROM call_events WHERE account_id = :account_id AND execution_id = :execution_id",
        account_id=account_id,
        execution_id=execution_id,
    )
