"""SQL for jobs: work that is not a call, leased as attempts are. Runners serve every account."""

from __future__ import annotations

import uuid

from ringback.store.database import Reader, Row, Transaction


async def add(
    tx: Transaction, account_id: str, kind: str, subject: str, *, machine: str | None, now_us: int
) -> None:
    """Let it be done; if it is there already, once more from its beginning, also if somebody does it now."""
    await tx.execute(
        """
        INSERT INTO jobs (account_id, id, kind, subject, machine, due_at)
        VALUES (:account_id, :id, :kind, :subject, :machine, :now)
        ON CONFLICT (account_id, kind, subject)
        DO UPDATE SET due_at = excluded.due_at, tries = 0, lease_owner = NULL, lease_until = NULL, error = NULL
        """,
        account_id=account_id,
        id=uuid.uuid4().hex,
        kind=kind,
        subject=subject,
        machine=machine,
        now=now_us,
    )


async def take(
    tx: Transaction, kind: str, *, machine: str, owner: str, now_us: int, until_us: int
) -> Row | None:
    """account_id, id, kind, subject, machine, tries of the job of a kind that is due longest and nobody does,
    leased; None: there is none for this machine. Cross-account."""
    row = await tx.fetch_one(
        """
        SELECT account_id, id, kind, subject, machine, tries FROM jobs
        WHERE kind = :kind AND due_at <= :now AND (lease_until IS NULL OR lease_until < :now)
          AND (machine IS NULL OR machine = :machine)
        ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        kind=kind,
        machine=machine,
        now=now_us,
    )
    if row is not None:
        await tx.execute(
            """
            UPDATE jobs SET lease_owner = :owner, lease_until = :until
            WHERE account_id = :account_id AND id = :id
            """,
            account_id=row["account_id"],
            id=row["id"],
            owner=owner,
            until=until_us,
        )
    return row


async def is_intake(db: Reader, batch_id: str) -> bool:
    """Whether the file of a batch is still to be read. Cross-account: files lie in one folder, by the batch's id."""
    row = await db.fetch_one(
        "SELECT 1 AS one FROM jobs WHERE kind = 'intake' AND subject = :subject LIMIT 1", subject=batch_id
    )
    return row is not None


async def renew(tx: Transaction, account_id: str, job_id: str, *, owner: str, until_us: int) -> bool:
    """False: it is not the owner's any more."""
    return (
        await tx.execute(
            """
        UPDATE jobs SET lease_until = :until WHERE account_id = :account_id AND id = :id AND lease_owner = :owner
        """,
            account_id=account_id,
            id=job_id,
            owner=owner,
            until=until_us,
        )
        == 1
    )


async def done(tx: Transaction, account_id: str, job_id: str, *, owner: str) -> None:
    """Remove it, unless it is not the owner's any more: then it is to be done again."""
    await tx.execute(
        "DELETE FROM jobs WHERE account_id = :account_id AND id = :id AND lease_owner = :owner",
        account_id=account_id,
        id=job_id,
        owner=owner,
    )


async def put_off(
    tx: Transaction, account_id: str, job_id: str, *, owner: str, due_us: int, tries: int, error: str | None
) -> None:
    """It failed, or its runner ends: somebody does it again later."""
    await tx.execute(
        """
        UPDATE jobs SET due_at = :due, tries = :tries, error = :error, lease_owner = NULL, lease_until = NULL
        WHERE account_id = :account_id AND id = :id AND lease_owner = :owner
        """,
        account_id=account_id,
        id=job_id,
        owner=owner,
        due=due_us,
        tries=tries,
        error=error,
    )
