"""SQL for the trunks of accounts and their gateways. Passwords are encrypted; arrays are JSON texts that only
`ringback.trunks` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ringback.store.database import Reader, Row, Transaction
from ringback.store.statement import in_lists

_FIELDS: Final = (
    "name",
    "provider",
    "description",
    "auth_type",
    "auth_username",
    "auth_password",
    "ip_identifiers",
    "allow",
    "disallow",
    "transport",
    "direct_media",
    "rtp_symmetric",
    "force_rport",
    "media_encryption",
    "media_encryption_optimistic",
    "qualify_frequency",
    "inbound_enabled",
    "outbound_leading_plus_enabled",
    "is_active",
    "max_calls",
    "interval_us",
)
_STATE: Final = (
    "lease_owner, lease_until, registration, registered_until, contact, registration_code, registration_error"
)
_COLUMNS: Final = f"account_id, id, {', '.join(_FIELDS)}, created_at, updated_at, {_STATE}"
_GET: Final = f"SELECT {_COLUMNS} FROM trunks WHERE account_id = :account_id AND id = :id"
_VALUES: Final = ", ".join(f":{name}" for name in _FIELDS)
_SET: Final = ", ".join(f"{name} = :{name}" for name in _FIELDS)
_GATEWAY: Final = (
    "account_id, trunk_id, position, address, port, priority, state, asked_at, answer_us, code, error"
)


async def insert(
    tx: Transaction, account_id: str, trunk_id: str, fields: Mapping[str, object], *, now_us: int
) -> bool:
    """False: the account has a trunk of this name."""
    inserted = await tx.execute(
        f"""
        INSERT INTO trunks (account_id, id, {", ".join(_FIELDS)}, created_at, updated_at)
        VALUES (:account_id, :id, {_VALUES}, :now, :now) ON CONFLICT (account_id, name) DO NOTHING
        """,
        account_id=account_id,
        id=trunk_id,
        now=now_us,
        **{name: fields[name] for name in _FIELDS},
    )
    return inserted == 1


async def get(db: Reader, account_id: str, trunk_id: str) -> Row | None:
    return await db.fetch_one(_GET, account_id=account_id, id=trunk_id)


async def lock(tx: Transaction, account_id: str, trunk_id: str) -> Row | None:
    """As `get`, and nobody else changes it until the transaction ends."""
    return await tx.fetch_one(f"{_GET} FOR NO KEY UPDATE", account_id=account_id, id=trunk_id)


async def named(db: Reader, account_id: str, name: str) -> str | None:
    """The id of the account's trunk of this name."""
    row = await db.fetch_one(
        "SELECT id FROM trunks WHERE account_id = :account_id AND name = :name",
        account_id=account_id,
        name=name,
    )
    return row["id"] if row else None


async def any_of_accounts(db: Reader) -> bool:
    """Whether some account has a trunk of its own. Cross-account."""
    return await db.fetch_one("SELECT 1 AS one FROM trunks LIMIT 1") is not None


async def count(db: Reader, account_id: str) -> int:
    row = await db.fetch_one(
        "SELECT COUNT(*) AS n FROM trunks WHERE account_id = :account_id", account_id=account_id
    )
    return int(row["n"]) if row else 0


async def of_account(db: Reader, account_id: str) -> list[Row]:
    """In the order of their creation; who makes them sees to it that they are not many."""
    return await db.fetch_all(
        f"SELECT {_COLUMNS} FROM trunks WHERE account_id = :account_id ORDER BY created_at, id",
        account_id=account_id,
    )


async def active(db: Reader) -> list[Row]:
    """Every active trunk of the installation. Cross-account: for workers, who carry the calls of all."""
    return await db.fetch_all(f"SELECT {_COLUMNS} FROM trunks WHERE is_active = TRUE ORDER BY account_id, id")


async def update(
    tx: Transaction, account_id: str, trunk_id: str, fields: Mapping[str, object], *, now_us: int
) -> None:
    """What was known of its registration is forgotten: it may be another's now."""
    await tx.execute(
        f"""
        UPDATE trunks SET {_SET}, updated_at = :now, registration = NULL, registered_until = NULL, contact = NULL,
          registration_code = NULL, registration_error = NULL
        WHERE account_id = :account_id AND id = :id
        """,
        account_id=account_id,
        id=trunk_id,
        now=now_us,
        **{name: fields[name] for name in _FIELDS},
    )


async def delete(tx: Transaction, account_id: str, trunk_id: str) -> bool:
    """With its gateways and numbers. False: no such trunk."""
    return (
        await tx.execute(
            "DELETE FROM trunks WHERE account_id = :account_id AND id = :id",
            account_id=account_id,
            id=trunk_id,
        )
        == 1
    )


# Gateways.


