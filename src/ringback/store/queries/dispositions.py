"""SQL for dispositions and their links to agents. Type config and options are JSON texts that only `ringback.agents`
reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ringback.store.database import Reader, Row, Transaction
from ringback.store.statement import in_lists

_FIELDS: Final = (
    "name",
    "question",
    "category",
    "system_prompt",
    "model",
    "is_subjective",
    "is_objective",
    "subjective_type",
    "subjective_type_config",
    "objective_options",
)
_COLUMNS: Final = ", ".join(("account_id", "id", *_FIELDS, "created_at", "updated_at"))
_LINKED_COLUMNS: Final = ", ".join(f"d.{name}" for name in _COLUMNS.split(", "))
_GET: Final = f"SELECT {_COLUMNS} FROM dispositions WHERE account_id = :account_id AND id = :id"
_SET: Final = ", ".join(f"{name} = :{name}" for name in _FIELDS)


async def insert(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Each row holds every column of the table. The account is :account_id of the row."""
    columns = _COLUMNS.split(", ")
    await tx.insert_rows("dispositions", columns, [[row[name] for name in columns] for row in rows])


async def get(db: Reader, account_id: str, disposition_id: str) -> Row | None:
    return await db.fetch_one(_GET, account_id=account_id, id=disposition_id)


async def lock(tx: Transaction, account_id: str, disposition_id: str) -> Row | None:
    """As `get`, and nobody else changes it or its links until the transaction ends."""
    return await tx.fetch_one(f"{_GET} FOR UPDATE", account_id=account_id, id=disposition_id)


async def update(
    tx: Transaction, account_id: str, disposition_id: str, fields: Mapping[str, object], *, now_us: int
) -> None:
    await tx.execute(
        f"UPDATE dispositions SET {_SET}, updated_at = :now WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=disposition_id,
        now=now_us,
        **{name: fields[name] for name in _FIELDS},
    )


async def delete(tx: Transaction, account_id: str, disposition_id: str) -> bool:
    """With its links. False: no such disposition."""
    return (
        await tx.execute(
            "DELETE FROM dispositions WHERE account_id = :account_id AND id = :id",
            account_id=account_id,
            id=disposition_id,
        )
        == 1
    )


async def after(
    db: Reader, account_id: str, *, created_at: int, disposition_id: str, limit: int
) -> list[Row]:
    """A page in the order of their creation, of what comes after this time and id."""
    return await db.fetch_all(
        f"""
        SELECT {_COLUMNS} FROM dispositions
        WHERE account_id = :account_id AND (created_at, id) > (:created_at, :id)
        ORDER BY created_at, id LIMIT :limit
        """,
        account_id=account_id,
        created_at=created_at,
        id=disposition_id,
        limit=limit,
    )


async def of_agent(db: Reader, account_id: str, agent_id: str) -> list[Row]:
    """In the order of their creation; who links them sees to it that they are not many."""
    return await db.fetch_all(
        f"""
        SELECT {_LINKED_COLUMNS} FROM agent_dispositions l
        JOIN dispositions d ON d.account_id = l.account_id AND d.id = l.disposition_id
        WHERE l.account_id = :account_id AND l.agent_id = :agent_id ORDER BY d.created_at, d.id
        """,
        account_id=account_id,
        agent_id=agent_id,
    )


async def count_of_agent(db: Reader, account_id: str, agent_id: str) -> int:
    row = await db.fetch_one(
        "SELECT count(*) AS n FROM agent_dispositions WHERE account_id = :account_id AND agent_id = :agent_id",
        account_id=account_id,
        agent_id=agent_id,
    )
    assert row is not None
    return int(row["n"])


async def links(db: Reader, account_id: str, disposition_ids: Sequence[str]) -> list[Row]:
    """disposition_id and agent_id, for these dispositions, in the order of the agents' ids. Agents that were deleted
    have none."""
    found: list[Row] = []
    for ids in in_lists(sorted(disposition_ids)):
        found += await db.fetch_all(
            f"""
            SELECT l.disposition_id, l.agent_id FROM agent_dispositions l
            JOIN agents a ON a.account_id = l.account_id AND a.id = l.agent_id AND a.status <> 'deleted'
            WHERE l.account_id = :account_id AND l.disposition_id IN ({ids.names}) ORDER BY l.agent_id
            """,
            account_id=account_id,
            **ids.values,
        )
    return found


async def hold_agents(tx: Transaction, account_id: str, agent_ids: Sequence[str]) -> set[str]:
    """Which of these the account has. Nobody deletes them or counts their links until the transaction ends."""
    held: set[str] = set()
    for ids in in_lists(sorted(agent_ids)):
        rows = await tx.fetch_all(
            f"""
            SELECT id FROM agents
            WHERE account_id = :account_id AND id IN ({ids.names}) AND status <> 'deleted'
            ORDER BY id FOR NO KEY UPDATE
            """,
            account_id=account_id,
            **ids.values,
        )
        held |= {row["id"] for row in rows}
    return held


async def link(
    tx: Transaction, account_id: str, agent_ids: Sequence[str], disposition_ids: Sequence[str]
) -> None:
    """Each of these agents to each of these dispositions, which it must not have yet. Rows of :account_id alone."""
    rows = [(account_id, agent, disposition) for agent in agent_ids for disposition in disposition_ids]
    await tx.insert_rows("agent_dispositions", ("account_id", "agent_id", "disposition_id"), rows)


async def unlink(tx: Transaction, account_id: str, agent_id: str, disposition_id: str) -> None:
    await tx.execute(
        """
        DELETE FROM agent_dispositions
        WHERE account_id = :account_id AND agent_id = :agent_id AND disposition_id = :disposition_id
        """,
        account_id=account_id,
        agent_id=agent_id,
        disposition_id=disposition_id,
    )
