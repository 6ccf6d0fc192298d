"""A wallet and a model of it, through any order of dials, ends, losses, top-ups and limits, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ringback.billing.reservation import BalanceLow
from ringback.billing.wallet import count
from ringback.dialing.claims import Claim
from ringback.executions import settlement
from ringback.executions.lifecycle import Status
from ringback.store.database import open_database
from tests.support.ledgers import open_books
from tests.support.wallets import RESERVED, Till, contradictions

T = TypeVar("T")
RETRY = {
    "enabled": True,
    "max_retries": 2,
    "retry_on_statuses": ["busy", "no-answer", "error"],
    "retry_intervals_minutes": [0],
}
COSTS = st.integers(0, 2 * RESERVED)


class _Model:
    """What a wallet must be, by the rules alone."""

    def __init__(self) -> None:
        self.balance = self.reserved = self.written_off = 0
        self.unlimited = True

    def dial(self) -> int | None:
        """What is reserved; None: the call is refused."""
        if self.unlimited:
            return 0
        if self.balance < RESERVED:
            return None
        self.balance -= RESERVED
        self.reserved += RESERVED
        return RESERVED

    def end(self, reserved: int, cost: int) -> None:
        self.reserved -= reserved
        self.balance += reserved - cost
        if not self.unlimited and self.balance < 0:
            self.written_off -= self.balance
            self.balance = 0

    def limit(self) -> None:
        if self.unlimited:
            self.balance = max(0, self.balance)
        self.unlimited = False


class _Machine(RuleBasedStateMachine):
    runner: ClassVar[asyncio.Runner]
    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.db = self._run(open_database(self.url))
        self._run(self._empty())
        self.till = Till(self._run(open_books(self.db)))
        self.model = _Model()
        self.calls: list[tuple[Claim, int]] = []
        """Dialled and not over, with what is reserved for each."""

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _empty(self) -> None:
        async with self.db.transaction() as tx:
            await tx.execute("DELETE FROM accounts")

    def teardown(self) -> None:
        self._run(self.db.close())

    def _intend(self, claim: Claim) -> None:
        reserved = self.model.dial()
        try:
            self._run(self.till.claims.intend(claim, f"call-{claim.execution_id}-{claim.number}"))
        except BalanceLow:
            assert reserved is None
            self._run(self.till.moved(claim, Status.BALANCE_LOW))
        else:
            assert reserved is not None
            self.calls.append((claim, reserved))

    def _retry(self) -> None:
        for claim in self._run(self.till.due()):
            self._intend(claim)

    @initialize(money=st.none() | st.integers(0, 3 * RESERVED))
    def begin(self, money: int | None) -> None:
        if money is not None:
            self.limit()
        if money:
            self.top_up(money)

    @rule(retried=st.booleans())
    @precondition(lambda self: len(self.calls) < 5)
    def dial(self, retried: bool) -> None:
        self._intend(self._run(self.till.claimed(retry_config=RETRY if retried else None)))

    @rule(data=st.data(), status=st.sampled_from([Status.BUSY, Status.NO_ANSWER, Status.CANCELED]))
    @precondition(lambda self: self.calls)
    def nobody_answers(self, data: st.DataObject, status: Status) -> None:
        claim, reserved = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        self._run(self.till.moved(claim, status))
        self.model.end(reserved, 0)
        self._retry()

    @rule(data=st.data(), in_call=COSTS, after=COSTS)
    @precondition(lambda self: self.calls)
    def somebody_talks(self, data: st.DataObject, in_call: int, after: int) -> None:
        claim, reserved = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        self._run(self.till.talked(claim, in_call, after))
        self.model.end(reserved, in_call + after)

    @rule()
    @precondition(lambda self: self.calls)
    def the_worker_is_lost(self) -> None:
        self._run(self.till.lost())
        for _, reserved in self.calls:
            self.model.end(reserved, 0)
        self.calls.clear()
        self._retry()

    @rule(amount=st.integers(1, 4 * RESERVED))
    def top_up(self, amount: int) -> None:
        self._run(self.till.wallets.top_up(self.till.books.account_id, amount))
        self.model.balance += amount

    @rule()
    def limit(self) -> None:
        self._run(self.till.wallets.limit(self.till.books.account_id))
        self.model.limit()

    @rule()
    def unlimit(self) -> None:
        self._run(self.till.wallets.unlimit(self.till.books.account_id))
        self.model.unlimited = True

    @rule()
    def count(self) -> None:
        self._run(count(self.db))

    @invariant()
    def the_wallet_is_as_the_model_says(self) -> None:
        wallet, model = self._run(self.till.wallet()), self.model
        assert (wallet.balance, wallet.reserved) == (model.balance, model.reserved)
        assert wallet.unlimited is model.unlimited
        assert wallet.unlimited or wallet.balance >= 0
        entered = self._run(self.till.entered())
        assert sum(amount for kind, amount in entered if kind == "write-off") == model.written_off
        assert self._run(contradictions(self.db)) == []


def _play(url: str, *phases: Phase) -> None:
    with asyncio.Runner() as runner:
        machine = type("Machine", (_Machine,), {"runner": runner, "url": url})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=40,
                stateful_step_count=25,
                deadline=None,
                phases=phases,
                report_multiple_bugs=False,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_the_wallet_is_as_its_model_says(database_url: str) -> None:
    _play(database_url, Phase.generate, Phase.shrink)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_model_notices_a_charge_that_is_not_taken(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can fail."""
    true = settlement.settlement

    def forgets(balance: int, reserved: int, charge: int, *, unlimited: bool) -> Any:
        return true(balance, reserved, min(charge, reserved), unlimited=unlimited)

    monkeypatch.setattr(settlement, "settlement", forgets)
    with pytest.raises(AssertionError):
        _play(database_url, Phase.generate)
