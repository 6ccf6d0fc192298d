"""SQL for batches.

Locks come in this order: the account, the batch, its gate; see `gates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ringback.store.database import Reader, Row, Transaction

_COLUMNS: Final = """
b.account_id, b.id, b.agent_id, b.state, b.file_name, b.from_numbers, b.retry_config, b.webhook_url,
b.bypass_guardrails, b.dial_once, b.scheduled_at, b.processed_at, b.total, b.valid, b.duplicates, b.failure,
b.created_at, b.updated_at
"""
_SHOWN: Final = f"""{_COLUMNS}, g.served_at, g.closed, g.closed_why
FROM batches b LEFT JOIN gates g ON g.account_id = b.account_id AND g.kind = 'batch' AND g.key = b.id
"""


async def insert(tx: Transaction, row: Mapping[str, object]) -> None:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    await tx.execute(f"INSERT INTO batches ({names}) VALUES ({values})", **row)


async def shown(db: Reader, account_id: str, batch_id: str) -> Row | None:
    """A batch that is not deleted, with served_at, closed and closed_why of its gate (NULL without one)."""
    return await db.fetch_one(
        f"SELECT {_SHOWN} WHERE b.account_id = :account_id AND b.id = :id AND b.state <> 'deleted'",
        account_id=account_id,
        id=batch_id,
    )


async def shown_of_agent(
    db: Reader, account_id: str, agent_id: str, *, before: tuple[int, str] | None, limit: int
) -> list[Row]:
    """As `shown`, newest first; `before`: created_at and id of the last one that was seen."""
    created_at, batch_id = before or (2**62, "")
    return await db.fetch_all(
        f"""
        SELECT {_SHOWN} WHERE b.account_id = :account_id AND b.agent_id = :agent_id AND b.state <> 'deleted'
          AND (b.created_at < :created_at OR (b.created_at = :created_at AND b.id < :id))
        ORDER BY b.created_at DESC, b.id DESC LIMIT :limit
        """,
        account_id=account_id,
        agent_id=agent_id,
        created_at=created_at,
        id=batch_id,
        limit=limit,
    )


async def of_agent(
    db: Reader, account_id: str, agent_id: str, states: Sequence[str] | None = None
) -> list[str]:
    """The ids of an agent's batches, all or those in one of the states."""
    if states is None:
        rows = await db.fetch_all(
            "SELECT id FROM batches WHERE account_id = :account_id AND agent_id = :agent_id",
            account_id=account_id,
            agent_id=agent_id,
        )
        return [row["id"] for row in rows]
    named = {f"state_{place}": state for place, state in enumerate(states)}
    rows = await db.fetch_all(
        f"""
        SELECT id FROM batches WHERE account_id = :account_id AND agent_id = :agent_id
        AND state IN ({", ".join(f":{name}" for name in named)}) ORDER BY created_at, id
        """,
        account_id=account_id,
        agent_id=agent_id,
        **named,
    )
    return [row["id"] for row in rows]


async def lock(tx: Transaction, account_id: str, batch_id: str) -> Row | None:
    """A batch, deleted or not; nobody else changes it until the transaction ends."""
    return await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM batches b WHERE b.account_id = :account_id AND b.id = :id FOR UPDATE",
        account_id=account_id,
        id=batch_id,
    )


async def update(tx: Transaction, account_id: str, batch_id: str, changes: Mapping[str, object]) -> None:
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    await tx.execute(
        f"UPDATE batches SET {assignments} WHERE account_id = :account_id AND id = :id",
        **changes,
        account_id=account_id,
        id=batch_id,
    )


# While the file is read.


async def progress(db: Reader, account_id: str, batch_id: str) -> Row | None:
    """What the reading of its file needs, and how far that is."""
    return await db.fetch_one(
        """
        SELECT agent_id, state, from_numbers, retry_config, bypass_guardrails, dial_once, processed_at,
          lines_done, bytes_done, total, valid, duplicates
        FROM batches WHERE account_id = :account_id AND id = :id
        """,
        account_id=account_id,
        id=batch_id,
    )


async def hold_account(tx: Transaction, account_id: str) -> None:
    """Lock the account before the batch: its sequence numbers are drawn after it, and the order is the other one."""
    await tx.fetch_one(
        "SELECT account_id FROM accounts WHERE account_id = :account_id FOR NO KEY UPDATE",
        account_id=account_id,
    )


