"""Events from outside on their way into a live call: the API puts them in, the worker that has the call takes them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from ringback.clock import Clock
from ringback.executions.lifecycle import Status
from ringback.store.database import Database, StoreError
from ringback.store.queries import call_events, executions
from ringback.store.wakeup import Wakeup

logger = logging.getLogger(__name__)

EVENTS: Final = "call-events"
"""Topic of the wake-ups: an event waits for a live call."""

MOST_WAITING: Final = 100
"""Of one call. A worker takes them within milliseconds."""

_LOOK_S: Final = 3.0
"""Between looks without a wake-up: bounds what a lost notification can cost."""
_BATCH: Final = 200


class NoActiveCall(LookupError):
    """The account has no such call, or it is not live."""


class TooManyWaiting(Exception):
    """The call's worker does not keep up with what is sent."""


class CallEvents:
    """The way in, for the API."""

    def __init__(self, db: Database, clock: Clock, wakeup: Wakeup) -> None:
        self._db = db
        self._clock = clock
        self._wakeup = wakeup

    async def send(
        self, account_id: str, execution_id: str, name: str, properties: Mapping[str, Any]
    ) -> None:
        """Queue an event for a live call and wake its worker. Raises NoActiveCall, TooManyWaiting."""
        async with self._db.transaction() as tx:
            # Locked: its end, which removes what waits, comes before all of this or after it.
            execution = await executions.lock(tx, account_id, execution_id)
            if execution is None or execution["status"] != Status.IN_PROGRESS:
                raise NoActiveCall(execution_id)
            if await call_events.count(tx, account_id, execution_id) >= MOST_WAITING:
                raise TooManyWaiting(execution_id)
            await call_events.insert(
                tx,
                account_id,
                execution_id,
                name=name,
                properties=json.dumps(properties, ensure_ascii=False),
                now_us=self._clock.now_us(),
            )
        await self._wakeup.notify(EVENTS)


Receive = Callable[[str, Mapping[str, Any]], None]
"""Takes the name and the properties of an event, at once."""


@dataclass(frozen=True, slots=True)
class _Taken:
    call: tuple[str, str]
    name: str
    properties: Mapping[str, Any]


class EventDelivery:
    """The way out, in the worker that holds the calls: each event is given to its call at most once, in order."""

    def __init__(self, db: Database, wakeup: Wakeup, owner: str) -> None:
        """`owner` is the worker's name in its leases."""
        self._db = db
        self._wakeup = wakeup
        self._owner = owner
        self._receivers: dict[tuple[str, str], Receive] = {}

    @contextmanager
    def to(self, account_id: str, execution_id: str, receive: Receive) -> Iterator[None]:
        """Within the block the events of this call go to `receive`."""
        self._receivers[account_id, execution_id] = receive
        try:
            yield
        finally:
            del self._receivers[account_id, execution_id]

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._wakeup.wait(EVENTS, _LOOK_S)
            if not self._receivers:
                continue
            try:
                while await self._deliver() == _BATCH:
                    pass
            except StoreError as error:
                logger.error("events for live calls wait for the database: %s", error)

    async def _deliver(self) -> int:
        taken = await self._take()
        for event in taken:
            receive = self._receivers.get(event.call)
            if receive is None:
                continue  # it has just hung up
            try:
                receive(event.name, event.properties)
            except Exception:
                logger.exception("call %s did not take an event", event.call[1])
        return len(taken)

    async def _take(self) -> list[_Taken]:
        rows = await call_events.waiting(self._db, owner=self._owner, limit=_BATCH)
        if not rows:
            return []
        async with self._db.transaction() as tx:
            return [
                _Taken((row["account_id"], row["execution_id"]), row["name"], json.loads(row["properties"]))
                for row in rows
                if await call_events.delete(tx, row["account_id"], row["execution_id"], row["position"])
            ]
