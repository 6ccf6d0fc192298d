"""What a call writes down while it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from ringback.app.journal import Journal
from ringback.clock import SystemClock
from ringback.conversation.transcript import LogEntry
from ringback.executions.ledger import Ledger
from ringback.executions.record import LogRow, Turn, UsageLine


class SlowLedger:
    """Has written what it was given before it says so."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def add_turns(
        self,
        account_id: str,
        execution_id: str,
        turns: Sequence[Turn],
        *,
        metered: Sequence[UsageLine],
        number: int,
        lease_owner: str,
    ) -> None: ...

    async def add_log(self, account_id: str, execution_id: str, rows: Sequence[LogRow]) -> None:
        self.rows += [row.data for row in rows]
        self.asked.set()
        await self.may_answer.wait()


async def test_what_is_being_written_at_the_end_of_a_call_is_written_once() -> None:
    ledger = SlowLedger()
    journal = Journal(cast(Ledger, ledger), SystemClock(), "account", "call", number=1, lease_owner="worker")
    writing = asyncio.create_task(journal.write())
    journal.log(LogEntry("event", "system", "one"))
    await ledger.asked.wait()
    journal.log(LogEntry("event", "system", "two"))
    journal.stop()
    ledger.may_answer.set()
    await writing
    await journal.finish()
    assert ledger.rows == ["one", "two"]


async def test_a_writer_with_nothing_to_write_stops() -> None:
    journal = Journal(
        cast(Ledger, SlowLedger()), SystemClock(), "account", "call", number=1, lease_owner="worker"
    )
    writing = asyncio.create_task(journal.write())
    await asyncio.sleep(0)
    journal.stop()
    async with asyncio.timeout(5):
        await writing
