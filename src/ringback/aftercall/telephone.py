"""Rating: what the telephone leg costs, from the answer to the hang-up, and those of transfers likewise."""

from __future__ import annotations

from ringback.aftercall.stage import FinishedCall, Outcome
from ringback.billing.prices import Prices
from ringback.billing.rating import telephone_lines, transfer_lines
from ringback.executions.record import Attempt


class TelephoneStage:
    """Implements `Stage`. What providers did was rated when the call was disconnected."""

    name = "rating"
    tries = 5

    def __init__(self, prices: Prices) -> None:
        self._prices = prices

    async def run(self, call: FinishedCall) -> Outcome:
        attempt = call.attempt
        transfers = transfer_lines(attempt.transfers)
        lines = telephone_lines(leg_ms(attempt), call.execution.provider, attempt.answered_at or 0) + transfers
        if not lines:
            return Outcome()
        book = await self._prices.book(call.execution.account_id)
        note = f"telephone, {leg_ms(attempt) / 1000:.1f} s"
        if transfers:
            note += f", transfer, {sum(line.quantity for line in transfers) / 1000:.1f} s"
        return Outcome(usage=[book.rated(line) for line in lines], note=note)


def leg_ms(attempt: Attempt) -> int:
    """Length of the telephone leg."""
    if attempt.answered_at is None or attempt.ended_at is None:
        return 0
    return max(0, attempt.ended_at - attempt.answered_at) // 1000
