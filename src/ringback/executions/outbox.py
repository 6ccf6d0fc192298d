"""Each status of an execution is told to its agent's webhook: written in the transaction that changes it, with the
record as it is at that moment, and delivered later (`ringback.webhooks`). No URL: nothing is written.

A row's position is `Execution.moves`, so what is told of an execution has an order, and nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from ringback.executions.record import Execution
from ringback.store.database import Transaction
from ringback.store.queries import webhook_outbox


async def told(tx: Transaction, execution: Execution) -> bool:
    """The status that was just written. True: there is something to deliver."""
    return (
        await webhook_outbox.execution(
            tx, execution.account_id, execution.agent_id, execution.id, now_us=execution.updated_at
        )
        > 0
    )


async def told_all(tx: Transaction, executions: Sequence[Execution]) -> bool:
    """The same of many of one account."""
    if not executions:
        return False
    account_id, now_us = executions[0].account_id, max(one.updated_at for one in executions)
    ids = [one.id for one in executions]
    return await webhook_outbox.executions(tx, account_id, ids, now_us=now_us) > 0


async def told_new(tx: Transaction, like: Execution, first_seq: int, count: int, now_us: int) -> bool:
    """The same of executions of a batch, numbered from `first_seq` on, which were just written."""
    return (
        await webhook_outbox.created(
            tx,
            like.account_id,
            like.agent_id,
            first_seq=first_seq,
            last_seq=first_seq + count - 1,
            now_us=now_us,
        )
        > 0
    )
