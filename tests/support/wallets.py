"""A worker's claims on a ledger whose payer has a wallet, and what must be true of wallets at any moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ringback.billing.wallet import Wallet, Wallets
from ringback.dialing.claims import LEASE_S, Claim, Claims
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taking
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, UsageKind, UsageLine
from ringback.store.database import Database, Row
from tests.support.ledgers import Books

RESERVED = 64_000
"""Of a call: telephone and platform for 90 s, which is two started minutes, by the prices of the package."""
OWNER = "one"


@dataclass(frozen=True)
class Till:
    books: Books
    owner: str = OWNER

    @property
    def wallets(self) -> Wallets:
        return Wallets(self.books.db, self.books.clock)

    @property
    def claims(self) -> Claims:
        return Claims(self.books.db, self.books.ledger, self.books.clock, self.owner)

    async def wallet(self) -> Wallet:
        return await self.wallets.get(self.books.account_id)

    async def limited(self, amount: int) -> None:
        """To so many 1e-4 cents."""
        await self.wallets.limit(self.books.account_id)
        if amount:
            await self.wallets.top_up(self.books.account_id, amount)

    async def claimed(self, **changes: Any) -> Claim:
        """A new call."""
        await self.books.create(**changes)
        return (await self.due())[0]

    async def due(self) -> tuple[Claim, ...]:
        taking = Taking(self.books.db, self.books.ledger, self.books.clock, self.owner)
        return (await taking.take(10)).claims

    async def dialled(self, **changes: Any) -> Claim:
        """A new call, up to its intent."""
        claim = await self.claimed(**changes)
        await self.claims.intend(claim, f"call-{claim.execution_id}-{claim.number}")
        return claim

    async def moved(self, claim: Claim, to: Status, *amounts: int) -> None:
        usage = [UsageLine(UsageKind.LLM, "p", "m", "input_tokens", 1, amount) for amount in amounts]
        await self.books.ledger.transition(
            claim.account_id,
            claim.execution_id,
            to,
            attempt={"state": AttemptState.LIVE} if to is Status.IN_PROGRESS else {},
            usage=usage,
            number=claim.number,
            lease_owner=self.owner,
        )

    async def talked(self, claim: Claim, in_call: int, after: int) -> None:
        """To the end of the work after the call."""
        await self.moved(claim, Status.IN_PROGRESS)
        await self.moved(claim, Status.CALL_DISCONNECTED, in_call)
        await self.moved(claim, Status.COMPLETED, after)

    async def lost(self) -> None:
        """All leases run out, and another worker closes what is left."""
        books = self.books
        books.clock.us += round((LEASE_S + 1) * 1_000_000)
        reaper = Reaper(books.db, books.ledger, books.clock, "another")
        await reaper.reap()

    async def entered(self) -> list[tuple[str, int]]:
        """Kind and amount of all entries, oldest first."""
        entries = await self.wallets.latest(self.books.account_id, 1000)
        return [(str(each.entry.kind), each.entry.amount) for each in reversed(entries)]


ROWS: Final = (
    "SELECT * FROM wallets",
    "SELECT * FROM wallet_entries",
    "SELECT account_id, execution_id, attempt, CAST(SUM(amount) AS BIGINT) AS amount FROM usage_lines"
    " GROUP BY account_id, execution_id, attempt",
    "SELECT * FROM attempts",
)
"""What `contradicting` looks at."""


async def contradictions(db: Database) -> list[str]:
    """What is wrong with the wallets, a line each."""
    return contradicting(*[await db.fetch_all(sql) for sql in ROWS])


def contradicting(
    wallets: Sequence[Row], entries: Sequence[Row], costs: Sequence[Row], attempts: Sequence[Row]
) -> list[str]:
    """As `contradictions`; reckoned here, without the product's queries."""
    wrong = []
    sums: dict[str, dict[str, int]] = {}
    charged: dict[tuple[Any, ...], dict[str, int]] = {}
    for entry in entries:
        books = sums.setdefault(entry["account_id"], {})
        books[entry["credit"]] = books.get(entry["credit"], 0) + entry["amount"]
        books[entry["debit"]] = books.get(entry["debit"], 0) - entry["amount"]
        if not entry["counted"]:
            # The wallet's balance lacks it; the balance with it is what the entries give.
            books["late"] = books.get("late", 0) - entry["amount"]
        call = charged.setdefault((entry["spender"], entry["execution_id"], entry["attempt"]), {})
        call[entry["kind"]] = call.get(entry["kind"], 0) + entry["amount"]
    for wallet in wallets:
        books = sums.get(wallet["account_id"], {})
        if wallet["balance"] + books.get("late", 0) != books.get("wallet", 0):
            wrong.append(f"{wallet} has another balance than its entries: {books}")
        if wallet["reserved"] != books.get("reserved", 0):
            wrong.append(f"{wallet} has other reservations than its entries: {books}")
        if not wallet["unlimited"] and wallet["balance"] < 0:
            wrong.append(f"{wallet} is below zero")
    lines = {(row["account_id"], row["execution_id"], row["attempt"]): row["amount"] for row in costs}
    for attempt in attempts:
        key = attempt["account_id"], attempt["execution_id"], attempt["number"]
        wrong += _of_attempt(attempt, charged.get(key, {}), lines.get(key, 0))
    return wrong


def _of_attempt(attempt: Mapping[str, Any], entered: Mapping[str, int], lines: int) -> list[str]:
    over = attempt["status"] is not None
    reserved = entered.get("reserve", 0)
    due = {"release": reserved if over else 0, "paid": lines if over else 0}
    found = {
        "release": entered.get("release", 0),
        "paid": entered.get("charge", 0) + entered.get("write-off", 0),
    }
    where = f"attempt {attempt['number']} of {attempt['execution_id']} ({attempt['status']})"
    wrong = [
        f"{where}: {name} is {found[name]}, must be {due[name]}" for name in due if found[name] != due[name]
    ]
    if attempt["reserved"] != reserved:
        wrong.append(f"{where} reserved {attempt['reserved']}, entered is {reserved}")
    return wrong
