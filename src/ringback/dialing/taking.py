"""The claim: who is served next, with how many calls, within every limit."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.clock import Clock
from ringback.dialing.claims import Claim
from ringback.dialing.limits import Defaults
from ringback.executions.ledger import Ledger
from ringback.store.database import Database


@dataclass(frozen=True, slots=True)
class Taken:
    claims: tuple[Claim, ...]
    next_look_us: int | None
    """When there may be more without a wake-up; None: not before one."""


class Taking:
    """Claims for one worker, named `owner`."""

    def __init__(
        self,
        db: Database,
        ledger: Ledger,
        clock: Clock,
        owner: str,
        *,
        lease_s: float = 30.0,
        defaults: Defaults | None = None,
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._clock = clock
        self._owner = owner
        self._lease_s = lease_s
        self._defaults = defaults or Defaults()

    async def take(self, room: int) -> Taken:
        """Claim up to `room` attempts: accounts in turn, in each its lanes in turn, in each the oldest."""
        raise NotImplementedError
