"""SQL for the outbox: events that are written with what they tell of, and delivered later."""

from __future__ import annotations

import uuid

from ringback.store.database import Transaction


async def of_batch(
    tx: Transaction, account_id: str, batch_id: str, event: str, *, url: str, now_us: int
) -> None:
    """A batch was 'processed' or 'completed'; each is told once."""
    await tx.execute(
        """
        INSERT INTO webhook_deliveries (account_id, id, kind, subject, event, url, due_at, created_at)
        VALUES (:account_id, :id, 'batch', :subject, :event, :url, :now, :now)
        ON CONFLICT (account_id, kind, subject, event) DO NOTHING
        """,
        account_id=account_id,
        id=uuid.uuid4().hex,
        subject=batch_id,
        event=event,
        url=url,
        now=now_us,
    )
