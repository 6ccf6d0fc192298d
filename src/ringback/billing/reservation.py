"""Reservations: before a dial the wallet keeps aside what the call may cost at its longest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from ringback.billing.book import PriceBook
from ringback.billing.prices import Prices
from ringback.clock import Clock
from ringback.executions.record import CENT, UsageKind, UsageLine
from ringback.executions.settlement import Book, Call, Entry, EntryKind, write
from ringback.store.database import Database, Transaction
from ringback.store.queries import agents, wallets

_DEFAULT_S: Final = 90.0
"""`call_terminate` where the definition has none."""


class BalanceLow(Exception):
    """The wallet does not have what a call may cost; the message says so."""


class PayerGone(Exception):
    """The sub-account was deleted: it dials nobody."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """What is to be kept aside."""

    payer: str
    amount: int
    """1e-4 cents, at least one."""


class Reservations:
    def __init__(self, db: Database, clock: Clock, extra: int = 0) -> None:
        """`extra`: 1e-4 cents beside the telephone and the transcriber: what language models and voices may cost."""
        self._db = db
        self._clock = clock
        self._prices = Prices(db)
        self._extra = extra

    async def wanted(self, account_id: str, agent_id: str, provider: str) -> Reserve | None:
        """For one call of the agent; None: whoever pays is unlimited. One query then, outside of any transaction.

        Raises PayerGone.
        """
        found = await wallets.payer(self._db, account_id)
        if found is not None and found["deleted_at"] is not None:
            raise PayerGone("The sub-account was deleted")
        if found is None or found["unlimited"] or found["unlimited"] is None:
            return None
        agent = await agents.get(self._db, account_id, agent_id)
        definition = json.loads(agent["definition"]) if agent else {}
        book = await self._prices.book(account_id)
        cost = longest(book, definition, provider, self._clock.now_us())
        # An empty wallet dials nobody, whatever the prices are.
        return Reserve(found["payer"], max(1, cost + self._extra))

    async def make(self, tx: Transaction, reserve: Reserve, of: Call) -> None:
        """In the transaction that commits the dial, as its last statements. Raises BalanceLow."""
        if not await wallets.reserve(tx, reserve.payer, reserve.amount):
            needed = f"{reserve.amount / CENT:.4f}".rstrip("0").rstrip(".")
            raise BalanceLow(f"The wallet has less than the {needed} cents that this call may cost")
        entry = Entry(EntryKind.RESERVE, Book.WALLET, Book.RESERVED, reserve.amount)
        await write(tx, reserve.payer, [entry], self._clock.now_us(), of)


def longest(book: PriceBook, definition: dict[str, Any], provider: str, now_us: int) -> int:
    """What the telephone and the transcriber of a call cost that goes on until `call_terminate`, in 1e-4 cents."""
    task: dict[str, Any] = next(
        (task for task in definition.get("tasks", ()) if task.get("task_type") == "conversation"), {}
    )
    seconds = (task.get("task_config") or {}).get("call_terminate") or _DEFAULT_S
    ear = (task.get("tools_config") or {}).get("transcriber") or {}
    ms = round(seconds * 1000)
    lines = [
        UsageLine(UsageKind.NETWORK, provider, "", "ms", ms, at_us=now_us),
        UsageLine(UsageKind.PLATFORM, "ringback", "", "ms", ms, at_us=now_us),
        UsageLine(
            UsageKind.TRANSCRIBER, ear.get("provider") or "", ear.get("model") or "", "ms", ms, at_us=now_us
        ),
    ]
    return sum(book.rated(line).amount for line in lines)
