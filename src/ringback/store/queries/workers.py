"""SQL for the call workers that say they are there. They belong to the installation, not to an account."""

from __future__ import annotations

from ringback.store.database import Database, Reader, Row
from ringback.store.queries.gates import OPERATOR


async def beat(
    db: Database,
    *,
    name: str,
    machine: str,
    number: int,
    pid: int,
    address: str | None,
    capacity: int,
    calls: int,
    lateness_us: int,
    state: str,
    now_us: int,
) -> None:
    """Say that the worker is there, and how it does."""
    async with db.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO workers (account_id, name, machine, number, pid, address, capacity, calls, lateness_us, state,
              started_at, seen_at)
            VALUES (:account_id, :name, :machine, :number, :pid, :address, :capacity, :calls, :lateness, :state,
              :now, :now)
            ON CONFLICT (account_id, name) DO UPDATE SET calls = excluded.calls, lateness_us = excluded.lateness_us,
              state = excluded.state, seen_at = excluded.seen_at
            """,
            account_id=OPERATOR,
            name=name,
            machine=machine,
            number=number,
            pid=pid,
            address=address,
            capacity=capacity,
            calls=calls,
            lateness=lateness_us,
            state=state,
            now=now_us,
        )


async def remove(db: Database, *, name: str, unseen_since_us: int) -> None:
    """The worker ends; so did those that nobody has seen since."""
    async with db.transaction() as tx:
        await tx.execute(
            "DELETE FROM workers WHERE account_id = :account_id AND (name = :name OR seen_at < :since)",
            account_id=OPERATOR,
            name=name,
            since=unseen_since_us,
        )


async def everyone(db: Reader) -> list[Row]:
    """All workers, by machine and number."""
    return await db.fetch_all(
        """
        SELECT name, machine, number, pid, address, capacity, calls, lateness_us, state, started_at, seen_at
        FROM workers WHERE account_id = :account_id ORDER BY machine, number, started_at
        """,
        account_id=OPERATOR,
    )
