"""The log of deliveries, as a user sees it: what waits, what arrived, what was given up; and sending again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from ringback.clock import Clock
from ringback.store.database import Database, Row
from ringback.store.queries import webhook_deliveries as queries
from ringback.store.queries import webhook_endpoints
from ringback.store.queries.webhook_deliveries import NEWEST as NEWEST  # where a list begins
from ringback.store.queries.webhook_deliveries import Key
from ringback.store.queries.webhook_deliveries import Place as Place
from ringback.store.wakeup import WEBHOOKS, Wakeup
from ringback.webhooks.policy import DAY_US

KEEP_DELIVERED_US: Final = 7 * DAY_US
KEEP_DEAD_US: Final = 30 * DAY_US
"""From their end."""
WAIT_FOR_USER_US: Final = 7 * DAY_US
"""For an endpoint that is disabled."""
_AT_ONCE: Final = 500
_ID: Final = re.compile(r"([0-9a-f-]{32,36})-([1-9][0-9]{0,8})")

DeliveryState = Literal["waiting", "delivered", "dead"]


class UnknownDelivery(LookupError):
    """The account has no such delivery, or no longer."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to an endpoint. Times are microseconds since the epoch."""

    key: Key
    kind: Literal["execution", "batch"]
    event: str
    """The status of the execution, `processed` or `completed` of the batch."""
    endpoint_id: str
    url: str
    state: DeliveryState
    due_at: int
    """When it is tried, if it waits; what stands before it in its subject goes first."""
    under_way: bool
    tries: int
    last_try_at: int | None
    last_code: int | None
    last_error: str | None
    ended_at: int | None
    created_at: int

    @property
    def id(self) -> str:
        """Also the header `webhook-id`, at every try the same."""
        return f"{self.key.subject}-{self.key.position}"

    @property
    def place(self) -> Place:
        return Place(self.created_at, *self.key)


class Deliveries:
    def __init__(self, db: Database, clock: Clock, wakeup: Wakeup | None = None) -> None:
        """Without `wakeup` the caller wakes whoever delivers."""
        self._db = db
        self._clock = clock
        self._wakeup = wakeup

    async def newest(
        self,
        account_id: str,
        *,
        subject: str | None = None,
        endpoint_id: str | None = None,
        state: DeliveryState | None = None,
        before: Place = NEWEST,
        limit: int,
    ) -> list[Delivery]:
        """Newest first: of an execution or batch, to an endpoint, in a state."""
        now = self._clock.now_us()
        rows = await queries.newest(
            self._db,
            account_id,
            subject=subject,
            endpoint_id=endpoint_id,
            state=state,
            before=before,
            limit=limit,
        )
        return [_delivery(row, now) for row in rows]

    async def replay(self, account_id: str, delivery_id: str) -> Delivery:
        """Send it (again) as soon as may be, whatever became of it; it has three days again. What waits behind it comes
        after it. One that is under way is left alone. Raises UnknownDelivery."""
        key, now = _key(delivery_id), self._clock.now_us()
        async with self._db.transaction() as tx:
            await queries.replay(tx, account_id, key, now_us=now)
            row = await queries.get(tx, account_id, key)
        if row is None:
            raise UnknownDelivery(delivery_id)
        if self._wakeup is not None:
            await self._wakeup.notify(WEBHOOKS)
        return _delivery(row, now)

    async def clean(self) -> None:
        """Give up what waited too long for a disabled endpoint, and remove what is over. Raises StoreError."""
        for account_id in await webhook_endpoints.accounts(self._db):
            await self._give_up(account_id)
            await self._remove(account_id)

    async def _give_up(self, account_id: str) -> None:
        now = self._clock.now_us()
        why = "Given up: its endpoint was disabled for seven days"
        while keys := await queries.forsaken(
            self._db, account_id, before=now - WAIT_FOR_USER_US, limit=_AT_ONCE
        ):
            async with self._db.transaction() as tx:
                await queries.give_up(tx, account_id, keys, why=why, now_us=now)

    async def _remove(self, account_id: str) -> None:
        now = self._clock.now_us()
        while keys := await queries.too_old(
            self._db,
            account_id,
            delivered_before=now - KEEP_DELIVERED_US,
            dead_before=now - KEEP_DEAD_US,
            limit=_AT_ONCE,
        ):
            async with self._db.transaction() as tx:
                await queries.remove(tx, account_id, keys)


def _key(delivery_id: str) -> Key:
    """Raises UnknownDelivery."""
    match = _ID.fullmatch(delivery_id)
    if match is None:
        raise UnknownDelivery(delivery_id)
    return Key(match[1], int(match[2]))


def _delivery(row: Row, now_us: int) -> Delivery:
    return Delivery(
        key=Key(row["subject"], row["position"]),
        kind=row["kind"],
        event=row["event"],
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        state=row["state"],
        due_at=row["due_at"],
        under_way=row["lease_until"] is not None and row["lease_until"] > now_us,
        tries=row["tries"],
        last_try_at=row["last_try_at"],
        last_code=row["last_code"],
        last_error=row["last_error"],
        ended_at=row["ended_at"],
        created_at=row["created_at"],
    )
