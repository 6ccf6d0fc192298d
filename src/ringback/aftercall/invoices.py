"""The invoice of an execution as the store has it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ringback.billing import invoice
from ringback.billing.invoice import Item
from ringback.billing.prices import read_book
from ringback.executions import rows
from ringback.executions.record import CostBreakdown, Execution, cost_of
from ringback.store.database import Database, Row
from ringback.store.queries import attempts, executions, usage_lines


@dataclass(frozen=True, slots=True)
class Invoice:
    execution: Execution
    items: Sequence[Item]
    problems: Sequence[str]
    """What does not add up."""

    @property
    def cost(self) -> CostBreakdown:
        """What the lines amount to."""
        return cost_of([item.line for item in self.items])


async def invoice_of(db: Database, execution_id: str) -> Invoice | None:
    """Of an execution of any account; None: there is none with this id. Reckoned from the lines and the price book."""
    async with db.read() as reader:
        account_id = await executions.account_of(reader, execution_id)
        if account_id is None:
            return None
        where = account_id, execution_id
        row, body = await executions.get(reader, *where), await executions.body(reader, *where)
        assert row is not None
        assert body is not None
        execution = rows.to_execution(row)
        tried = [rows.to_attempt(found) for found in await attempts.of_execution(reader, *where)]
        items = [_item(found) for found in await usage_lines.billed(reader, *where)]
        book = await read_book(reader, account_id)
    return Invoice(
        execution, items, invoice.problems(execution, tried, json.loads(body["body"]), items, book)
    )


def _item(row: Row) -> Item:
    columns = dict(row)
    attempt, position = columns.pop("attempt"), columns.pop("position")
    return Item(position, attempt, rows.to_usage_line(columns))
