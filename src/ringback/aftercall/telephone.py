"""Rating: what the telephone leg costs, from the answer to the hang-up."""

from __future__ import annotations

from ringback.aftercall.stage import FinishedCall, Outcome
from ringback.billing.prices import Prices
from ringback.billing.rating import telephone_lines
from ringback.executions.record import Attempt


class TelephoneStage:
    """Implements `Stage`. What providers did was rated when the call was disconnected."""

    name = "rating"
    tries = 5

    def __init__(self, prices: Prices) -> None:
        self._prices = prices

    async def run(self, call: FinishedCall) -> Outcome:
        lines = telephone_lines(leg_ms(call.attempt), call.execution.provider, call.attempt.answered_at or 0)
        if not lines:
            return Outcome()
        book = await self._prices.book(call.execution.account_id)
        return Outcome(
            usage=[book.rated(line) for line in lines],
            note=f"telephone, {leg_ms(call.attempt) / 1000:.1f} s",
        )


def leg_ms(attempt: Attempt) -> int:
    """Length of the telephone leg."""
    if attempt.answered_at is None or attempt.ended_at is None:
        return 0
    return max(0, attempt.ended_at - attempt.answered_at) // 1000
