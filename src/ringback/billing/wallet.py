"""Wallets: prepaid accounts are topped up before they dial, unlimited ones are only metered."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from ringback.clock import Clock
from ringback.executions.record import CENT
from ringback.executions.settlement import Book, Entry, EntryKind, enter
from ringback.store.database import Database, Row, Transaction
from ringback.store.queries import accounts, wallet_entries, wallets

MOST_CENTS: Final = 10**12
"""Of one top-up: more is a slip of the finger."""
_COUNTED_AT_ONCE: Final = 2_000


class WalletError(ValueError):
    """It cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Wallet:
    """Amounts in 1e-4 cents."""

    account_id: str
    balance: int
    """What can be spent; below zero only where it is unlimited."""
    reserved: int
    """Kept aside for calls under way, not in the balance."""
    unlimited: bool


@dataclass(frozen=True, slots=True)
class Entered:
    """An entry as it stands in the books."""

    at_us: int
    entry: Entry
    spender: str | None
    execution_id: str | None
    attempt: int | None


class Wallets:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def get(self, account_id: str) -> Wallet:
        """As of this moment. Raises WalletError: no such account, or a sub-account, whose parent pays."""
        row = await wallets.shown(self._db, account_id)
        if row is None:
            raise WalletError(await self._why_not(account_id))
        return _wallet(row)

    async def every(self) -> list[Wallet]:
        """Of all accounts."""
        return [_wallet(row) for row in await wallets.every(self._db)]

    async def latest(self, account_id: str, limit: int) -> list[Entered]:
        """The last entries, newest first."""
        rows = await wallet_entries.latest(self._db, account_id, limit=limit)
        return [_entered(row) for row in rows]

    async def top_up(self, account_id: str, amount: int, note: str = "") -> Wallet:
        """Add 1e-4 cents that were paid. Calls that were refused are not dialled by it. Raises WalletError."""
        entry = Entry(EntryKind.TOP_UP, Book.CASH, Book.WALLET, amount, note)
        async with self._db.transaction() as tx:
            if await wallets.lock(tx, account_id) is None:
                raise WalletError(await self._why_not(account_id))
            await enter(tx, account_id, [entry], self._clock.now_us())
        return await self.get(account_id)

    async def limit(self, account_id: str) -> Wallet:
        """From the next dial on an account spends no more than it has. What it owes is struck off, since nobody had
        asked for it. Raises WalletError."""
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            row = await wallets.lock_whole(tx, account_id)
            if row is None:
                raise WalletError(await self._why_not(account_id))
            while await _count(tx, account_id):
                pass
            row = await wallets.lock(tx, account_id)
            assert row is not None
            if row["balance"] < 0:
                note = "metered before it was limited"
                struck = Entry(EntryKind.ADJUST, Book.WRITTEN_OFF, Book.WALLET, -row["balance"], note)
                await enter(tx, account_id, [struck], now)
            await wallets.set_unlimited(tx, account_id, False)
        return await self.get(account_id)

    async def unlimit(self, account_id: str) -> Wallet:
        """From the next dial on nothing is reserved; calls are charged all the same. Raises WalletError."""
        async with self._db.transaction() as tx:
            if await wallets.lock_whole(tx, account_id) is None:
                raise WalletError(await self._why_not(account_id))
            await wallets.set_unlimited(tx, account_id, True)
        return await self.get(account_id)

    async def _why_not(self, account_id: str) -> str:
        account = await accounts.get(self._db, account_id)
        if account is None:
            return f"there is no account {account_id}"
        return f"account {account_id} is a sub-account: {account['parent_id']} pays for its calls"


async def count(db: Database) -> int:
    """Count in their wallets' balances what unlimited accounts were charged, for all accounts; how many entries."""
    counted = 0
    for account_id in await wallet_entries.uncounted_accounts(db):
        while True:
            async with db.transaction() as tx:
                await wallets.lock(tx, account_id)
                some = await _count(tx, account_id)
            counted += some
            if some < _COUNTED_AT_ONCE:
                break
    return counted


async def _count(tx: Transaction, account_id: str) -> int:
    amounts = await wallet_entries.take_uncounted(tx, account_id, limit=_COUNTED_AT_ONCE)
    if amounts:
        await wallets.change(tx, account_id, balance=-sum(amounts), reserved=0)
    return len(amounts)


def read_cents(text: str) -> int:
    """Cents as a person writes them, in 1e-4 cents. Raises WalletError."""
    try:
        amount = Decimal(text) * CENT
    except InvalidOperation:
        raise WalletError(f"{text!r} is not a number of cents") from None
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise WalletError(f"{text!r} is not a number of cents with at most four decimals")
    if not 0 < amount <= MOST_CENTS * CENT:
        raise WalletError(f"{text} cents: a top-up is more than nothing and at most {MOST_CENTS} cents")
    return int(amount)


def _wallet(row: Row) -> Wallet:
    return Wallet(row["account_id"], row["balance"], row["reserved"], bool(row["unlimited"]))


def _entered(row: Row) -> Entered:
    entry = Entry(EntryKind(row["kind"]), Book(row["debit"]), Book(row["credit"]), row["amount"], row["note"])
    return Entered(row["at_us"], entry, row["spender"], row["execution_id"], row["attempt"])
