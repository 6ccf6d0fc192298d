"""Which number a call is made from, and which trunk that number is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringback.store.database import Reader
from ringback.store.queries import phone_numbers
from ringback.trunks.number import digits_of


class NoFromNumber(ValueError):
    """There is no number to call from, or it is not ours; the message says which."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a call leaves."""

    from_number: str
    """E.164."""
    trunk_id: str | None = None
    """Of the account's trunk; None: that of the settings."""


class Ways:
    """The numbers of accounts, and those that all of them share."""

    def __init__(self, shared: Sequence[str] = ()) -> None:
        """`shared` are on the trunk of the settings; the first is the default of accounts that have none."""
        self._shared = tuple(shared)

    async def way(self, db: Reader, account_id: str, asked: str | None) -> Way:
        """From the number that was asked for, else the account's oldest on a trunk that is not turned off, else the
        first of the shared ones. Raises NoFromNumber."""
        if asked is None:
            return await self._default(db, account_id)
        own = await phone_numbers.owned(db, account_id, digits_of(asked))
        if own is not None:
            return Way(f"+{own['digits']}", own["trunk_id"])
        if asked not in self._shared:
            raise NoFromNumber(f"from_phone_number: {asked} is not one of your numbers")
        return Way(asked)

    async def pool(self, db: Reader, account_id: str, asked: Sequence[str]) -> tuple[Way, ...]:
        """Of a batch, each as `way`; none asked for: the default. Raises NoFromNumber, also where they are not all on
        one trunk: a batch is dialled within one trunk's limits."""
        ways = tuple([await self.way(db, account_id, number) for number in asked or (None,)])
        if len({way.trunk_id for way in ways}) > 1:
            raise NoFromNumber("from_phone_numbers: all numbers of a batch must be on the same trunk")
        return ways

    async def _default(self, db: Reader, account_id: str) -> Way:
        own = await phone_numbers.first(db, account_id)
        if own is not None:
            return Way(f"+{own['digits']}", own["trunk_id"])
        if not self._shared:
            raise NoFromNumber(
                "from_phone_number: there is no number to call from; add one to a SIP trunk (POST /sip-trunks/trunks)"
                " or set trunk.from_numbers"
            )
        return Way(self._shared[0])
