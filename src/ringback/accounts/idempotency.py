"""Idempotency-Key: the same request sent again gets the same answer, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ringback.store.database import Transaction


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


async def once(
    tx: Transaction, account_id: str, key: IdempotencyKey | None, made: Callable[[], Awaitable[Answer]]
) -> Answer:
    """What `made` answers, or answered the first time; it writes in the same transaction. None: no key was sent.

    The first statement of its transaction: who comes second waits for the first. Raises KeyReused.
    """
    raise NotImplementedError
