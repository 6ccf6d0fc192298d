"""SQL for sub-accounts: accounts whose `parent_id` is the account that made them and pays for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ringback.store.database import Reader, Row, Transaction

_COLUMNS: Final = """
account_id, parent_id, name, email, description, metadata, min_concurrency, max_concurrency, created_at, updated_at
"""

# Of executions by their creation; agents lead to them by an index.
_EXECUTIONS: Final = """
FROM accounts a JOIN agents g ON g.account_id = a.account_id
JOIN executions e ON e.account_id = g.account_id AND e.agent_id = g.id AND e.seq >= :since AND e.seq <= :until
"""
_ONE_OR_ALL: Final = "(CAST(:sub_account_id AS TEXT) IS NULL OR a.account_id = :sub_account_id)"


async def insert(tx: Transaction, row: Mapping[str, object]) -> None:
    """With every column. It has no wallet of its own."""
    await tx.execute(
        f"""
        INSERT INTO accounts ({_COLUMNS}, last_seq)
        VALUES (:account_id, :parent_id, :name, :email, :description, :metadata, :min_concurrency, :max_concurrency,
          :created_at, :updated_at, 0)
        """,
        **row,
    )


async def lock_parent(tx: Transaction, account_id: str) -> Row | None:
    """parent_id of an account that is about to change its sub-accounts; who else is waits until the transaction
    ends."""
    return await tx.fetch_one(
        "SELECT parent_id FROM accounts WHERE account_id = :account_id FOR NO KEY UPDATE",
        account_id=account_id,
    )


async def is_sub_account(db: Reader, account_id: str) -> bool:
    row = await db.fetch_one(
        "SELECT account_id FROM accounts WHERE account_id = :account_id AND parent_id IS NOT NULL",
        account_id=account_id,
    )
    return row is not None


async def of_account(db: Reader, account_id: str) -> list[Row]:
    """Those that were not deleted, oldest first."""
    return await db.fetch_all(
        f"""
        SELECT {_COLUMNS} FROM accounts WHERE parent_id = :account_id AND deleted_at IS NULL
        ORDER BY created_at, account_id
        """,
        account_id=account_id,
    )


async def get(db: Reader, account_id: str, sub_account_id: str) -> Row | None:
    """None also for one that was deleted."""
    return await db.fetch_one(
        f"""
        SELECT {_COLUMNS} FROM accounts
        WHERE parent_id = :account_id AND account_id = :sub_account_id AND deleted_at IS NULL
        """,
        account_id=account_id,
        sub_account_id=sub_account_id,
    )


async def names(db: Reader, account_id: str) -> dict[str, str]:
    """Of all its sub-accounts by their ids, oldest first, also of those that were deleted."""
    rows = await db.fetch_all(
        "SELECT account_id, name FROM accounts WHERE parent_id = :account_id ORDER BY created_at, account_id",
        account_id=account_id,
    )
    return {row["account_id"]: row["name"] for row in rows}


async def update(
    tx: Transaction, account_id: str, sub_account_id: str, changes: Mapping[str, object]
) -> None:
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    await tx.execute(
        f"""
        UPDATE accounts SET {assignments}
        WHERE parent_id = :account_id AND account_id = :sub_account_id AND deleted_at IS NULL
        """,
        **changes,
        account_id=account_id,
        sub_account_id=sub_account_id,
    )


async def agents_of(db: Reader, sub_account_id: str) -> list[str]:
    """Ids of its agents."""
    rows = await db.fetch_all(
        "SELECT id FROM agents WHERE account_id = :account_id ORDER BY id", account_id=sub_account_id
    )
    return [row["id"] for row in rows]


async def calls(
    db: Reader, account_id: str, sub_account_id: str | None, *, since_us: int, until_us: int
) -> list[Row]:
    """sub_account_id, status, calls, ms, and what they cost (total, platform, network), of the executions that were
    created in a span of time, both ends included; of one sub-account or (None) of all."""
    return await db.fetch_all(
        f"""
        SELECT a.account_id AS sub_account_id, e.status, COUNT(*) AS calls,
          CAST(SUM(e.conversation_ms) AS BIGINT) AS ms,
          CAST(SUM(e.cost_llm + e.cost_network + e.cost_platform + e.cost_synthesizer + e.cost_transcriber) AS BIGINT)
            AS total,
          CAST(SUM(e.cost_platform) AS BIGINT) AS platform, CAST(SUM(e.cost_network) AS BIGINT) AS network
        {_EXECUTIONS} WHERE a.parent_id = :account_id AND {_ONE_OR_ALL} GROUP BY a.account_id, e.status
        """,
        account_id=account_id,
        sub_account_id=sub_account_id,
        since=since_us,
        until=until_us,
    )


async def lines(
    db: Reader, account_id: str, sub_account_id: str | None, *, since_us: int, until_us: int
) -> list[Row]:
    """sub_account_id, kind, provider, model, unit, quantity, amount: what language models, voices and transcribers did
    in the same executions."""
    return await db.fetch_all(
        f"""
        SELECT a.account_id AS sub_account_id, u.kind, u.provider, u.model, u.unit,
          CAST(SUM(u.quantity) AS BIGINT) AS quantity, CAST(SUM(u.amount) AS BIGINT) AS amount
        {_EXECUTIONS} JOIN usage_lines u ON u.account_id = e.account_id AND u.execution_id = e.id
        WHERE a.parent_id = :account_id AND {_ONE_OR_ALL} AND u.kind IN ('llm', 'synthesizer', 'transcriber')
        GROUP BY a.account_id, u.kind, u.provider, u.model, u.unit
        ORDER BY a.account_id, u.kind, u.provider, u.model, u.unit
        """,
        account_id=account_id,
        sub_account_id=sub_account_id,
        since=since_us,
        until=until_us,
    )
