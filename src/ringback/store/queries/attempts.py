"""SQL for the attempts of one execution, as the ledger keeps them. The queue has its own in `attempts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ringback.store.database import Reader, Row, Transaction
from ringback.store.statement import in_lists

_COLUMNS = (
    "account_id, execution_id, number, state, due_at, lease_owner, lease_until, cancel_requested, call_id, "
    "dialled_at, ringing_at, answered_at, ended_at, status, hangup_by, hangup_reason, hangup_provider_code, "
    "sip_code, recording_path, recording_token, recording_ms, recording_sha256, conversation_ms, agent_id, "
    "batch_id, lane, trunk, seq, slot_since, dial_at, tries, reserved, transfers, transfer_token, metered"
)
_OF_EXECUTION = f"""
SELECT {_COLUMNS} FROM attempts WHERE account_id = :account_id AND execution_id = :execution_id
"""
_CURRENT = f"{_OF_EXECUTION} ORDER BY number DESC LIMIT 1"

_JOINED = """
FROM attempts JOIN executions
  ON executions.account_id = attempts.account_id AND executions.id = attempts.execution_id
"""
_RECORDING = (
    "SELECT attempts.account_id, attempts.execution_id, attempts.recording_path, executions.status" + _JOINED
)
_TRANSFERS = (
    "SELECT attempts.account_id, attempts.execution_id, attempts.transfers, executions.status" + _JOINED
)


async def insert(tx: Transaction, row: Mapping[str, object]) -> None:
    """`row` has every column, `account_id` too."""
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    await tx.execute(f"INSERT INTO attempts ({names}) VALUES ({values})", **row)


async def insert_many(tx: Transaction, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """As `insert`, fast."""
    await tx.insert_rows("attempts", columns, rows)


async def of_execution(db: Reader, account_id: str, execution_id: str) -> list[Row]:
    """All, in their order."""
    return await db.fetch_all(
        f"{_OF_EXECUTION} ORDER BY number", account_id=account_id, execution_id=execution_id
    )


async def current(db: Reader, account_id: str, execution_id: str) -> Row | None:
    return await db.fetch_one(_CURRENT, account_id=account_id, execution_id=execution_id)


async def lock_current(tx: Transaction, account_id: str, execution_id: str) -> Row | None:
    """As `current`, and nobody else changes it until the transaction ends.

    An attempt is always locked before its execution, as the queue does: no two transactions wait for each other.
    """
    return await tx.fetch_one(f"{_CURRENT} FOR UPDATE", account_id=account_id, execution_id=execution_id)


async def lock(tx: Transaction, account_id: str, execution_id: str, number: int) -> Row | None:
    """As `lock_current`, of one attempt, whether it is current or not."""
    return await tx.fetch_one(
        f"{_OF_EXECUTION} AND number = :number FOR UPDATE",
        account_id=account_id,
        execution_id=execution_id,
        number=number,
    )


async def lock_all(tx: Transaction, account_id: str, execution_ids: Sequence[str]) -> list[Row]:
    """Every attempt of some executions, by execution and number, locked in this order."""
    found: list[Row] = []
    for ids in in_lists(sorted(execution_ids)):
        found += await tx.fetch_all(
            f"""
            SELECT {_COLUMNS} FROM attempts
            WHERE account_id = :account_id AND execution_id IN ({ids.names})
            ORDER BY execution_id, number FOR UPDATE
            """,
            account_id=account_id,
            **ids.values,
        )
    return found


async def newest(db: Reader, account_id: str, execution_id: str) -> int | None:
    """The number of the current attempt."""
    row = await db.fetch_one(
        """
        SELECT number FROM attempts WHERE account_id = :account_id AND execution_id = :execution_id
        ORDER BY number DESC LIMIT 1
        """,
        account_id=account_id,
        execution_id=execution_id,
    )
    return row["number"] if row else None


async def update(
    tx: Transaction, account_id: str, execution_id: str, number: int, changes: Mapping[str, object]
) -> None:
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    await tx.execute(
        f"""
        UPDATE attempts SET {assignments}
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number
        """,
        **changes,
        account_id=account_id,
        execution_id=execution_id,
        number=number,
    )


async def update_many(
    tx: Transaction, columns: Sequence[str], changes: Sequence[Mapping[str, object]]
) -> None:
    """Each of the changes has the columns, and account_id, execution_id, number."""
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    await tx.execute_many(
        f"""
        UPDATE attempts SET {assignments}
        WHERE account_id = :account_id AND execution_id = :execution_id AND number = :number
        """,
        changes,
    )


async def recording(db: Reader, account_id: str, execution_id: str) -> Row | None:
    """account_id, execution_id and recording_path of the current attempt, with the execution's status."""
    return await db.fetch_one(
        f"""
        {_RECORDING} WHERE attempts.account_id = :account_id AND attempts.execution_id = :execution_id
        ORDER BY attempts.number DESC LIMIT 1
        """,
        account_id=account_id,
        execution_id=execution_id,
    )


async def transfers(db: Reader, account_id: str, execution_id: str) -> Row | None:
    """account_id, execution_id and transfers of the current attempt, with the execution's status."""
    return await db.fetch_one(
        f"""
        {_TRANSFERS} WHERE attempts.account_id = :account_id AND attempts.execution_id = :execution_id
        ORDER BY attempts.number DESC LIMIT 1
        """,
        account_id=account_id,
        execution_id=execution_id,
    )


async def transfers_of_token(db: Reader, token: str) -> Row | None:
    """As `transfers`. Cross-account: the link of a recording works without a key."""
    return await db.fetch_one(f"{_TRANSFERS} WHERE attempts.transfer_token = :token", token=token)


async def recording_of_token(db: Reader, token: str) -> Row | None:
    """As `recording`. Cross-account: the link of a recording works without a key."""
    return await db.fetch_one(f"{_RECORDING} WHERE attempts.recording_token = :token", token=token)
