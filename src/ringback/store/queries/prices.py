"""SQL for prices. Rows are only added and closed: what was valid at a moment stays known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ringback.store.database import Reader, Row, Transaction

_COLUMNS = "account_id, kind, provider, model, unit, price, per, step, valid_from, valid_until"


async def that_hold(db: Reader, account_id: str) -> list[Row]:
    """Of the account, of its parent and of every account (''), whenever they are valid."""
    return await db.fetch_all(
        f"""
        SELECT {_COLUMNS} FROM prices
        WHERE account_id IN ('', :account_id)
          OR account_id = (SELECT parent_id FROM accounts WHERE account_id = :account_id)
        ORDER BY account_id, kind, unit, provider, model, valid_from
        """,
        account_id=account_id,
    )


async def of_account(db: Reader, account_id: str, *, lock: bool = False) -> list[Row]:
    """Its own ('': every account's) with their ids, also what is over; locked until the transaction ends, if it is
    one and asks for it."""
    return await db.fetch_all(
        f"""
        SELECT id, {_COLUMNS} FROM prices WHERE account_id = :account_id
        ORDER BY kind, unit, provider, model, valid_from {"FOR UPDATE" if lock else ""}
        """,
        account_id=account_id,
    )


async def insert(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Every row has every column."""
    await tx.execute_many(
        f"""
        INSERT INTO prices (id, created_at, {_COLUMNS})
        VALUES (:id, :created_at, :account_id, :kind, :provider, :model, :unit, :price, :per, :step, :valid_from,
          :valid_until)
        """,
        rows,
    )


async def close(tx: Transaction, account_id: str, price_id: str, valid_until: int) -> None:
    await tx.execute(
        "UPDATE prices SET valid_until = :valid_until WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=price_id,
        valid_until=valid_until,
    )
