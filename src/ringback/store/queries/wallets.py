"""SQL for wallets: what an account may spend, and what of it is reserved. A sub-account's calls are paid by its parent.

A wallet is locked last of all. Who is unlimited only inserts entries, under FOR KEY SHARE, which waits for nobody but
who sets a limit (FOR UPDATE); what it inserted is counted later.
"""

from __future__ import annotations

from ringback.store.database import Reader, Row, Transaction

_COLUMNS = "account_id, balance, reserved, unlimited"
_SHOWN = """
account_id, reserved, unlimited, CAST(balance - COALESCE((
  SELECT SUM(e.amount) FROM wallet_entries e WHERE e.account_id = wallets.account_id AND NOT e.counted
), 0) AS BIGINT) AS balance
"""


async def insert(tx: Transaction, account_id: str) -> None:
    """An empty, unlimited one, unless there is one."""
    await tx.execute(
        "INSERT INTO wallets (account_id) VALUES (:account_id) ON CONFLICT (account_id) DO NOTHING",
        account_id=account_id,
    )


async def shown(db: Reader, account_id: str) -> Row | None:
    """account_id, balance, reserved, unlimited, of this moment: entries that are not counted yet included."""
    return await db.fetch_one(
        f"SELECT {_SHOWN} FROM wallets WHERE account_id = :account_id", account_id=account_id
    )


async def every(db: Reader) -> list[Row]:
    """As `shown`, of all accounts in the order of their ids. Cross-account: for the operator."""
    return await db.fetch_all(f"SELECT {_SHOWN} FROM wallets ORDER BY account_id")


async def payer(db: Reader, account_id: str) -> Row | None:
    """payer, unlimited, deleted_at: who pays for the account's calls, and whether it was deleted itself."""
    return await db.fetch_one(
        """
        SELECT COALESCE(a.parent_id, a.account_id) AS payer, w.unlimited, a.deleted_at
        FROM accounts a LEFT JOIN wallets w ON w.account_id = COALESCE(a.parent_id, a.account_id)
        WHERE a.account_id = :account_id
        """,
        account_id=account_id,
    )


async def lock(tx: Transaction, account_id: str) -> Row | None:
    """The account's own wallet; nobody else counts in it until the transaction ends."""
    return await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM wallets WHERE account_id = :account_id FOR NO KEY UPDATE",
        account_id=account_id,
    )


async def lock_payers(tx: Transaction, account_id: str) -> Row | None:
    """As `lock`, of whoever pays for the account."""
    return await tx.fetch_one(
        f"""
        SELECT {_COLUMNS} FROM wallets WHERE account_id = (
          SELECT COALESCE(parent_id, account_id) FROM accounts WHERE account_id = :account_id
        ) FOR NO KEY UPDATE
        """,
        account_id=account_id,
    )


async def lock_whole(tx: Transaction, account_id: str) -> Row | None:
    """As `lock`, once nobody is on the way with an entry that is not counted; none comes until the transaction ends."""
    return await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM wallets WHERE account_id = :account_id FOR UPDATE", account_id=account_id
    )


async def reserve(tx: Transaction, account_id: str, amount: int) -> bool:
    """Take an amount aside, if the wallet has so much. False: it has not, and nothing has changed."""
    return (
        await tx.execute(
            """
        UPDATE wallets SET balance = balance - :amount, reserved = reserved + :amount
        WHERE account_id = :account_id AND (unlimited OR balance >= :amount)
        """,
            account_id=account_id,
            amount=amount,
        )
        == 1
    )


async def change(tx: Transaction, account_id: str, *, balance: int, reserved: int) -> None:
    """Add to both. The wallet must be locked."""
    await tx.execute(
        """
        UPDATE wallets SET balance = balance + :balance, reserved = reserved + :reserved
        WHERE account_id = :account_id
        """,
        account_id=account_id,
        balance=balance,
        reserved=reserved,
    )


async def set_unlimited(tx: Transaction, account_id: str, unlimited: bool) -> None:
    await tx.execute(
        "UPDATE wallets SET unlimited = :unlimited WHERE account_id = :account_id",
        account_id=account_id,
        unlimited=unlimited,
    )
