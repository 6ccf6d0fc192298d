"""Where an account's webhooks go, as its user sees and changes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ringback.clock import Clock
from ringback.net.signing import new_secret
from ringback.store.database import Database, Row
from ringback.store.queries import webhook_deliveries
from ringback.store.queries import webhook_endpoints as queries
from ringback.store.wakeup import WEBHOOKS, Wakeup
from ringback.webhooks.policy import DAY_US

OLD_SECRET_US: Final = DAY_US
"""After a rotation both secrets sign for so long."""

EndpointState = Literal["enabled", "disabled"]


class UnknownEndpoint(LookupError):
    """The account has no such endpoint."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL of an account's. Times are microseconds since the epoch."""

    id: str
    """32 hex digits."""
    url: str
    state: EndpointState
    failing_since: int | None
    """The first failure since the last success."""
    failures: int
    """Since then."""
    disabled_at: int | None
    disabled_why: str | None
    old_secret_until: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Secret:
    text: str
    """`whsec_` and base64."""
    old_until: int | None
    """The one before signs too, until then."""


class Endpoints:
    def __init__(self, db: Database, clock: Clock, wakeup: Wakeup | None = None) -> None:
        """Without `wakeup` the caller wakes whoever delivers."""
        self._db = db
        self._clock = clock
        self._wakeup = wakeup

    async def after(self, account_id: str, last_id: str, limit: int) -> list[Endpoint]:
        """In the order of their ids."""
        now = self._clock.now_us()
        return [
            _endpoint(row, now) for row in await queries.after(self._db, account_id, last_id, limit=limit)
        ]

    async def get(self, account_id: str, endpoint_id: str) -> Endpoint:
        """Raises UnknownEndpoint."""
        row = await queries.get(self._db, account_id, endpoint_id)
        if row is None:
            raise UnknownEndpoint(endpoint_id)
        return _endpoint(row, self._clock.now_us())

    async def set_state(self, account_id: str, endpoint_id: str, state: EndpointState) -> Endpoint:
        """Enabled, all that waits for it is delivered, in its order, and has three days again; disabled, it waits.
        Raises UnknownEndpoint."""
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            row = await queries.lock(tx, account_id, endpoint_id)
            if row is None:
                raise UnknownEndpoint(endpoint_id)
            if row["state"] != state and state == "enabled":
                await queries.enable(tx, account_id, endpoint_id)
                await webhook_deliveries.hurry(tx, account_id, endpoint_id, now_us=now)
            elif row["state"] != state:
                await queries.disable(tx, account_id, endpoint_id, why="Disabled by the user", now_us=now)
        if self._wakeup is not None:
            await self._wakeup.notify(WEBHOOKS)
        return await self.get(account_id, endpoint_id)

    async def secret(self, account_id: str, endpoint_id: str) -> Secret:
        """Raises UnknownEndpoint."""
        row = await queries.get(self._db, account_id, endpoint_id)
        if row is None:
            raise UnknownEndpoint(endpoint_id)
        return Secret(row["secret"], _endpoint(row, self._clock.now_us()).old_secret_until)

    async def rotate(self, account_id: str, endpoint_id: str) -> Secret:
        """A new secret; that of until now signs for another day, the one before it no longer. Raises
        UnknownEndpoint."""
        secret, until = new_secret(), self._clock.now_us() + OLD_SECRET_US
        async with self._db.transaction() as tx:
            if not await queries.rotate(tx, account_id, endpoint_id, secret=secret, old_until_us=until):
                raise UnknownEndpoint(endpoint_id)
        return Secret(secret, until)


def _endpoint(row: Row, now_us: int) -> Endpoint:
    until = row["old_secret_until"]
    return Endpoint(
        id=row["id"],
        url=row["url"],
        state=row["state"],
        failing_since=row["failing_since"],
        failures=row["failures"],
        disabled_at=row["disabled_at"],
        disabled_why=row["disabled_why"],
        old_secret_until=until if until is not None and until > now_us else None,
        created_at=row["created_at"],
    )
