"""SQL for segments: ranges of an agent's history, with a compressed copy once all in them is settled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ringback.store.database import Reader, Row, Transaction


async def newest_before(db: Reader, account_id: str, agent_id: str, before: int) -> Row | None:
    """first_seq, last_seq and frame (None: read the rows) of the newest segment that lies before a seq; `newer`:
    there are executions between the two."""
    return await db.fetch_one(
        """
        SELECT first_seq, last_seq, frame, EXISTS (
          SELECT 1 FROM executions WHERE account_id = :account_id AND agent_id = :agent_id
          AND seq > segments.last_seq AND seq < :before
        ) AS newer FROM segments
        WHERE account_id = :account_id AND agent_id = :agent_id AND last_seq < :before
        ORDER BY last_seq DESC LIMIT 1
        """,
        account_id=account_id,
        agent_id=agent_id,
        before=before,
    )


async def end_of_next(tx: Transaction, account_id: str, agent_id: str, rows: int) -> Row | None:
    """first_seq and last_seq of the next `rows` executions after the newest segment; None: there are not so
    many. The agent stays locked until the transaction ends, so that no two processes cut the same range."""
    await tx.fetch_one(
        "SELECT id FROM agents WHERE account_id = :account_id AND id = :agent_id FOR NO KEY UPDATE",
        account_id=account_id,
        agent_id=agent_id,
    )
    return await tx.fetch_one(
        """
        SELECT MIN(seq) AS first_seq, MAX(seq) AS last_seq FROM (
          SELECT seq FROM executions WHERE account_id = :account_id AND agent_id = :agent_id AND seq > COALESCE((
            SELECT MAX(last_seq) FROM segments WHERE account_id = :account_id AND agent_id = :agent_id
          ), 0) ORDER BY seq LIMIT :rows
        ) AS next HAVING COUNT(*) = :rows
        """,
        account_id=account_id,
        agent_id=agent_id,
        rows=rows,
    )


async def insert(tx: Transaction, *, account_id: str, agent_id: str, first_seq: int, last_seq: int) -> None:
    """An open segment, one without a frame."""
    await tx.execute(
        """
        INSERT INTO segments (account_id, agent_id, last_seq, first_seq, revision)
        VALUES (:account_id, :agent_id, :last_seq, :first_seq, 0)
        """,
        account_id=account_id,
        agent_id=agent_id,
        last_seq=last_seq,
        first_seq=first_seq,
    )


async def reopen(tx: Transaction, account_id: str, agent_id: str, seqs: Iterable[int]) -> None:
    """Throw away the copies that hold these executions: their rows changed or go."""
    await tx.execute_many(
        """
        UPDATE segments SET frame = NULL, revision = revision + 1
        WHERE account_id = :account_id AND agent_id = :agent_id AND last_seq = (
          SELECT MIN(last_seq) FROM segments
          WHERE account_id = :account_id AND agent_id = :agent_id AND last_seq >= :seq
        ) AND first_seq <= :seq
        """,
        [{"account_id": account_id, "agent_id": agent_id, "seq": seq} for seq in seqs],
    )


async def make_room(tx: Transaction, account_id: str, agent_id: str, seq: int) -> None:
    """An execution of another agent became this one's, and comes before some of its own: the segment that holds its
    place, or the next one, holds it from now on. The agent stays locked as in `end_of_next`."""
    await tx.fetch_one(
        "SELECT id FROM agents WHERE account_id = :account_id AND id = :agent_id FOR NO KEY UPDATE",
        account_id=account_id,
        agent_id=agent_id,
    )
    await tx.execute(
        """
        UPDATE segments SET frame = NULL, revision = revision + 1,
          first_seq = CASE WHEN first_seq > :seq THEN :seq ELSE first_seq END
        WHERE account_id = :account_id AND agent_id = :agent_id AND last_seq = (
          SELECT MIN(last_seq) FROM segments
          WHERE account_id = :account_id AND agent_id = :agent_id AND last_seq >= :seq
        )
        """,
        account_id=account_id,
        agent_id=agent_id,
        seq=seq,
    )


async def settled_after(
    db: Reader, after: tuple[str, str, int], limit: int, *, running: Sequence[str]
) -> list[Row]:
    """account_id, agent_id, first_seq, last_seq of open segments without an execution of a `running` status, in the
    order of their keys, after one of them.

    Of a segment whose calls all wait, one entry of an index is read. Cross-account: for upkeep.
    """
    statuses = {f"status_{number}": status for number, status in enumerate(running)}
    # No NOT EXISTS: PostgreSQL could make a join of it that reads all executions of an agent for each segment.
    return await db.fetch_all(
        f"""
        SELECT account_id, agent_id, first_seq, last_seq FROM segments
        WHERE frame IS NULL AND (account_id, agent_id, last_seq) > (:account_id, :agent_id, :last_seq) AND (
          SELECT 1 FROM executions
          WHERE executions.account_id = segments.account_id AND executions.agent_id = segments.agent_id
            AND seq BETWEEN first_seq AND last_seq AND status IN ({", ".join(f":{name}" for name in statuses)})
          LIMIT 1
        ) IS NULL
        ORDER BY account_id, agent_id, last_seq LIMIT :limit
        """,
        account_id=after[0],
        agent_id=after[1],
        last_seq=after[2],
        limit=limit,
        **statuses,
    )


async def revision(db: Reader, account_id: str, agent_id: str, last_seq: int) -> int | None:
    """None: there is no such segment, or it has its frame."""
    row = await db.fetch_one(
        """
        SELECT revision FROM segments
        WHERE account_id = :account_id AND agent_id = :agent_id AND last_seq = :last_seq AND frame IS NULL
        """,
        account_id=account_id,
        agent_id=agent_id,
        last_seq=last_seq,
    )
    return row["revision"] if row else None


async def fill(
    tx: Transaction, account_id: str, agent_id: str, last_seq: int, *, revision: int, frame: bytes
) -> bool:
    """Store the copy, unless something in the range has changed since `revision`."""
    changed = await tx.execute(
        """
        UPDATE segments SET frame = :frame
        WHERE account_id = :account_id AND agent_id = :agent_id AND last_seq = :last_seq AND revision = :revision
        """,
        account_id=account_id,
        agent_id=agent_id,
        last_seq=last_seq,
        revision=revision,
        frame=frame,
    )
    return changed == 1


async def delete_empty(
    tx: Transaction, account_id: str, agent_id: str, last_seq: int, first_seq: int
) -> None:
    """Delete a segment that has no executions any more."""
    await tx.execute(
        """
        DELETE FROM segments
        WHERE account_id = :account_id AND agent_id = :agent_id AND last_seq = :last_seq AND NOT EXISTS (
          SELECT 1 FROM executions WHERE account_id = :account_id AND agent_id = :agent_id
          AND seq BETWEEN :first_seq AND :last_seq
        )
        """,
        account_id=account_id,
        agent_id=agent_id,
        last_seq=last_seq,
        first_seq=first_seq,
    )
