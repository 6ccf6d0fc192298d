"""An execution and its current attempt, locked: what every change of a record begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringback.executions import rows
from ringback.executions.record import Attempt, Execution
from ringback.store.database import Row, Transaction
from ringback.store.queries import attempts, executions


class UnknownExecution(LookupError):
    """The account has no such execution."""


class LeaseLost(Exception):
    """The attempt is no longer this worker's, or no longer the current one; nothing was written."""


@dataclass(frozen=True, slots=True)
class Held:
    """An execution and its current attempt, both locked until the transaction ends."""

    execution: Execution
    attempt: Attempt


async def hold(
    tx: Transaction,
    account_id: str,
    execution_id: str,
    *,
    number: int | None = None,
    lease_owner: str | None = None,
) -> Held:
    """Lock the current attempt, then its execution.

    With `number` the current attempt must be that one, with `lease_owner` its lease must be that owner's: else
    LeaseLost. Raises UnknownExecution.
    """
    if number is None:
        row = await _current(tx, account_id, execution_id)
    else:
        row = await attempts.lock(tx, account_id, execution_id, number)
    found = await executions.lock(tx, account_id, execution_id)
    if found is None:
        raise UnknownExecution(execution_id)
    execution = rows.to_execution(found)
    current = execution.retry_count + 1
    if row is None or row["number"] != current:
        held = number if row is None else row["number"]
        raise LeaseLost(f"attempt {held} of {execution_id} is over: {current} is current")
    attempt = rows.to_attempt(row)
    if lease_owner is not None and lease_owner != attempt.lease_owner:
        raise LeaseLost(f"attempt {attempt.number} of {execution_id} is not {lease_owner}'s any more")
    return Held(execution, attempt)


async def hold_all(tx: Transaction, account_id: str, execution_ids: Sequence[str]) -> list[Held]:
    """As `hold`, of many, in the order of their ids. Those that do not exist are left out, and those of which
    another attempt was added while we waited for this one."""
    found = await attempts.lock_all(tx, account_id, execution_ids)
    newest = {row["execution_id"]: row for row in found}  # they come by number
    executed = await executions.lock_all(tx, account_id, list(newest))
    held = [Held(rows.to_execution(row), rows.to_attempt(newest[row["id"]])) for row in executed]
    return [pair for pair in held if pair.attempt.number == pair.execution.retry_count + 1]


async def _current(tx: Transaction, account_id: str, execution_id: str) -> Row | None:
    """The current attempt, locked.

    Who waited for the lock may wake up with an attempt that was followed by another meanwhile: PostgreSQL looks at
    the row again, not for newer ones. Only who has an attempt locked adds the next, so one more look is enough to know;
    it comes before the execution is locked, because nobody may wait for an attempt who holds an execution.
    """
    row = await attempts.lock_current(tx, account_id, execution_id)
    while row is not None:
        newest = await attempts.newest(tx, account_id, execution_id)
        if newest == row["number"]:
            break
        row = await attempts.lock_current(tx, account_id, execution_id)
    return row
