"""SQL for agents. Definition and prompts are JSON texts that only `ringback.agents` reads.

One that was deleted is hidden until all that hangs on it is removed: nothing here finds it, but `every`.
"""

from __future__ import annotations

from typing import Final

from ringback.store.database import Reader, Row, Transaction

_GET: Final = """
    SELECT account_id, id, definition, prompts, status, created_at, updated_at FROM agents
    WHERE account_id = :account_id AND id = :id AND status <> 'deleted'
    """


async def insert(
    tx: Transaction,
    *,
    account_id: str,
    agent_id: str,
    definition: str,
    prompts: str,
    status: str,
    now_us: int,
    webhook_url: str | None = None,
) -> None:
    await tx.execute(
        """
        INSERT INTO agents (account_id, id, definition, prompts, status, created_at, updated_at, webhook_url)
        VALUES (:account_id, :id, :definition, :prompts, :status, :now, :now, :webhook_url)
        """,
        account_id=account_id,
        id=agent_id,
        definition=definition,
        prompts=prompts,
        status=status,
        now=now_us,
        webhook_url=webhook_url,
    )


async def get(db: Reader, account_id: str, agent_id: str) -> Row | None:
    return await db.fetch_one(_GET, account_id=account_id, id=agent_id)


async def exists(db: Reader, account_id: str, agent_id: str) -> bool:
    return (
        await db.fetch_one(
            "SELECT id FROM agents WHERE account_id = :account_id AND id = :id AND status <> 'deleted'",
            account_id=account_id,
            id=agent_id,
        )
        is not None
    )


async def every(db: Reader) -> list[Row]:
    """account_id and id of all agents. Cross-account: for upkeep."""
    return await db.fetch_all("SELECT account_id, id FROM agents")


async def lock(tx: Transaction, account_id: str, agent_id: str) -> Row | None:
    """As `get`, and nobody else changes it until the transaction ends."""
    return await tx.fetch_one(f"{_GET} FOR UPDATE", account_id=account_id, id=agent_id)


async def newest(db: Reader, account_id: str, *, created_at: int, agent_id: str, limit: int) -> list[Row]:
    """A page, newest first, of what comes after the agent with this creation time and id."""
    return await db.fetch_all(
        """
        SELECT account_id, id, definition, prompts, status, created_at, updated_at FROM agents
        WHERE account_id = :account_id AND (created_at, id) < (:created_at, :id) AND status <> 'deleted'
        ORDER BY created_at DESC, id DESC LIMIT :limit
        """,
        account_id=account_id,
        created_at=created_at,
        id=agent_id,
        limit=limit,
    )


async def update(
    tx: Transaction,
    *,
    account_id: str,
    agent_id: str,
    definition: str,
    prompts: str,
    webhook_url: str | None,
    now_us: int,
) -> None:
    await tx.execute(
        """
        UPDATE agents SET definition = :definition, prompts = :prompts, webhook_url = :webhook_url, updated_at = :now
        WHERE account_id = :account_id AND id = :id
        """,
        account_id=account_id,
        id=agent_id,
        definition=definition,
        prompts=prompts,
        webhook_url=webhook_url,
        now=now_us,
    )


async def hide(tx: Transaction, account_id: str, agent_id: str, *, now_us: int) -> bool:
    """It is deleted, but for its rows. False: no such agent."""
    return (
        await tx.execute(
            """
            UPDATE agents SET status = 'deleted', updated_at = :now
            WHERE account_id = :account_id AND id = :id AND status <> 'deleted'
            """,
            account_id=account_id,
            id=agent_id,
            now=now_us,
        )
        == 1
    )


async def is_hidden(db: Reader, account_id: str, agent_id: str) -> bool:
    """It was deleted, and something of it is left."""
    row = await db.fetch_one(
        "SELECT id FROM agents WHERE account_id = :account_id AND id = :id AND status = 'deleted'",
        account_id=account_id,
        id=agent_id,
    )
    return row is not None


async def delete(tx: Transaction, account_id: str, agent_id: str) -> None:
    """All that hangs on it goes with it (foreign keys): remove its executions before, there may be a million."""
    await tx.execute(
        "DELETE FROM agents WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=agent_id,
    )