async def set_gateways(
    tx: Transaction, account_id: str, trunk_id: str, gateways: Sequence[tuple[str, int, int]]
) -> None:
    """Address, port and priority of each, in the place of those that were there. Nothing is known of them yet."""
    await tx.execute(
        "DELETE FROM trunk_gateways WHERE account_id = :account_id AND trunk_id = :id",
        account_id=account_id,
        id=trunk_id,
    )
    await tx.insert_rows(
        "trunk_gateways",
        ("account_id", "trunk_id", "position", "address", "port", "priority"),
        [(account_id, trunk_id, position, *gateway) for position, gateway in enumerate(gateways, 1)],
    )


async def gateways_of(db: Reader, account_id: str, trunk_ids: Sequence[str]) -> list[Row]:
    """Of these trunks of the account, each trunk's in their order."""
    found: list[Row] = []
    for ids in in_lists(sorted(trunk_ids)):
        found += await db.fetch_all(
            f"""
            SELECT {_GATEWAY} FROM trunk_gateways
            WHERE account_id = :account_id AND trunk_id IN ({ids.names}) ORDER BY trunk_id, position
            """,
            account_id=account_id,
            **ids.values,
        )
    return found


async def gateways(db: Reader) -> list[Row]:
    """Of every active trunk, each trunk's in their order. Cross-account: for workers."""
    columns = ", ".join(f"g.{name}" for name in _GATEWAY.split(", "))
    return await db.fetch_all(
        f"""
        SELECT {columns} FROM trunk_gateways g
        JOIN trunks t ON t.account_id = g.account_id AND t.id = g.trunk_id AND t.is_active = TRUE
        ORDER BY g.account_id, g.trunk_id, g.position
        """
    )


async def qualified(
    tx: Transaction,
    account_id: str,
    trunk_id: str,
    position: int,
    *,
    address: str,
    port: int,
    state: str,
    asked_at: int,
    answer_us: int | None,
    code: int | None,
    error: str | None,
) -> None:
    """What a gateway answered; nothing, if it is another one by now."""
    await tx.execute(
        """
        UPDATE trunk_gateways SET state = :state, asked_at = :asked_at, answer_us = :answer_us, code = :code,
          error = :error
        WHERE account_id = :account_id AND trunk_id = :id AND position = :position AND address = :address
          AND port = :port
        """,
        account_id=account_id,
        id=trunk_id,
        position=position,
        address=address,
        port=port,
        state=state,
        asked_at=asked_at,
        answer_us=answer_us,
        code=code,
        error=error,
    )


# Who keeps a trunk, and how its registration does.


async def keep(tx: Transaction, *, owner: str, until_us: int, now_us: int, most: int) -> list[Row]:
    """account_id and id of the active trunks that `owner` keeps from now on: those that it kept, and of those that
    nobody does, up to `most` in all. Cross-account: a worker keeps trunks of anybody."""
    await tx.execute(
        """
        UPDATE trunks SET lease_until = :until
        WHERE lease_owner = :owner AND lease_until >= CAST(:now AS BIGINT) AND is_active = TRUE
        """,
        owner=owner,
        until=until_us,
        now=now_us,
    )
    kept = await tx.fetch_all(
        "SELECT account_id, id FROM trunks WHERE lease_owner = :owner AND lease_until = CAST(:until AS BIGINT)",
        owner=owner,
        until=until_us,
    )
    free = await tx.fetch_all(
        """
        SELECT account_id, id FROM trunks
        WHERE is_active = TRUE AND (lease_owner IS NULL OR lease_until < CAST(:now AS BIGINT))
        ORDER BY account_id, id LIMIT :most FOR NO KEY UPDATE SKIP LOCKED
        """,
        now=now_us,
        most=max(0, most - len(kept)),
    )
    for row in free:
        await tx.execute(
            """
            UPDATE trunks SET lease_owner = :owner, lease_until = :until WHERE account_id = :account_id AND id = :id
            """,
            owner=owner,
            until=until_us,
            account_id=row["account_id"],
            id=row["id"],
        )
    return [*kept, *free]


async def leave(tx: Transaction, *, owner: str) -> None:
    """`owner` keeps none any more. Cross-account."""
    await tx.execute(
        "UPDATE trunks SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = :owner", owner=owner
    )


async def registered(
    tx: Transaction,
    account_id: str,
    trunk_id: str,
    *,
    owner: str,
    version: int,
    registration: str | None,
    until_us: int | None,
    contact: str | None,
    code: int | None,
    error: str | None,
) -> None:
    """How a registration went, by who keeps the trunk; nothing, if it was changed since `version` (`updated_at`)."""
    await tx.execute(
        """
        UPDATE trunks SET registration = :registration, registered_until = :until, contact = :contact,
          registration_code = :code, registration_error = :error
        WHERE account_id = :account_id AND id = :id AND lease_owner = :owner AND updated_at = :version
        """,
        account_id=account_id,
        id=trunk_id,
        owner=owner,
        version=version,
        registration=registration,
        until=until_us,
        contact=contact,
        code=code,
        error=error,
    )
