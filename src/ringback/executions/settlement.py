"""The books: what moves between their accounts, and what the end of an attempt enters.

Every entry takes an amount from one account of the books to another, so they always balance. A wallet is the sum of its
entries. Locks: a wallet comes after everything else.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ringback.executions.record import Attempt
from ringback.store.database import Transaction
from ringback.store.queries import wallet_entries, wallets

Call = tuple[str, str, int] | tuple[None, None, None]
"""Whose call (account_id), which (execution_id), and which attempt of it."""
NO_CALL: Final[Call] = None, None, None


class Book(StrEnum):
    """An account of the books."""

    CASH = "cash"
    """What the operator was paid."""
    WALLET = "wallet"
    """What the account can spend."""
    RESERVED = "reserved"
    """What is kept aside for calls under way."""
    REVENUE = "revenue"
    """What was charged for calls."""
    WRITTEN_OFF = "written-off"
    """What nobody pays."""


class EntryKind(StrEnum):
    TOP_UP = "top-up"
    RESERVE = "reserve"
    RELEASE = "release"
    CHARGE = "charge"
    WRITE_OFF = "write-off"
    ADJUST = "adjust"


@dataclass(frozen=True, slots=True)
class Entry:
    """An amount, in 1e-4 cents, that goes from the debited account to the credited one."""

    kind: EntryKind
    debit: Book
    credit: Book
    amount: int
    note: str = ""

    def added_to(self, book: Book) -> int:
        """How much more that has of it."""
        return self.amount * ((self.credit is book) - (self.debit is book))


def settlement(balance: int, reserved: int, charge: int, *, unlimited: bool) -> list[Entry]:
    """The entries of an attempt that ends: its reservation is released and its charge taken, as far as the wallet goes.

    `balance` is what the wallet has beside the reservation.
    """
    taken = charge if unlimited else min(charge, balance + reserved)
    entries = [
        Entry(EntryKind.RELEASE, Book.RESERVED, Book.WALLET, reserved),
        Entry(EntryKind.CHARGE, Book.WALLET, Book.REVENUE, taken),
        Entry(EntryKind.WRITE_OFF, Book.WRITTEN_OFF, Book.REVENUE, charge - taken),
    ]
    return [entry for entry in entries if entry.amount]


async def settle(tx: Transaction, attempt: Attempt, cost: int, now_us: int) -> None:
    """Settle an attempt that was dialled, in the transaction that ends it, after everything else.

    `cost` is that of all attempts of its execution: where nothing was reserved and nothing is to be paid, no statement
    is run, and only one where the payer is unlimited.
    """
    where = attempt.account_id, attempt.execution_id, attempt.number
    if not attempt.reserved:
        if not cost:
            return
        if await wallet_entries.charge_unlimited(tx, *where, entry_id=entry_id(now_us), now_us=now_us):
            return
    charge = await wallet_entries.to_charge(tx, *where) if cost else 0
    if not (attempt.reserved or charge):
        return
    wallet = await wallets.lock_payers(tx, attempt.account_id)
    if wallet is None:
        return  # an account made by hand: its calls must end all the same, and the audit says what was not charged
    entries = settlement(wallet["balance"], attempt.reserved, charge, unlimited=bool(wallet["unlimited"]))
    await enter(tx, wallet["account_id"], entries, now_us, where)


async def enter(
    tx: Transaction, payer: str, entries: Sequence[Entry], now_us: int, of: Call = NO_CALL
) -> None:
    """Enter in a wallet that is locked, and change it. The database refuses what would leave it below zero, unless it
    is unlimited, and what was entered for the attempt before (StoreError)."""
    await write(tx, payer, entries, now_us, of)
    await wallets.change(
        tx,
        payer,
        balance=sum(entry.added_to(Book.WALLET) for entry in entries),
        reserved=sum(entry.added_to(Book.RESERVED) for entry in entries),
    )


async def write(
    tx: Transaction, payer: str, entries: Sequence[Entry], now_us: int, of: Call = NO_CALL
) -> None:
    """As `enter`, where the wallet was changed already."""
    spender, execution_id, attempt = of
    await wallet_entries.insert(
        tx,
        [
            {
                "account_id": payer,
                "id": entry_id(now_us, place),
                "at_us": now_us,
                "kind": entry.kind,
                "debit": entry.debit,
                "credit": entry.credit,
                "amount": entry.amount,
                "spender": spender,
                "execution_id": execution_id,
                "attempt": attempt,
                "note": entry.note,
            }
            for place, entry in enumerate(entries)
        ],
    )


def entry_id(now_us: int, place: int = 0) -> str:
    """Rises with the time, and with the place among entries of one moment."""
    return f"{now_us:016x}{place:02x}{uuid.uuid4().hex[:14]}"
