"""Random histories of prices, calls, retries and transfers on both databases: every cent is where it belongs.

What must be paid is reckoned beside the product, from what was loaded and used, with fractions.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from ringback.aftercall.audit import audit_all
from ringback.aftercall.invoices import invoice_of
from ringback.billing.price import EVERY_ACCOUNT, Price
from ringback.billing.price_list import default
from ringback.billing.prices import NOTICE_US, Prices
from ringback.billing.rating import telephone_lines
from ringback.executions.lifecycle import TERMINAL, Status
from ringback.executions.record import AttemptState, Execution, UsageKind, UsageLine
from ringback.store.database import Database
from ringback.store.queries import executions
from tests.support.billed import RETRIED, rated
from tests.support.ledgers import Books, open_books

METERED: list[tuple[UsageKind, str]] = [
    (UsageKind.TRANSCRIBER, "ms"),
    (UsageKind.SYNTHESIZER, "characters"),
    (UsageKind.LLM, "input_tokens"),
    (UsageKind.LLM, "output_tokens"),
]
PURPOSES = ["conversation", "routing", "hangup", "extraction", "dispositions", "summarization"]


@dataclass
class History:
    books: Books
    chance: random.Random
    loads: list[tuple[int, str, list[Price]]] = field(default_factory=list)
    """From when on, of whom, what."""
    due: Counter[tuple[str, UsageKind]] = field(default_factory=Counter)
    """1e-4 cents by execution and leg."""
    due_by: Counter[tuple[str, UsageKind, str]] = field(default_factory=Counter)
    """The same by purpose."""

    async def load(self) -> None:
        chance, books = self.chance, self.books
        keys = [*METERED, (UsageKind.NETWORK, "ms"), (UsageKind.PLATFORM, "ms")]
        listed = [
            Price(
                kind,
                unit,  # type: ignore[arg-type]
                Decimal(chance.randrange(10**6)).scaleb(-chance.randrange(9)),
                per=chance.choice([1, 3, 1000, 60_000]),
                step=chance.choice([1, 7, 1000, 60_000]),
                provider=chance.choice(["*", "a"]),
                model=chance.choice(["*", "m"]),
            )
            for kind, unit in keys
            for _ in range(chance.randrange(3))
        ]
        listed = list({price.key: price for price in listed}.values())
        account = chance.choice([EVERY_ACCOUNT, EVERY_ACCOUNT, books.account_id])
        at = books.clock.us + NOTICE_US + chance.randrange(1_000_000, 90_000_000)
        await Prices(books.db).load(account, listed, books.clock, at)
        # A list takes the place of those of the same account that were to come.
        self.loads = [load for load in self.loads if load[1] != account or load[0] < at]
        self.loads.append((at, account, listed))

    def owed(self, line: UsageLine) -> int:
        for account in (self.books.account_id, EVERY_ACCOUNT):
            lists = [
                listed
                for at, of, listed in sorted(self.loads, key=lambda load: load[0])
                if of == account and at <= line.at_us
            ]
            current = lists[-1] if lists else (list(default()) if account == EVERY_ACCOUNT else [])
            for provider, model in (
                (line.provider, line.model),
                (line.provider, "*"),
                ("*", line.model),
                ("*", "*"),
            ):
                for price in current:
                    if price.key == (line.kind, line.unit, provider, model):
                        units = math.ceil(line.quantity / price.step) * price.step
                        exact = Fraction(units) * Fraction(price.price) * 10_000 / price.per
                        return math.floor(exact + Fraction(1, 2))
        return 0

    async def bill(self, call: Execution, lines: list[UsageLine]) -> list[UsageLine]:
        for line in lines:
            amount = self.owed(line)
            self.due[call.id, line.kind] += amount
            self.due_by[call.id, line.kind, line.purpose] += amount
        return await rated(self.books, lines)

    async def call(self) -> Execution:
        """Dialled once or twice, answered or not, transferred or not, with a list that begins at any moment."""
        call = await self.books.create(retry_config=RETRIED)
        if self.chance.random() < 0.4:
            await self.move(call, Status.INITIATED, attempt={"state": AttemptState.DIALLING})
            await self.move(call, Status.FAILED)
            await self.move(call, Status.QUEUED)
        await self.move(call, Status.INITIATED, attempt={"state": AttemptState.DIALLING})
        if self.chance.random() < 0.2:
            await self.move(call, Status.NO_ANSWER)
            return call
        clock = self.books.clock
        answered = clock.now_us()
        live = {"state": AttemptState.LIVE, "answered_at": answered}
        await self.move(call, Status.IN_PROGRESS, attempt=live)
        if self.chance.random() < 0.3:
            await self.load()
        clock.us += self.chance.randrange(1_000, 200_000_000)
        ended = clock.now_us()
        used = self.used(answered, ended)
        await self.move(
            call, Status.CALL_DISCONNECTED, attempt={"ended_at": ended}, usage=await self.bill(call, used)
        )
        lines = telephone_lines((ended - answered) // 1000, call.provider, answered)
        if self.chance.random() < 0.3:
            lines.append(
                UsageLine(
                    UsageKind.NETWORK,
                    "a",
                    "",
                    "ms",
                    self.chance.randrange(10**5),
                    at_us=ended,
                    purpose="transfer",
                )
            )
        after = [
            UsageLine(
                UsageKind.LLM, "a", "m", "input_tokens", 900, at_us=clock.now_us(), purpose="extraction"
            )
        ]
        to = self.chance.choice([Status.COMPLETED, Status.COMPLETED, Status.ERROR])
        await self.move(call, to, usage=await self.bill(call, lines + after))
        return call

    def used(self, answered: int, ended: int) -> list[UsageLine]:
        lines = []
        for _ in range(self.chance.randrange(8)):
            kind, unit = self.chance.choice(METERED)
            lines.append(
                UsageLine(
                    kind,
                    self.chance.choice("ab"),
                    self.chance.choice("mn"),
                    unit,  # type: ignore[arg-type]
                    self.chance.randrange(10 ** self.chance.randrange(1, 6)),
                    turn=self.chance.choice([None, 0, 1, 2]),
                    at_us=self.chance.randrange(answered, ended),
                    purpose=self.chance.choice(PURPOSES),  # type: ignore[arg-type]
                )
            )
        return lines

    async def move(self, call: Execution, to: Status, **parts: Any) -> None:
        await self.books.ledger.transition(call.account_id, call.id, to, **parts)


@pytest.mark.parametrize("seed", range(6))
async def test_every_history_adds_up(database: Database, seed: int) -> None:
    history = History(await open_books(database), random.Random(seed))
    calls = []
    for _ in range(12):
        if history.chance.random() < 0.5:
            await history.load()
        calls.append(await history.call())
        history.books.clock.us += history.chance.randrange(120_000_000)
    for call in calls:
        row = await executions.body(database, call.account_id, call.id)
        assert row is not None
        assert row["status"] in TERMINAL
        record = json.loads(row["body"], parse_float=Decimal)
        costs = record["cost_breakdown"]
        for kind in UsageKind:
            assert Decimal(costs[kind]) * 10_000 == history.due[call.id, kind]
        assert Decimal(record["total_cost"]) * 10_000 == sum(history.due[call.id, kind] for kind in UsageKind)
        transfer = history.due_by[call.id, UsageKind.NETWORK, "transfer"]
        assert Decimal(costs["transfer_cost"]) * 10_000 == transfer
        extraction = history.due_by[call.id, UsageKind.LLM, "extraction"]
        assert Decimal(costs["llm_breakdown"]["extraction"]) * 10_000 == extraction
        invoice = await invoice_of(database, call.id)
        assert invoice is not None
        assert invoice.problems == []
    assert sum(history.due.values()) > 0
    assert [checked.check.name for checked in await audit_all(database, 5) if checked.wrong] == []
