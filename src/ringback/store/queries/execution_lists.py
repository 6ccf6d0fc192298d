"""SQL for the lists of an agent's executions: filtered, newest first, by pages or after a seq."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ringback.store.database import Reader, Row

_CONDITIONS: Final = {
    "call_type": "call_type = :call_type",
    "provider": "provider = :provider",
    "answered_by_voice_mail": "answered_by_voice_mail = :answered_by_voice_mail",
    "batch_id": "batch_id = :batch_id",
    "to_number": "to_number = :to_number",
    "from_number": "from_number = :from_number",
    "hangup_reason": "hangup_reason = :hangup_reason",
    "min_duration_ms": "conversation_ms >= :min_duration_ms",
    "max_duration_ms": "conversation_ms <= :max_duration_ms",
    "min_cost": "total_cost >= :min_cost",
    "max_cost": "total_cost <= :max_cost",
    "created_from": "seq >= :created_from",
    "created_to": "seq <= :created_to",
    "before": "seq < :before",
}


async def newest(
    db: Reader, account_id: str, agent_id: str, filters: Mapping[str, Any], limit: int, offset: int = 0
) -> list[Row]:
    """seq, agent_id, status and body, newest first; `before` in the filters goes on after a seq.

    The keys come first, from an index alone where one has what is filtered by: what is skipped isn't read.
    """
    where, params = _where(account_id, agent_id, filters)
    return await db.fetch_all(
        f"""
        SELECT seq, agent_id, status, body FROM executions
        WHERE account_id = :account_id AND agent_id = :agent_id AND seq IN (
          SELECT seq FROM executions WHERE {where} ORDER BY seq DESC LIMIT :limit OFFSET :offset
        ) ORDER BY seq DESC
        """,
        **params,
        limit=limit,
        offset=offset,
    )


async def count(db: Reader, account_id: str, agent_id: str, filters: Mapping[str, Any], bound: int) -> int:
    """How many there are, counted up to `bound`."""
    where, params = _where(account_id, agent_id, filters)
    row = await db.fetch_one(
        f"SELECT COUNT(*) AS total FROM (SELECT 1 FROM executions WHERE {where} LIMIT :bound) AS counted",
        **params,
        bound=bound,
    )
    return row["total"] if row else 0


def _where(account_id: str, agent_id: str, filters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The condition and its parameters; a filter that is None is none."""
    given = {name: value for name, value in filters.items() if value is not None}
    statuses = given.pop("statuses", None)
    pairs = {column: given.pop(column, {}) for column in ("recipient_data", "extracted_data")}
    terms = ["account_id = :account_id", "agent_id = :agent_id", *(_CONDITIONS[name] for name in given)]
    params = {"account_id": account_id, "agent_id": agent_id, **given}
    if statuses is not None:
        terms.append(_any_of("status = :{}", "status", statuses, params))
    for column, wanted in pairs.items():
        for number, (key, value) in enumerate(wanted.items()):
            name = f"{column}_{number}"
            terms.append(_any_of(f"strpos({column}, :{{}}) > 0", name, _written(key, value), params))
    return " AND ".join(terms), params


def _any_of(term: str, name: str, values: Iterable[str], params: dict[str, Any]) -> str:
    named = {f"{name}_{number}": value for number, value in enumerate(values)}
    params |= named
    return f"({' OR '.join(term.format(parameter) for parameter in named)})"


def _written(key: str, value: str) -> list[str]:
    """How a member `key: value` may stand in the JSON that we store, at any depth: quotes inside of strings
    are escaped, so nothing else reads like it."""
    name = json.dumps(key)
    texts = [f"{name}:{json.dumps(value)}"]
    if _is_literal(value):
        texts += [f"{name}:{value}{end}" for end in ",}"]
    return texts


def _is_literal(value: str) -> bool:
    try:
        return isinstance(json.loads(value), int | float | None)
    except ValueError:
        return False
