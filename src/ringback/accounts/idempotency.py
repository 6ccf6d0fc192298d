"""Idempotency-Key: the same request sent again gets the same answer, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from ringback.clock import Clock
from ringback.store.database import Database, Row, Transaction
from ringback.store.queries import idempotency as queries

KEPT_US: Final = 24 * 3600 * 1_000_000
_AT_ONCE: Final = 1_000
"""Keys forgotten in one transaction."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a client sent with it."""

    key: str
    route: str
    """Method and path."""
    fingerprint: str
    """A hash of what was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str
    """JSON."""
    replayed: bool = False


class KeyReused(Exception):
    """The key belongs to another request of the last 24 hours; the message says so."""


class Idempotency:
    """Answers of the last 24 hours by the keys that came with their requests. Refusals are not kept."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def earlier(self, account_id: str, key: IdempotencyKey | None) -> Answer | None:
        """What this request was answered before, so that a repetition is not checked against what has changed since.

        Raises KeyReused.
        """
        if key is None:
            return None
        row = await queries.get(self._db, account_id, key.key, since_us=self._since())
        return _replay(row, key) if row else None

    async def once(
        self, account_id: str, key: IdempotencyKey | None, made: Callable[[Transaction], Awaitable[Answer]]
    ) -> Answer:
        """What `made` answers, in whose transaction the key is kept; or what it answered the first time.

        Of two at the same moment the second waits for the first. Raises KeyReused.
        """
        async with self._db.transaction() as tx:
            if key is not None:
                await queries.forget(tx, account_id, key.key, before_us=self._since())
                if not await queries.take(
                    tx,
                    account_id,
                    key.key,
                    route=key.route,
                    fingerprint=key.fingerprint,
                    now_us=self._clock.now_us(),
                ):
                    row = await queries.get(tx, account_id, key.key, since_us=0)
                    if row is None:
                        raise KeyReused(
                            f"Idempotency-Key {key.key!r} was given up a moment ago; send it again"
                        )
                    return _replay(row, key)
            answer = await made(tx)
            if key is not None:
                await queries.keep(tx, account_id, key.key, status=answer.status, body=answer.body)
            return answer

    async def forget(self) -> int:
        """Remove keys of all accounts whose day is over; how many."""
        gone = 0
        while True:
            async with self._db.transaction() as tx:
                removed = await queries.forget_all(tx, before_us=self._since(), limit=_AT_ONCE)
            gone += removed
            if removed < _AT_ONCE:
                return gone

    def _since(self) -> int:
        return self._clock.now_us() - KEPT_US


def _replay(row: Row, key: IdempotencyKey) -> Answer:
    if (row["route"], row["fingerprint"]) != (key.route, key.fingerprint):
        raise KeyReused(
            f"Idempotency-Key {key.key!r} came with another request of the last 24 hours; "
            "send a new key with a new request"
        )
    return Answer(row["status"], row["body"], replayed=True)
