"""SQL for executions, one row at a time; their lists are in `execution_lists`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ringback.store.database import Reader, Row, Transaction
from ringback.store.statement import in_lists

# Without the body, which is long.
_COLUMNS = (
    "account_id, id, agent_id, seq, batch_id, status, call_type, provider, to_number, from_number, "
    "hosted_telephony, recipient_data, agent_data, context_data, extracted_data, summary, error_message, "
    "answered_by_voice_mail, termination_reason, scheduled_at, rescheduled_at, initiated_at, retry_config, "
    "retry_count, retry_history, latency_data, cost_llm, cost_network, cost_platform, cost_synthesizer, "
    "cost_transcriber, updated_at, bypass_guardrails, line, moves, extraction_webhook_status, trunk_id"
)
_GET = f"SELECT {_COLUMNS} FROM executions WHERE account_id = :account_id AND id = :id"


async def insert(tx: Transaction, row: Mapping[str, object]) -> None:
    """`row` has every column, `account_id` and `body` too."""
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    await tx.execute(f"INSERT INTO executions ({names}) VALUES ({values})", **row)


async def insert_many(tx: Transaction, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """As `insert`, fast."""
    await tx.insert_rows("executions", columns, rows)


async def get(db: Reader, account_id: str, execution_id: str) -> Row | None:
    """Every column but the body."""
    return await db.fetch_one(_GET, account_id=account_id, id=execution_id)


async def account_of(db: Reader, execution_id: str) -> str | None:
    """The account that an execution is of. Cross-account: for the operator, who has only its id."""
    row = await db.fetch_one(
        """
        SELECT a.account_id FROM accounts a JOIN executions e
          ON e.account_id = a.account_id AND e.id = :id LIMIT 1
        """,
        id=execution_id,
    )
    return None if row is None else str(row["account_id"])


async def lock(tx: Transaction, account_id: str, execution_id: str) -> Row | None:
    """As `get`, and nobody else changes it until the transaction ends."""
    return await tx.fetch_one(f"{_GET} FOR UPDATE", account_id=account_id, id=execution_id)


async def lock_all(tx: Transaction, account_id: str, execution_ids: Sequence[str]) -> list[Row]:
    """As `lock`, of some, locked in the order of their ids. Their attempts must be locked."""
    found: list[Row] = []
    for ids in in_lists(sorted(execution_ids)):
        found += await tx.fetch_all(
            f"""
            SELECT {_COLUMNS} FROM executions WHERE account_id = :account_id AND id IN ({ids.names})
            ORDER BY id FOR UPDATE
            """,
            account_id=account_id,
            **ids.values,
        )
    return found


async def update(tx: Transaction, account_id: str, execution_id: str, changes: Mapping[str, object]) -> None:
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    await tx.execute(
        f"UPDATE executions SET {assignments} WHERE account_id = :account_id AND id = :id",
        **changes,
        account_id=account_id,
        id=execution_id,
    )


async def update_many(
    tx: Transaction, columns: Sequence[str], changes: Sequence[Mapping[str, object]]
) -> None:
    """Each of the changes has the columns, and account_id, id."""
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    await tx.execute_many(
        f"UPDATE executions SET {assignments} WHERE account_id = :account_id AND id = :id", changes
    )


async def body(db: Reader, account_id: str, execution_id: str) -> Row | None:
    """agent_id, seq, status, body."""
    return await db.fetch_one(
        "SELECT agent_id, seq, status, body FROM executions WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=execution_id,
    )
