"""Closes what lost workers left, and frees the slots of dials whose outcome nobody will tell."""

from __future__ import annotations

from ringback.clock import Clock
from ringback.dialing.claims import Claim
from ringback.executions.ledger import Ledger
from ringback.store.database import Database


class Reaper:
    """Of one worker, named `owner`: live calls of the lost are adopted by it."""

    def __init__(
        self,
        db: Database,
        ledger: Ledger,
        clock: Clock,
        owner: str,
        *,
        lease_s: float = 30.0,
        unknown_s: float = 240.0,
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._clock = clock
        self._owner = owner
        self._lease_s = lease_s
        self._unknown_s = unknown_s

    async def reap(self) -> list[Claim]:
        """Claims go back to the queue, dials of unknown outcome end as `error` and keep their slot.

        Live calls end as `call-disconnected` and are returned: their after-call work is this worker's now. A round is
        left out after a delay in which healthy workers could not renew either.
        """
        raise NotImplementedError
