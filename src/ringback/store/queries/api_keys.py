"""SQL for API keys. Only their SHA-256 is kept."""

from __future__ import annotations

from ringback.store.database import Reader, Row, Transaction


async def insert(
    tx: Transaction, *, account_id: str, key_id: str, name: str, key_hash: str, prefix: str, now_us: int
) -> bool:
    """False: this key is stored already."""
    return (
        await tx.execute(
            """
        INSERT INTO api_keys (account_id, id, name, hash, prefix, created_at, revoked_at)
        VALUES (:account_id, :id, :name, :hash, :prefix, :now, NULL)
        ON CONFLICT (hash) DO NOTHING
        """,
            account_id=account_id,
            id=key_id,
            name=name,
            hash=key_hash,
            prefix=prefix,
            now=now_us,
        )
        == 1
    )


async def owner(db: Reader, key_hash: str) -> Row | None:
    """The account, unless it was deleted, of a key that is not revoked. Cross-account: the key is all that a caller
    shows."""
    return await db.fetch_one(
        """
        SELECT accounts.account_id, accounts.name, accounts.created_at
        FROM api_keys JOIN accounts ON accounts.account_id = api_keys.account_id
        WHERE api_keys.hash = :hash AND api_keys.revoked_at IS NULL AND accounts.deleted_at IS NULL
        """,
        hash=key_hash,
    )


async def of_account(db: Reader, account_id: str) -> list[Row]:
    """Oldest first, revoked ones too."""
    return await db.fetch_all(
        """
        SELECT account_id, id, name, prefix, created_at, revoked_at FROM api_keys
        WHERE account_id = :account_id ORDER BY created_at, id
        """,
        account_id=account_id,
    )


async def revoke(tx: Transaction, *, account_id: str, key_id: str, now_us: int) -> bool:
    """False: no such key, or revoked already."""
    return (
        await tx.execute(
            """
        UPDATE api_keys SET revoked_at = :now
        WHERE account_id = :account_id AND id = :id AND revoked_at IS NULL
        """,
            account_id=account_id,
            id=key_id,
            now=now_us,
        )
        == 1
    )
