"""SQL that fills the outbox: what is told is written in the transaction of what it tells of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ringback.store.database import Reader, Transaction
from ringback.store.statement import in_lists

# The newest status of executions whose agent has a URL, with their bodies as they are now.
_TELL: Final = """
INSERT INTO webhook_deliveries
  (account_id, subject, position, kind, event, endpoint_id, payload, due_at, created_at)
SELECT e.account_id, e.id, e.moves, 'execution', e.status, p.id, e.body, CAST(:now AS BIGINT), CAST(:now AS BIGINT)
FROM agents a
JOIN webhook_endpoints p ON p.account_id = a.account_id AND p.url = a.webhook_url
JOIN executions e ON e.account_id = a.account_id AND e.agent_id = a.id
WHERE e.account_id = :account_id
"""


async def execution(
    tx: Transaction, account_id: str, agent_id: str, execution_id: str, *, now_us: int
) -> int:
    """One. How many deliveries were written."""
    return await tx.execute(
        f"{_TELL} AND a.account_id = :account_id AND a.id = :agent_id AND e.id = :id",
        account_id=account_id,
        agent_id=agent_id,
        id=execution_id,
        now=now_us,
    )


async def executions(tx: Transaction, account_id: str, execution_ids: Sequence[str], *, now_us: int) -> int:
    """Some."""
    told = 0
    for ids in in_lists(execution_ids):
        told += await tx.execute(
            f"{_TELL} AND e.id IN ({ids.names})", account_id=account_id, now=now_us, **ids.values
        )
    return told


async def created(
    tx: Transaction, account_id: str, agent_id: str, *, first_seq: int, last_seq: int, now_us: int
) -> int:
    """Those of an agent that were just made, with these places in its order."""
    return await tx.execute(
        f"{_TELL} AND a.account_id = :account_id AND a.id = :agent_id AND e.seq BETWEEN :first AND :last",
        account_id=account_id,
        agent_id=agent_id,
        first=first_seq,
        last=last_seq,
        now=now_us,
    )


async def batch(
    tx: Transaction,
    account_id: str,
    batch_id: str,
    *,
    position: int,
    event: str,
    url: str,
    payload: str,
    now_us: int,
) -> int:
    """An event of a batch; each is told once."""
    return await tx.execute(
        """
        INSERT INTO webhook_deliveries
          (account_id, subject, position, kind, event, endpoint_id, payload, due_at, created_at)
        SELECT account_id, CAST(:subject AS TEXT), CAST(:position AS INTEGER), 'batch', CAST(:event AS TEXT), id,
          CAST(:payload AS TEXT), CAST(:now AS BIGINT), CAST(:now AS BIGINT)
        FROM webhook_endpoints WHERE account_id = :account_id AND url = :url
        ON CONFLICT (account_id, subject, position) DO NOTHING
        """,
        account_id=account_id,
        subject=batch_id,
        position=position,
        event=event,
        url=url,
        payload=payload,
        now=now_us,
    )


async def bodies_of_batch(
    db: Reader, account_id: str, agent_id: str, batch_id: str, *, limit: int
) -> list[str]:
    """The records of its first executions."""
    rows = await db.fetch_all(
        """
        SELECT body FROM executions WHERE account_id = :account_id AND batch_id = :batch_id AND agent_id = :agent_id
        ORDER BY seq LIMIT :limit
        """,
        account_id=account_id,
        agent_id=agent_id,
        batch_id=batch_id,
        limit=limit,
    )
    return [row["body"] for row in rows]
