"""SQL for extraction templates. Schema, inputs and keys are JSON texts that only `ringback.agents` reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ringback.store.database import Reader, Row, Transaction

_FIELDS: Final = (
    "name",
    "json_schema",
    "instructions",
    "model",
    "inputs",
    "keys",
    "display",
    "supports_custom_questions",
)
_COLUMNS: Final = ", ".join(("account_id", "id", *_FIELDS, "created_at", "updated_at"))
_GET: Final = f"SELECT {_COLUMNS} FROM extraction_templates WHERE account_id = :account_id AND id = :id"
_VALUES: Final = ", ".join(f":{name}" for name in _FIELDS)
_SET: Final = ", ".join(f"{name} = :{name}" for name in _FIELDS)


async def insert(
    tx: Transaction, account_id: str, template_id: str, fields: Mapping[str, object], *, now_us: int
) -> None:
    await tx.execute(
        f"INSERT INTO extraction_templates ({_COLUMNS}) VALUES (:account_id, :id, {_VALUES}, :now, :now)",
        account_id=account_id,
        id=template_id,
        now=now_us,
        **{name: fields[name] for name in _FIELDS},
    )


async def get(db: Reader, account_id: str, template_id: str) -> Row | None:
    return await db.fetch_one(_GET, account_id=account_id, id=template_id)


async def lock(tx: Transaction, account_id: str, template_id: str) -> Row | None:
    """As `get`, and nobody else changes it until the transaction ends."""
    return await tx.fetch_one(f"{_GET} FOR UPDATE", account_id=account_id, id=template_id)


async def after(db: Reader, account_id: str, *, created_at: int, template_id: str, limit: int) -> list[Row]:
    """A page in the order of their creation, of what comes after this time and id."""
    return await db.fetch_all(
        f"""
        SELECT {_COLUMNS} FROM extraction_templates
        WHERE account_id = :account_id AND (created_at, id) > (:created_at, :id)
        ORDER BY created_at, id LIMIT :limit
        """,
        account_id=account_id,
        created_at=created_at,
        id=template_id,
        limit=limit,
    )


async def update(
    tx: Transaction, account_id: str, template_id: str, fields: Mapping[str, object], *, now_us: int
) -> None:
    await tx.execute(
        f"UPDATE extraction_templates SET {_SET}, updated_at = :now"
        " WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=template_id,
        now=now_us,
        **{name: fields[name] for name in _FIELDS},
    )


async def delete(tx: Transaction, account_id: str, template_id: str) -> bool:
    """False: no such template."""
    return (
        await tx.execute(
            "DELETE FROM extraction_templates WHERE account_id = :account_id AND id = :id",
            account_id=account_id,
            id=template_id,
        )
        == 1
    )
