"""Totals without counting: every change of an execution that a list may be filtered by is written down beside it,
and folded into counters later. A total is exact at any moment, and writers never wait for each other."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ringback.executions.filters import Filters
from ringback.executions.lifecycle import Status
from ringback.executions.record import Execution
from ringback.store.database import Database, Reader, Row, Transaction
from ringback.store.queries import counts, execution_lists

BOUND: Final = 10_000
"""How far matches are counted where no counter has the number."""

_FOLDED_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Total:
    count: int
    exact: bool
    """False: there are more than `count`."""


Agent = tuple[str, str]
"""account_id, agent_id."""


async def changed(tx: Transaction, before: Execution | None, after: Execution | None) -> None:
    """Count an execution that came (no `before`), went (no `after`) or changed."""
    changes = [(before, -1), (after, 1)]
    await changed_many(tx, [(execution, delta) for execution, delta in changes if execution is not None])


async def changed_many(tx: Transaction, changes: Iterable[tuple[Execution, int]]) -> None:
    """Count executions that came (1) and went (-1), or as many that are like this one; one that changed did both."""
    sums: Counter[tuple[Any, ...]] = Counter()
    for execution, delta in changes:
        sums[_profile(execution)] += delta
    if written := [_change(profile, delta) for profile, delta in sums.items() if delta]:
        await counts.add(tx, written)


async def of_batch(db: Reader, account_id: str, agent_id: str, batch_id: str) -> dict[Status, int]:
    """How many executions of a batch have each status, where there are any; exact, all at one moment."""
    found = await counts.of_batch(db, account_id, agent_id, batch_id, list(Status))
    return {Status(status): count for status, count in found.items()}


async def total(db: Reader, account_id: str, agent_id: str, filters: Filters) -> Total:
    """How many executions of the agent the filters let through; from a counter for none and for most single ones,
    otherwise counted up to BOUND."""
    columns = filters.columns()
    counter = _counter(columns)
    if counter is not None:
        return Total(await counts.total(db, account_id, agent_id, *counter), exact=True)
    found = await execution_lists.count(db, account_id, agent_id, columns, BOUND + 1)
    return Total(min(found, BOUND), exact=found <= BOUND)


async def fold(db: Database) -> set[Agent]:
    """Fold all changes into the counters; the agents whose executions changed."""
    touched: set[Agent] = set()
    while True:
        async with db.transaction() as tx:
            changes = await counts.take_changes(tx, _FOLDED_AT_ONCE)
            await counts.fold(tx, _sums(changes))
        touched |= {(change["account_id"], change["agent_id"]) for change in changes}
        if len(changes) < _FOLDED_AT_ONCE:
            return touched


_PROFILE: Final = (
    "account_id",
    "agent_id",
    "status",
    "call_type",
    "provider",
    "batch_id",
    "answered_by_voice_mail",
    "hour",
)


def _profile(execution: Execution) -> tuple[Any, ...]:
    return (
        execution.account_id,
        execution.agent_id,
        str(execution.status),
        execution.call_type,
        execution.provider,
        execution.batch_id,
        execution.answered_by_voice_mail,
        execution.seq // counts.HOUR_US,
    )


def _change(profile: tuple[Any, ...], delta: int) -> dict[str, Any]:
    return {**dict(zip(_PROFILE, profile, strict=True)), "id": uuid.uuid4().hex, "delta": delta}


def _counter(columns: Mapping[str, Any]) -> tuple[str, str] | None:
    """Dimension and value of the counter that has the total; None where none has."""
    if not columns:
        return "all", ""
    if len(columns) > 1:
        return None
    [(name, value)] = columns.items()
    if name == "statuses":
        return ("status", value[0]) if len(value) == 1 else None
    return (name, _text(value)) if name in counts.DIMENSIONS else None


def _sums(changes: Sequence[Row]) -> list[dict[str, Any]]:
    """What the changes amount to for each counter, in one order."""
    sums: Counter[tuple[str, str, str, str]] = Counter()
    for change in changes:
        for dimension in (*counts.DIMENSIONS, "hour"):
            value = _value(dimension, change)
            if value is not None:
                sums[change["account_id"], change["agent_id"], dimension, value] += change["delta"]
    names = ("account_id", "agent_id", "dimension", "value")
    return [
        {**dict(zip(names, key, strict=True)), "count": count} for key, count in sorted(sums.items()) if count
    ]


def _value(dimension: str, change: Row) -> str | None:
    """Of a change; None: it does not count there. As `VALUES` of the queries."""
    match dimension:
        case "all":
            return ""
        case "answered_by_voice_mail":
            return _text(bool(change[dimension]))  # SQLite gives booleans as 0 and 1
        case "batch_status":
            return f"{change['batch_id']}:{change['status']}" if change["batch_id"] is not None else None
    return None if change[dimension] is None else _text(change[dimension])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
