"""Batches as the API sees them, without anything that dials: rows of the database, whose files nobody reads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from ringback.clock import Clock
from ringback.dialing.batches import (
    Batch,
    Batches,
    BatchFault,
    BatchState,
    BatchView,
    NewBatch,
    NotRunning,
    UnknownBatch,
)
from ringback.dialing.queue import NoFromNumber
from ringback.executions.lifecycle import Status
from ringback.store.database import Database, Row, Transaction


class FakeBatches(Batches):
    def __init__(self, db: Database, clock: Clock, numbers: Sequence[str]) -> None:
        self._db = db
        self._clock = clock
        self._numbers = numbers
        self.counts: Mapping[Status, int] = {}
        """Of every batch."""
        self.paused: str | None = None
        """Why every batch is."""

    async def create(self, tx: Transaction, new: NewBatch) -> None:
        if foreign := set(new.from_numbers) - set(self._numbers):
            raise NoFromNumber(f"from_phone_numbers: {min(foreign)} is not one of your numbers")
        now = self._clock.now_us()
        row = {
            "account_id": new.account_id,
            "id": new.id,
            "agent_id": new.agent_id,
            "state": "created",
            "file_name": new.file_name,
            "from_numbers": json.dumps(new.from_numbers),
            "retry_config": json.dumps(new.retry_config) if new.retry_config else None,
            "webhook_url": new.webhook_url,
            "bypass_guardrails": False,
            "dial_once": new.dial_once,
            "created_at": now,
            "updated_at": now,
        }
        await tx.insert_rows("batches", list(row), [list(row.values())])

    async def wake(self) -> None:
        pass

    async def schedule(self, account_id: str, batch_id: str, at_us: int, bypass: bool) -> Batch:
        batch = (await self.get(account_id, batch_id)).batch
        if batch.state in (BatchState.STOPPED, BatchState.COMPLETED, BatchState.FAILED):
            raise NotRunning(f"The batch is {batch.state}; upload its file again")
        await self._set(batch, state="scheduled", scheduled_at=at_us, bypass_guardrails=bypass)
        return (await self.get(account_id, batch_id)).batch

    async def stop(self, account_id: str, batch_id: str) -> None:
        batch = (await self.get(account_id, batch_id)).batch
        if batch.state in (BatchState.STOPPED, BatchState.COMPLETED, BatchState.FAILED):
            raise NotRunning(f"The batch is {batch.state}")
        await self._set(batch, state="stopped")

    async def delete(self, account_id: str, batch_id: str) -> None:
        await self._set((await self.get(account_id, batch_id)).batch, state="deleted")

    async def get(self, account_id: str, batch_id: str) -> BatchView:
        rows = await self._rows("id = :key", account_id, batch_id)
        if not rows:
            raise UnknownBatch(batch_id)
        return self._view(rows[0])

    async def all(self, account_id: str, agent_id: str) -> AsyncIterator[BatchView]:
        for row in await self._rows("agent_id = :key", account_id, agent_id):
            yield self._view(row)

    async def faults(self, account_id: str, batch_id: str) -> AsyncIterator[BatchFault]:
        for row in await self._db.fetch_all(
            "SELECT * FROM batch_faults WHERE account_id = :account AND batch_id = :batch ORDER BY line",
            account=account_id,
            batch=batch_id,
        ):
            yield BatchFault(row["line"], row["number"], row["reason"])

    async def _rows(self, where: str, account_id: str, key: str) -> list[Row]:
        return await self._db.fetch_all(
            f"SELECT * FROM batches WHERE account_id = :account AND state <> 'deleted' AND {where} "
            "ORDER BY created_at DESC",
            account=account_id,
            key=key,
        )

    async def _set(self, batch: Batch, **values: object) -> None:
        async with self._db.transaction() as tx:
            await tx.execute(
                f"UPDATE batches SET {', '.join(f'{name} = :{name}' for name in values)} "
                "WHERE account_id = :account AND id = :id",
                account=batch.account_id,
                id=batch.id,
                **values,
            )

    def _view(self, row: Row) -> BatchView:
        values: dict[str, Any] = {name: row[name] for name in Batch.__dataclass_fields__}
        values |= {
            "state": BatchState(row["state"]),
            "from_numbers": tuple(json.loads(row["from_numbers"])),
            "retry_config": json.loads(row["retry_config"]) if row["retry_config"] else None,
            "bypass_guardrails": bool(row["bypass_guardrails"]),
            "dial_once": bool(row["dial_once"]),
        }
        return BatchView(Batch(**values), row["state"], self.counts, self.paused)
