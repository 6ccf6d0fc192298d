"""SQL for the counters behind totals: changes that writers add, and the counts that they are folded into.

At any moment a total is its count plus the changes that are still to be folded in; one statement reads both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ringback.store.database import Reader, Row, Transaction

HOUR_US: Final = 3_600_000_000

# Each dimension's value of a change, as a text; the counts are kept per dimension and value.
VALUES: Final = {
    "all": "''",
    "status": "status",
    "call_type": "call_type",
    "provider": "provider",
    "batch_id": "batch_id",
    "batch_status": "batch_id || ':' || status",
    "answered_by_voice_mail": "CASE WHEN answered_by_voice_mail THEN 'true' ELSE 'false' END",
    "hour": "CAST(hour AS TEXT)",
}
DIMENSIONS: Final = frozenset(VALUES) - {"hour"}


async def add(tx: Transaction, changes: Sequence[Mapping[str, object]]) -> None:
    """Each has every column of `count_changes`."""
    await tx.execute_many(
        """
        INSERT INTO count_changes (
          account_id, agent_id, id, status, call_type, provider, batch_id, answered_by_voice_mail, hour, delta
        ) VALUES (
          :account_id, :agent_id, :id, :status, :call_type, :provider, :batch_id, :answered_by_voice_mail, :hour,
          :delta
        )
        """,
        changes,
    )


async def total(db: Reader, account_id: str, agent_id: str, dimension: str, value: str) -> int:
    """How many executions of the agent have the value; `dimension` is one of DIMENSIONS."""
    row = await db.fetch_one(
        f"""
        SELECT CAST(
          COALESCE((
            SELECT count FROM execution_counts WHERE account_id = :account_id AND agent_id = :agent_id
            AND dimension = :dimension AND value = :value
          ), 0) + COALESCE((
            SELECT SUM(delta) FROM count_changes WHERE account_id = :account_id AND agent_id = :agent_id
            AND {VALUES[dimension]} = :value
          ), 0) AS BIGINT) AS total
        """,
        account_id=account_id,
        agent_id=agent_id,
        dimension=dimension,
        value=value,
    )
    return row["total"] if row else 0


async def of_batch(
    db: Reader, account_id: str, agent_id: str, batch_id: str, statuses: Sequence[str]
) -> dict[str, int]:
    """How many executions of a batch have each of the statuses, all at one moment; none are left out."""
    values = {f"value_{place}": f"{batch_id}:{status}" for place, status in enumerate(statuses)}
    rows = await db.fetch_all(
        f"""
        SELECT value, CAST(SUM(count) AS BIGINT) AS total FROM (
          SELECT value, count FROM execution_counts
          WHERE account_id = :account_id AND agent_id = :agent_id AND dimension = 'batch_status'
            AND value IN ({", ".join(f":{name}" for name in values)})
          UNION ALL
          SELECT {VALUES["batch_status"]} AS value, delta AS count FROM count_changes
          WHERE account_id = :account_id AND agent_id = :agent_id AND batch_id = :batch_id
        ) AS parts GROUP BY value
        """,
        account_id=account_id,
        agent_id=agent_id,
        batch_id=batch_id,
        **values,
    )
    return {row["value"].removeprefix(f"{batch_id}:"): row["total"] for row in rows if row["total"]}


async def hour_of_rank(db: Reader, account_id: str, agent_id: str, rank: int) -> Row | None:
    """hour, newer: in which hour (since the epoch) the agent's execution with `rank` newer ones was created,
    and how many there are in later hours. None: there are not so many."""
    return await db.fetch_one(
        """
        SELECT hour, newer FROM (
          SELECT hour, created, CAST(SUM(created) OVER (ORDER BY hour DESC) AS BIGINT) - created AS newer FROM (
            SELECT hour, CAST(SUM(count) AS BIGINT) AS created FROM (
              SELECT CAST(value AS BIGINT) AS hour, count FROM execution_counts
              WHERE account_id = :account_id AND agent_id = :agent_id AND dimension = 'hour'
              UNION ALL
              SELECT hour, delta AS count FROM count_changes
              WHERE account_id = :account_id AND agent_id = :agent_id
            ) AS parts GROUP BY hour
          ) AS hours
        ) AS ranks WHERE newer <= :rank AND newer + created > :rank ORDER BY hour DESC LIMIT 1
        """,
        account_id=account_id,
        agent_id=agent_id,
        rank=rank,
    )


async def take_changes(tx: Transaction, limit: int) -> list[Row]:
    """Remove some changes and return them, in the order of their agents; what another process takes is left to
    it. Cross-account: for upkeep."""
    return await tx.fetch_all(
        """
        DELETE FROM count_changes WHERE (account_id, agent_id, id) IN (
          SELECT account_id, agent_id, id FROM count_changes
          ORDER BY account_id, agent_id, id LIMIT :limit FOR UPDATE SKIP LOCKED
        ) RETURNING account_id, agent_id, status, call_type, provider, batch_id, answered_by_voice_mail, hour, delta
        """,
        limit=limit,
    )


async def fold(tx: Transaction, counts: Sequence[Mapping[str, object]]) -> None:
    """Add to counts: account_id, agent_id, dimension, value, count; in one order everywhere, so that two
    processes never wait for each other in a circle."""
    await tx.execute_many(
        """
        INSERT INTO execution_counts (account_id, agent_id, dimension, value, count)
        VALUES (:account_id, :agent_id, :dimension, :value, :count)
        ON CONFLICT (account_id, agent_id, dimension, value)
        DO UPDATE SET count = execution_counts.count + excluded.count
        """,
        counts,
    )
