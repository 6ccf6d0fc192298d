"""SQL for what is entered in wallets: append only, but for the mark that an entry is in its wallet's balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ringback.store.database import Reader, Row, Transaction

_AMOUNT = """
SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS amount FROM usage_lines
WHERE account_id = :account_id AND execution_id = :execution_id AND attempt = :attempt
"""


async def insert(tx: Transaction, entries: Sequence[Mapping[str, object]]) -> None:
    """Each has every column but `counted`, which they are: the wallet must be locked, and be changed with them."""
    await tx.execute_many(
        """
        INSERT INTO wallet_entries (account_id, id, at_us, kind, debit, credit, amount, spender, execution_id, attempt,
          note, counted)
        VALUES (:account_id, :id, :at_us, :kind, :debit, :credit, :amount, :spender, :execution_id, :attempt,
          :note, TRUE)
        """,
        entries,
    )


async def charge_unlimited(
    tx: Transaction, account_id: str, execution_id: str, attempt: int, *, entry_id: str, now_us: int
) -> bool:
    """Charge an attempt's lines to its payer, if that is unlimited; they are counted later.

    False, and nothing is entered: the payer is limited, or the lines cost nothing.
    """
    return (
        await tx.execute(
            f"""
        INSERT INTO wallet_entries (account_id, id, at_us, kind, debit, credit, amount, spender, execution_id, attempt,
          counted)
        SELECT w.account_id, CAST(:id AS TEXT), CAST(:now AS BIGINT), 'charge', 'wallet', 'revenue', u.amount,
          CAST(:account_id AS TEXT), CAST(:execution_id AS TEXT), CAST(:attempt AS INTEGER), FALSE
        FROM (
          SELECT account_id FROM wallets WHERE unlimited AND account_id = (
            SELECT COALESCE(parent_id, account_id) FROM accounts WHERE account_id = :account_id
          ) FOR KEY SHARE
        ) AS w CROSS JOIN ({_AMOUNT}) AS u WHERE u.amount > 0
        """,
            id=entry_id,
            now=now_us,
            account_id=account_id,
            execution_id=execution_id,
            attempt=attempt,
        )
        == 1
    )


async def to_charge(tx: Transaction, account_id: str, execution_id: str, attempt: int) -> int:
    """What the lines of an attempt amount to."""
    row = await tx.fetch_one(_AMOUNT, account_id=account_id, execution_id=execution_id, attempt=attempt)
    return row["amount"] if row else 0


async def uncounted_accounts(db: Reader) -> list[str]:
    """Whose wallets have entries that are not counted. Cross-account: for upkeep."""
    rows = await db.fetch_all("SELECT DISTINCT account_id FROM wallet_entries WHERE NOT counted")
    return [row["account_id"] for row in rows]


async def take_uncounted(tx: Transaction, account_id: str, *, limit: int) -> list[int]:
    """Mark the first entries that are not counted as counted; the amounts, which leave the wallet.

    The wallet must be locked, and be changed with them.
    """
    rows = await tx.fetch_all(
        """
        UPDATE wallet_entries SET counted = TRUE
        WHERE account_id = :account_id AND NOT counted AND id <= (
          SELECT MAX(id) FROM (
            SELECT id FROM wallet_entries WHERE account_id = :account_id AND NOT counted ORDER BY id LIMIT :limit
          ) AS first
        ) RETURNING amount
        """,
        account_id=account_id,
        limit=limit,
    )
    return [row["amount"] for row in rows]


async def latest(db: Reader, account_id: str, *, limit: int) -> list[Row]:
    """id, at_us, kind, debit, credit, amount, spender, execution_id, attempt, note; newest first."""
    return await db.fetch_all(
        """
        SELECT id, at_us, kind, debit, credit, amount, spender, execution_id, attempt, note FROM wallet_entries
        WHERE account_id = :account_id ORDER BY id DESC LIMIT :limit
        """,
        account_id=account_id,
        limit=limit,
    )
