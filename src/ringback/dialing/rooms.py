"""How many more calls each trunk carries: that of the settings, which all accounts share, and the account's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from ringback.dialing.limits import UNLIMITED, Bound
from ringback.store.database import Row, Transaction
from ringback.store.queries import trunk_gates


class Rooms:
    """Of one account's turn. Trunks without limits have room for all."""

    def __init__(self, bounds: dict[str, Bound], now_us: int, shared: str, *, own: bool) -> None:
        """`shared`: the trunk of the settings; `own`: the account has others."""
        self.bounds = bounds
        self._left = {name: min(bound.free, bound.in_time(now_us)) for name, bound in bounds.items()}
        self.shared_is_full = self._left.get(shared, UNLIMITED) <= 0
        self.most = UNLIMITED if own else self._left.get(shared, UNLIMITED)
        """That can be dialled at all, as far as trunks go."""

    @classmethod
    async def of(cls, tx: Transaction, account_id: str, shared: str, now_us: int) -> Self:
        """Locks the gates of those that have limits, in the order of their names. After the account's gate."""
        names = await trunk_gates.names(tx, account_id, shared)
        bounds = {}
        for name in sorted(names):
            gate = await trunk_gates.lock(tx, name)
            if gate is not None:
                calls, claimed = await trunk_gates.slots(tx, name)
                bounds[name] = Bound(gate["max_calls"], calls, gate["interval_us"], gate["tat_us"], claimed)
        return cls(bounds, now_us, shared, own=bool(set(names) - {shared}))

    @property
    def full(self) -> tuple[str, ...]:
        return tuple(name for name, left in self._left.items() if left <= 0)

    def is_limited(self, trunk: str) -> bool:
        """Its calls take slots that somebody else may wait for."""
        return trunk in self.bounds and self.bounds[trunk].max_calls is not None

    def fitting(self, rows: Sequence[Row]) -> list[Row]:
        """Those of the attempts that their trunks have room for, the first ones first."""
        taken: Counter[str] = Counter()
        fit = []
        for row in rows:
            trunk = row["trunk"]
            if taken[trunk] < self._left.get(trunk, UNLIMITED):
                taken[trunk] += 1
                fit.append(row)
        return fit

    def take(self, names: Iterable[str]) -> None:
        """These trunks carry one call more each."""
        for name in names:
            if name in self._left:
                self._left[name] -= 1
