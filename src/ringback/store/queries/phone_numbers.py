"""SQL for telephone numbers: whose they are, on which trunk, and which agent answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ringback.store.database import Reader, Row, Transaction

_COLUMNS: Final = """
n.account_id, n.id, n.trunk_id, n.phone_number, n.digits, n.name, n.e164_check_enabled, a.id AS agent_id, n.price,
n.created_at, n.updated_at
"""
_FROM: Final = """
FROM phone_numbers n
LEFT JOIN agents a ON a.account_id = n.account_id AND a.id = n.agent_id AND a.status <> 'deleted'
"""
"""An agent that was deleted answers nothing."""
_SELECT: Final = f"SELECT {_COLUMNS} {_FROM}"


async def insert(
    tx: Transaction,
    account_id: str,
    number_id: str,
    *,
    trunk_id: str | None,
    phone_number: str,
    digits: str,
    name: str | None,
    e164_check_enabled: bool,
    price: int,
    now_us: int,
) -> bool:
    """False: the account has this number, or, on the trunk of the settings, somebody has."""
    inserted = await tx.execute(
        """
        INSERT INTO phone_numbers (account_id, id, trunk_id, phone_number, digits, name, e164_check_enabled, price,
          created_at, updated_at)
        VALUES (:account_id, :id, :trunk_id, :phone_number, :digits, :name, :checked, :price, :now, :now)
        ON CONFLICT DO NOTHING
        """,
        account_id=account_id,
        id=number_id,
        trunk_id=trunk_id,
        phone_number=phone_number,
        digits=digits,
        name=name,
        checked=e164_check_enabled,
        price=price,
        now=now_us,
    )
    return inserted == 1


async def get(db: Reader, account_id: str, number_id: str) -> Row | None:
    return await db.fetch_one(
        f"{_SELECT} WHERE n.account_id = :account_id AND n.id = :id", account_id=account_id, id=number_id
    )


async def of_account(db: Reader, account_id: str) -> list[Row]:
    """In the order of their creation; who adds them sees to it that they are not too many."""
    return await db.fetch_all(
        f"{_SELECT} WHERE n.account_id = :account_id ORDER BY n.created_at, n.digits", account_id=account_id
    )


async def of_trunk(db: Reader, account_id: str, trunk_id: str) -> list[Row]:
    return await db.fetch_all(
        f"{_SELECT} WHERE n.account_id = :account_id AND n.trunk_id = :trunk_id ORDER BY n.created_at, n.digits",
        account_id=account_id,
        trunk_id=trunk_id,
    )


async def count(db: Reader, account_id: str) -> int:
    row = await db.fetch_one(
        "SELECT COUNT(*) AS n FROM phone_numbers WHERE account_id = :account_id", account_id=account_id
    )
    return int(row["n"]) if row else 0


async def count_of_trunk(db: Reader, account_id: str, trunk_id: str) -> int:
    row = await db.fetch_one(
        "SELECT COUNT(*) AS n FROM phone_numbers WHERE account_id = :account_id AND trunk_id = :trunk_id",
        account_id=account_id,
        trunk_id=trunk_id,
    )
    return int(row["n"]) if row else 0


async def owned(db: Reader, account_id: str, digits: str) -> Row | None:
    """The account's number of these digits, on whichever trunk."""
    return await db.fetch_one(
        f"{_SELECT} WHERE n.account_id = :account_id AND n.digits = :digits",
        account_id=account_id,
        digits=digits,
    )


async def first(db: Reader, account_id: str) -> Row | None:
    """The account's oldest number on a trunk that is not turned off."""
    return await db.fetch_one(
        """
        SELECT n.digits, n.trunk_id FROM phone_numbers n
        LEFT JOIN trunks t ON t.account_id = n.account_id AND t.id = n.trunk_id
        WHERE n.account_id = :account_id AND (n.trunk_id IS NULL OR t.is_active = TRUE)
        ORDER BY n.created_at, n.digits LIMIT 1
        """,
        account_id=account_id,
    )


async def called(db: Reader, account_id: str, trunk_id: str, digits: str) -> Row | None:
    """The number of these digits on a trunk of the account's."""
    return await db.fetch_one(
        f"{_SELECT} WHERE n.account_id = :account_id AND n.digits = :digits AND n.trunk_id = :trunk_id",
        account_id=account_id,
        trunk_id=trunk_id,
        digits=digits,
    )


async def called_here(db: Reader, digits: str) -> Row | None:
    """The number of these digits on the trunk of the settings. Cross-account: the number says whose the call is."""
    return await db.fetch_one(f"{_SELECT} WHERE n.digits = :digits AND n.trunk_id IS NULL", digits=digits)


async def taken(db: Reader, digits: Sequence[str]) -> set[str]:
    """Which of these numbers on the trunk of the settings somebody has. Cross-account."""
    rows = await db.fetch_all("SELECT digits FROM phone_numbers WHERE trunk_id IS NULL")
    return {row["digits"] for row in rows} & set(digits)


async def link(
    tx: Transaction, account_id: str, number_id: str, agent_id: str | None, *, now_us: int
) -> bool:
    """Let this agent answer, or nobody. False: no such number."""
    changed = await tx.execute(
        """
        UPDATE phone_numbers SET agent_id = :agent_id, updated_at = :now WHERE account_id = :account_id AND id = :id
        """,
        account_id=account_id,
        id=number_id,
        agent_id=agent_id,
        now=now_us,
    )
    return changed == 1


async def delete(tx: Transaction, account_id: str, number_id: str) -> bool:
    """False: no such number."""
    deleted = await tx.execute(
        "DELETE FROM phone_numbers WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=number_id,
    )
    return deleted == 1
