"""Writes down what happens in a live call while it happens, without making the call wait for the disk."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from ringback.app.latency import parts
from ringback.clock import Clock
from ringback.conversation.transcript import LogEntry
from ringback.conversation.transcript import Turn as SpokenTurn
from ringback.executions.ledger import LeaseLost, Ledger, UnknownExecution
from ringback.executions.record import LogRow, Turn, UsageLine
from ringback.store.database import StoreError

logger = logging.getLogger(__name__)

_BOUND: Final = 2000
"""Entries that may wait while the database is away; the oldest log lines go first, turns never."""
_RETRY_S: Final = 0.5
_LAST_TRIES: Final = 20


class Journal:
    """Implements `conversation.transcript.Observer` for one attempt. Run `write` beside the conversation."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        account_id: str,
        execution_id: str,
        *,
        number: int,
        lease_owner: str | None,
        first: int = 0,
        metered: Callable[[], Sequence[UsageLine]] = tuple,
    ) -> None:
        """`lease_owner`: the worker whose call it is. Once it is not any more, nothing is written.
        `first`: the number of its first turn. `metered`: what providers have done so far; written with each turn.
        """
        self._ledger = ledger
        self._clock = clock
        self._account_id = account_id
        self._execution_id = execution_id
        self._number = number
        self._lease_owner = lease_owner
        self._metered = metered
        self._rows: deque[LogRow] = deque(maxlen=_BOUND)
        self._turns: list[Turn] = []
        self._count = first
        self._news = asyncio.Event()
        self._stopped = False

    def log(self, entry: LogEntry) -> None:
        self._rows.append(
            LogRow(
                self._clock.now_us(),
                entry.type,
                entry.component,
                entry.provider or None,
                entry.data,
                tool_name=entry.tool_name or None,
                reasoning_content=entry.reasoning or None,
            )
        )
        self._news.set()

    def turn(self, turn: SpokenTurn) -> None:
        self._turns.append(
            Turn(self._count, turn.role, turn.text, turn.start_ms, turn.end_ms, interrupted=turn.interrupted)
        )
        self._count += 1
        shown = {
            "role": turn.role,
            "text": turn.text,
            "interrupted": turn.interrupted,
            "latency": parts(turn.timing) if turn.timing else None,
        }
        self._rows.append(
            LogRow(self._clock.now_us(), "event", "system", None, json.dumps(shown, ensure_ascii=False))
        )
        self._news.set()

    async def write(self) -> None:
        """Write until `stop`; then call `finish`."""
        while not self._stopped:
            await self._news.wait()
            self._news.clear()
            if not await self._flush():
                await self._clock.sleep(_RETRY_S)
                self._news.set()

    def stop(self) -> None:
        """End `write` once what it is writing is written: cancelled then, it would not know, and write it again."""
        self._stopped = True
        self._news.set()

    async def finish(self) -> None:
        """Write what is left."""
        for _ in range(_LAST_TRIES):
            if await self._flush():
                return
            await self._clock.sleep(_RETRY_S)
        logger.error("call %s: %d turns could not be written", self._execution_id, len(self._turns))

    async def _flush(self) -> bool:
        rows, turns = list(self._rows), list(self._turns)
        if not rows and not turns:
            return True
        try:
            await self._ledger.add_turns(
                self._account_id,
                self._execution_id,
                turns,
                metered=self._metered(),
                number=self._number,
                lease_owner=self._lease_owner,
            )
            await self._ledger.add_log(self._account_id, self._execution_id, rows)
        except UnknownExecution:
            pass  # deleted with its agent while it talked
        except LeaseLost as reason:
            logger.warning("call %s: its words are dropped: %s", self._execution_id, reason)
        except StoreError as error:
            logger.error("call %s: the journal waits for the database: %s", self._execution_id, error)
            return False
        del self._turns[: len(turns)]
        for _ in range(min(len(rows), len(self._rows))):
            self._rows.popleft()
        return True
