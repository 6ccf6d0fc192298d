"""The claim: who is served next, with how many calls, within every limit."""

from __future__ import annotations

import logging
import math
from collections import Counter
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from ringback.clock import Clock
from ringback.dialing.breaker import Breaker
from ringback.dialing.claims import LEASE_S, Claim
from ringback.dialing.judging import Judging
from ringback.dialing.limits import HORIZON_US, Defaults
from ringback.dialing.turn import Rules, Turn
from ringback.executions.ledger import Ledger
from ringback.store.database import Database, StoreError
from ringback.store.queries import gates, queue, trunks

logger = logging.getLogger(__name__)

_ACCOUNTS: Final = 8
"""Looked at in one go; the next ones follow."""
_BARREN: Final = 16
"""Turns of an account that bring no call, in one claim."""
_MOST_WITHOUT: Final = 32
"""Accounts that are looked at in one claim while the shared trunk is full; the others' turn comes `_AGAIN_US` later."""
_AGAIN_US: Final = 200_000
_MOST_PUT_OFF: Final = 500
"""In one claim; then the worker comes up for air."""


@dataclass(frozen=True, slots=True)
class Taken:
    claims: tuple[Claim, ...]
    next_look_us: int | None
    """When there may be more without a wake-up; None: not before one. With claims: at once, if there is room."""


class Taking:
    """Claims for one worker, named `owner`."""

    def __init__(
        self,
        db: Database,
        ledger: Ledger,
        clock: Clock,
        owner: str,
        *,
        lease_s: float = LEASE_S,
        defaults: Defaults | None = None,
        trunk: str = "sip-trunk",
        unknown: ZoneInfo | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        """`unknown` is the time zone of numbers that have none (UTC)."""
        self._db = db
        self._clock = clock
        self._defaults = defaults or Defaults()
        self._rules = Rules(owner, round(lease_s * 1_000_000), trunk, self._defaults, breaker or Breaker())
        self._judging = Judging(ledger, unknown or ZoneInfo("UTC"))

    async def take(self, room: int) -> Taken:
        """Claim up to `room` attempts: accounts in turn, in each its lanes in turn, in each the oldest.

        Fewer than there are, as long as there are any: what is claimed is dialled before others are looked for.
        """
        claims: list[Claim] = []
        looks: list[int] = []
        try:
            await self._rounds(room, claims, looks)
            if not claims:
                looks.append(await self._next_look())
        except StoreError as error:
            if not claims:
                raise
            # They are ours already: whoever calls must learn of them.
            logger.error("claimed fewer calls than there is room for: %s", error)
        return Taken(tuple(claims), min((look for look in looks if look), default=None))

    async def repair(self) -> None:
        """Lower every hint that is too late: there should be none, after a bug or on an old database there may."""
        for row in await queue.late_lanes(self._db):
            async with self._db.transaction() as tx:
                first = await queue.first_waiting(tx, row["account_id"], row["lane"])
                if first is not None:
                    await gates.offer(
                        tx,
                        row["account_id"],
                        first["agent_id"],
                        first["batch_id"],
                        seq=first["seq"],
                        due_us=first["due_at"],
                    )

    async def _rounds(self, room: int, claims: list[Claim], looks: list[int]) -> None:
        """Serve accounts until some of their calls are claimed, or nobody can be served."""
        done: set[str] = set()
        barren: Counter[str] = Counter()
        put_off = served = 0
        while not claims:
            accounts = [account for account in await self._due() if account not in done]
            quantum = math.ceil((room - len(claims)) / max(1, len(accounts)))
            for account in accounts:
                wanted = min(quantum, room - len(claims))
                if wanted <= 0:
                    return
                turn = await self._serve(account, wanted)
                claims += turn.claims
                put_off += turn.put_off
                barren[account] += not turn.claims
                if turn.look_us:
                    looks.append(turn.look_us)
                if put_off >= _MOST_PUT_OFF:
                    looks.append(self._clock.now_us())
                    return
                if turn.trunk_is_full and not await self._go_on(served := served + 1, looks):
                    return
                if not turn.more or barren[account] >= _BARREN:
                    done.add(account)
            if not accounts:
                return

    async def _go_on(self, served: int, looks: list[int]) -> bool:
        """Whether others are served though the trunk that all share is full: some may have trunks of their own."""
        if not await trunks.any_of_accounts(self._db):
            return False
        if served >= _MOST_WITHOUT:
            looks.append(self._clock.now_us() + _AGAIN_US)
            return False
        return True

    async def _serve(self, account_id: str, most: int) -> Turn:
        # Not durable: a claim that a crash of the machine takes back is a lease that never was. Who was to dial finds
        # it gone (the intent asks for its owner); and an intent's commit is durable, with all that came before it.
        async with self._db.transaction(durable=False) as tx:
            turn = Turn(tx, account_id, self._rules, self._judging, self._clock.now_us())
            await turn.serve(most)
        return turn

    async def _due(self) -> list[str]:
        return await gates.due_accounts(
            self._db,
            now_us=self._clock.now_us(),
            horizon_us=HORIZON_US,
            default_calls=self._defaults.account_calls,
            default_interval_us=self._defaults.account_interval_us,
            limit=_ACCOUNTS,
        )

    async def _next_look(self) -> int:
        """0: no need."""
        return await gates.next_look(self._db, now_us=self._clock.now_us(), horizon_us=HORIZON_US) or 0
