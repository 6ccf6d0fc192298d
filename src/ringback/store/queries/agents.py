"""SQL for agents. Definition and prompts are JSON texts that only `ringback.agents` reads."""

from __future__ import annotations

from ringback.store.database import Reader, Row, Transaction

_COLUMNS = "account_id, id, definition, prompts, status, created_at, updated_at"


async def insert(
    tx: Transaction,
    *,
    account_id: str,
    agent_id: str,
    definition: str,
    prompts: str,
    status: str,
    now_us: int,
) -> None:
    await tx.execute(
        """
        INSERT INTO agents (account_id, id, definition, prompts, status, created_at, updated_at)
        VALUES (:account_id, :id, :definition, :prompts, :status, :now, :now)
        """,
        account_id=account_id,
        id=agent_id,
        definition=definition,
        prompts=prompts,
        status=status,
        now=now_us,
    )


async def get(db: Reader, account_id: str, agent_id: str) -> Row | None:
    return await db.fetch_one(
        f"SELECT {_COLUMNS} FROM agents WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=agent_id,
    )


async def lock(tx: Transaction, account_id: str, agent_id: str) -> Row | None:
    """As `get`, and nobody else changes it until the transaction ends."""
    return await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM agents WHERE account_id = :account_id AND id = :id FOR UPDATE",
        account_id=account_id,
        id=agent_id,
    )


async def newest(db: Reader, account_id: str, *, before: tuple[int, str] | None, limit: int) -> list[Row]:
    """A page, newest first; `before` is (created_at, id) of the last agent of the page before."""
    at, agent_id = before or (2**62, "")
    return await db.fetch_all(
        f"""
        SELECT {_COLUMNS} FROM agents
        WHERE account_id = :account_id AND (created_at, id) < (:at, :id)
        ORDER BY created_at DESC, id DESC LIMIT :limit
        """,
        account_id=account_id,
        at=at,
        id=agent_id,
        limit=limit,
    )


async def update(
    tx: Transaction, *, account_id: str, agent_id: str, definition: str, prompts: str, now_us: int
) -> int:
    return await tx.execute(
        """
        UPDATE agents SET definition = :definition, prompts = :prompts, updated_at = :now
        WHERE account_id = :account_id AND id = :id
        """,
        account_id=account_id,
        id=agent_id,
        definition=definition,
        prompts=prompts,
        now=now_us,
    )


async def delete(tx: Transaction, account_id: str, agent_id: str) -> int:
    """Its executions and all that hangs on them go with it (foreign keys)."""
    return await tx.execute(
        "DELETE FROM agents WHERE account_id = :account_id AND id = :id", account_id=account_id, id=agent_id
    )
