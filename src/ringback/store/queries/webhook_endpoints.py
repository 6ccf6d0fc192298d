"""SQL for the endpoints of webhooks: each URL of an account's, its secrets, and how it does."""

from __future__ import annotations

import uuid
from typing import Final

from ringback.store.database import Reader, Row, Transaction

_COLUMNS: Final = (
    "account_id, id, url, secret, old_secret, old_secret_until, state, failing_since, failures, paused_until, "
    "disabled_at, disabled_why, created_at"
)


async def ensure(tx: Transaction, account_id: str, url: str, *, secret: str, now_us: int) -> None:
    """Add the URL with this secret, unless it is there."""
    await tx.execute(
        """
        INSERT INTO webhook_endpoints (account_id, id, url, secret, created_at)
        VALUES (:account_id, :id, :url, :secret, :now) ON CONFLICT (account_id, url) DO NOTHING
        """,
        account_id=account_id,
        id=uuid.uuid4().hex,
        url=url,
        secret=secret,
        now=now_us,
    )


async def get(db: Reader, account_id: str, endpoint_id: str) -> Row | None:
    return await db.fetch_one(
        f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=endpoint_id,
    )


async def lock(tx: Transaction, account_id: str, endpoint_id: str) -> Row | None:
    """As `get`, and nobody else changes it until the transaction ends. New deliveries go on."""
    return await tx.fetch_one(
        f"""
        SELECT {_COLUMNS} FROM webhook_endpoints WHERE account_id = :account_id AND id = :id FOR NO KEY UPDATE
        """,
        account_id=account_id,
        id=endpoint_id,
    )


async def after(db: Reader, account_id: str, last_id: str, *, limit: int) -> list[Row]:
    """Of an account, in the order of their ids."""
    return await db.fetch_all(
        f"""
        SELECT {_COLUMNS} FROM webhook_endpoints WHERE account_id = :account_id AND id > :last_id
        ORDER BY id LIMIT :limit
        """,
        account_id=account_id,
        last_id=last_id,
        limit=limit,
    )


async def busy(db: Reader, *, now_us: int, limit: int) -> list[Row]:
    """Of the enabled endpoints for which something waits: account_id, id, failures, when the first of it is due
    (`due_at`, not before the endpoint's pause is over), and the first that is due after now (`next_due_at`, or null).
    Those that are due longest come first. Cross-account: for the deliverer.

    Each is two looks into an index, however much waits.
    """
    return await db.fetch_all(
        """
        SELECT account_id, id, failures, next_due_at,
          CASE WHEN paused_until > first_due_at THEN paused_until ELSE first_due_at END AS due_at
        FROM (
          SELECT e.account_id, e.id, e.failures, e.paused_until, (
              SELECT MIN(d.due_at) FROM webhook_deliveries d
              WHERE d.account_id = e.account_id AND d.endpoint_id = e.id AND d.state = 'waiting'
            ) AS first_due_at, (
              SELECT MIN(d.due_at) FROM webhook_deliveries d
              WHERE d.account_id = e.account_id AND d.endpoint_id = e.id AND d.state = 'waiting'
                AND d.due_at > CAST(:now AS BIGINT)
            ) AS next_due_at
          FROM webhook_endpoints e WHERE e.state = 'enabled'
        ) AS found
        WHERE first_due_at IS NOT NULL ORDER BY due_at, id LIMIT :limit
        """,
        now=now_us,
        limit=limit,
    )


async def succeeded(tx: Transaction, account_id: str, endpoint_id: str) -> None:
    """It does well; nothing is written where it did before."""
    await tx.execute(
        """
        UPDATE webhook_endpoints SET failing_since = NULL, failures = 0, paused_until = 0
        WHERE account_id = :account_id AND id = :id AND failures > 0
        """,
        account_id=account_id,
        id=endpoint_id,
    )


async def failed(
    tx: Transaction,
    account_id: str,
    endpoint_id: str,
    *,
    since_us: int | None,
    failures: int,
    paused_until_us: int,
) -> None:
    await tx.execute(
        """
        UPDATE webhook_endpoints SET failing_since = :since, failures = :failures, paused_until = :paused_until
        WHERE account_id = :account_id AND id = :id
        """,
        account_id=account_id,
        id=endpoint_id,
        since=since_us,
        failures=failures,
        paused_until=paused_until_us,
    )


async def disable(tx: Transaction, account_id: str, endpoint_id: str, *, why: str, now_us: int) -> None:
    await tx.execute(
        """
        UPDATE webhook_endpoints SET state = 'disabled', disabled_at = :now, disabled_why = :why
        WHERE account_id = :account_id AND id = :id AND state = 'enabled'
        """,
        account_id=account_id,
        id=endpoint_id,
        why=why,
        now=now_us,
    )


async def enable(tx: Transaction, account_id: str, endpoint_id: str) -> None:
    """As if it had never failed."""
    await tx.execute(
        """
        UPDATE webhook_endpoints SET state = 'enabled', failing_since = NULL, failures = 0, paused_until = 0,
          disabled_at = NULL, disabled_why = NULL
        WHERE account_id = :account_id AND id = :id
        """,
        account_id=account_id,
        id=endpoint_id,
    )


async def rotate(
    tx: Transaction, account_id: str, endpoint_id: str, *, secret: str, old_until_us: int
) -> bool:
    """The secret until now becomes the old one. False: there is no such endpoint."""
    return (
        await tx.execute(
            """
            UPDATE webhook_endpoints SET old_secret = secret, old_secret_until = :old_until, secret = :secret
            WHERE account_id = :account_id AND id = :id
            """,
            account_id=account_id,
            id=endpoint_id,
            secret=secret,
            old_until=old_until_us,
        )
        == 1
    )


async def accounts(db: Reader) -> list[str]:
    """Those with endpoints. Cross-account: for upkeep."""
    rows = await db.fetch_all("SELECT DISTINCT account_id FROM webhook_endpoints")
    return [row["account_id"] for row in rows]
