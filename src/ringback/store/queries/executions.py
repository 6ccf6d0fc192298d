"""SQL for executions: one row, and the lists of an agent's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ringback.store.database import Reader, Row, Transaction

# Without the body, which is long.
_COLUMNS = (
    "account_id, id, agent_id, seq, batch_id, status, call_type, provider, to_number, from_number, "
    "hosted_telephony, recipient_data, agent_data, context_data, extracted_data, summary, error_message, "
    "answered_by_voice_mail, termination_reason, scheduled_at, rescheduled_at, initiated_at, retry_config, "
    "retry_count, retry_history, latency_data, cost_llm, cost_network, cost_platform, cost_synthesizer, "
    "cost_transcriber, updated_at"
)
_GET = f"SELECT {_COLUMNS} FROM executions WHERE account_id = :account_id AND id = :id"

_CONDITIONS = {
    "call_type": "call_type = :call_type",
    "provider": "provider = :provider",
    "answered_by_voice_mail": "answered_by_voice_mail = :answered_by_voice_mail",
    "batch_id": "batch_id = :batch_id",
    "created_from": "seq >= :created_from",
    "created_to": "seq <= :created_to",
    "before": "seq < :before",
}


async def insert(tx: Transaction, row: Mapping[str, object]) -> None:
    """`row` has every column, `account_id` and `body` too."""
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    await tx.execute(f"INSERT INTO executions ({names}) VALUES ({values})", **row)


async def get(db: Reader, account_id: str, execution_id: str) -> Row | None:
    """Every column but the body."""
    return await db.fetch_one(_GET, account_id=account_id, id=execution_id)


async def lock(tx: Transaction, account_id: str, execution_id: str) -> Row | None:
    """As `get`, and nobody else changes it until the transaction ends."""
    return await tx.fetch_one(f"{_GET} FOR UPDATE", account_id=account_id, id=execution_id)


async def update(tx: Transaction, account_id: str, execution_id: str, changes: Mapping[str, object]) -> None:
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    await tx.execute(
        f"UPDATE executions SET {assignments} WHERE account_id = :account_id AND id = :id",
        **changes,
        account_id=account_id,
        id=execution_id,
    )


async def body(db: Reader, account_id: str, execution_id: str) -> Row | None:
    """agent_id, status, body."""
    return await db.fetch_one(
        "SELECT agent_id, status, body FROM executions WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=execution_id,
    )


async def ids_with_status(
    db: Reader, account_id: str, agent_id: str, statuses: Sequence[str]
) -> Sequence[str]:
    """The executions of an agent that have one of the statuses, oldest first."""
    where, params = _where(account_id, agent_id, {"statuses": statuses})
    rows = await db.fetch_all(f"SELECT id FROM executions WHERE {where} ORDER BY seq", **params)
    return [row["id"] for row in rows]


async def newest(
    db: Reader, account_id: str, agent_id: str, filters: Mapping[str, Any], limit: int
) -> list[Row]:
    """seq, agent_id, status and body, newest first; `before` in the filters goes on after a seq."""
    where, params = _where(account_id, agent_id, filters)
    return await db.fetch_all(
        f"SELECT seq, agent_id, status, body FROM executions WHERE {where} ORDER BY seq DESC LIMIT :limit",
        **params,
        limit=limit,
    )


async def page(
    db: Reader, account_id: str, agent_id: str, filters: Mapping[str, Any], limit: int, offset: int
) -> list[Row]:
    """agent_id, status and body, newest first. The keys come first: what is skipped isn't read."""
    where, params = _where(account_id, agent_id, filters)
    return await db.fetch_all(
        f"""
        SELECT agent_id, status, body FROM executions
        WHERE account_id = :account_id AND agent_id = :agent_id AND seq IN (
          SELECT seq FROM executions WHERE {where} ORDER BY seq DESC LIMIT :limit OFFSET :offset
        ) ORDER BY seq DESC
        """,
        **params,
        limit=limit,
        offset=offset,
    )


async def count(db: Reader, account_id: str, agent_id: str, filters: Mapping[str, Any]) -> int:
    where, params = _where(account_id, agent_id, filters)
    row = await db.fetch_one(f"SELECT COUNT(*) AS total FROM executions WHERE {where}", **params)
    return row["total"] if row else 0


def _where(account_id: str, agent_id: str, filters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The condition and its parameters; a filter that is None is none."""
    given = {name: value for name, value in filters.items() if value is not None}
    statuses = given.pop("statuses", None)
    terms = ["account_id = :account_id", "agent_id = :agent_id", *(_CONDITIONS[name] for name in given)]
    params = {"account_id": account_id, "agent_id": agent_id, **given}
    if statuses is not None:
        named = {f"status_{number}": status for number, status in enumerate(statuses)}
        terms.append(f"status IN ({', '.join(f':{name}' for name in named)})")
        params |= named
    return " AND ".join(terms), params