async def advance(
    tx: Transaction,
    account_id: str,
    batch_id: str,
    *,
    from_byte: int,
    lines_done: int,
    bytes_done: int,
    total: int,
    valid: int,
    duplicates: int,
    now_us: int,
) -> bool:
    """Its file was read on from `from_byte`; locks the batch. False: somebody else read on, or it is over."""
    return (
        await tx.execute(
            """
        UPDATE batches SET lines_done = :lines_done, bytes_done = :bytes_done, total = :total, valid = :valid,
          duplicates = :duplicates, updated_at = :now
        WHERE account_id = :account_id AND id = :id AND bytes_done = :from_byte
          AND processed_at IS NULL AND state IN ('created', 'scheduled')
        """,
            account_id=account_id,
            id=batch_id,
            from_byte=from_byte,
            lines_done=lines_done,
            bytes_done=bytes_done,
            total=total,
            valid=valid,
            duplicates=duplicates,
            now=now_us,
        )
        == 1
    )


async def analyze(tx: Transaction) -> None:
    """Let the database learn what so many new rows look like."""
    await tx.fetch_all("ANALYZE executions")
    await tx.fetch_all("ANALYZE attempts")


# While it is dialled.


async def begun(db: Reader, *, now_us: int) -> list[Row]:
    """account_id, agent_id, id of batches that may be over: read, and their moment has come. Cross-account."""
    return await db.fetch_all(
        """
        SELECT account_id, agent_id, id FROM batches
        WHERE state = 'scheduled' AND processed_at IS NOT NULL AND scheduled_at <= :now ORDER BY account_id, id
        """,
        now=now_us,
    )


# When it is stopped.


async def held_back(
    db: Reader, account_id: str, agent_id: str, *, statuses: Sequence[str], up_to_seq: int
) -> list[str]:
    """Executions with one of the statuses of an agent that was stopped, oldest first: single ones up to a seq, and
    those of batches that were stopped."""
    named = {f"status_{place}": status for place, status in enumerate(statuses)}
    rows = await db.fetch_all(
        f"""
        SELECT id FROM executions WHERE account_id = :account_id AND agent_id = :agent_id
          AND status IN ({", ".join(f":{name}" for name in named)})
          AND ((batch_id IS NULL AND seq <= :up_to_seq) OR batch_id IN (
            SELECT id FROM batches WHERE account_id = :account_id AND agent_id = :agent_id AND state = 'stopped'))
        ORDER BY seq
        """,
        account_id=account_id,
        agent_id=agent_id,
        up_to_seq=up_to_seq,
        **named,
    )
    return [row["id"] for row in rows]


async def cancel(tx: Transaction, account_id: str, lane: str, *, up_to_seq: int | None) -> None:
    """Ask the workers to cancel what they dial in a lane (None: all of it)."""
    await tx.execute(
        f"""
        UPDATE attempts SET cancel_requested = TRUE
        WHERE account_id = :account_id AND lane = :lane AND slot_since IS NOT NULL AND state = 'dialling'
          {"AND seq <= :up_to_seq" if up_to_seq is not None else ""}
        """,
        account_id=account_id,
        lane=lane,
        **({} if up_to_seq is None else {"up_to_seq": up_to_seq}),
    )


async def waiting(
    tx: Transaction, account_id: str, lane: str, *, up_to_seq: int | None, limit: int
) -> list[Row]:
    """execution_id, number of what waits in a lane (None: all of it), locked; what somebody else holds is left out."""
    return await tx.fetch_all(
        f"""
        SELECT execution_id, number FROM attempts
        WHERE account_id = :account_id AND lane = :lane AND state = 'waiting'
          {"AND seq <= :up_to_seq" if up_to_seq is not None else ""}
        ORDER BY due_at, seq LIMIT :limit FOR UPDATE SKIP LOCKED
        """,
        account_id=account_id,
        lane=lane,
        limit=limit,
        **({} if up_to_seq is None else {"up_to_seq": up_to_seq}),
    )


async def is_waiting(db: Reader, account_id: str, lane: str, *, up_to_seq: int | None) -> bool:
    """As `waiting`, whoever holds it."""
    row = await db.fetch_one(
        f"""
        SELECT 1 AS one FROM attempts
        WHERE account_id = :account_id AND lane = :lane AND state = 'waiting'
          {"AND seq <= :up_to_seq" if up_to_seq is not None else ""} LIMIT 1
        """,
        account_id=account_id,
        lane=lane,
        **({} if up_to_seq is None else {"up_to_seq": up_to_seq}),
    )
    return row is not None
