"""Rating: what the telephone leg costs, from the answer to the hang-up, and what the providers of a lost worker did."""

from __future__ import annotations

from ringback.aftercall.stage import FinishedCall, Outcome
from ringback.billing.prices import Prices
from ringback.billing.rating import telephone_lines
from ringback.executions.record import AttemptChanges


class TelephoneStage:
    """Implements `Stage`. What providers did is billed by who hangs up."""

    name = "rating"
    tries = 5

    def __init__(self, prices: Prices) -> None:
        self._prices = prices

    async def run(self, call: FinishedCall) -> Outcome:
        lines = telephone_lines(call.attempt.leg_ms, call.execution.provider, call.attempt.answered_at or 0)
        metered = call.attempt.metered
        if not (lines or metered):
            return Outcome()
        book = await self._prices.book(call.execution.account_id)
        note = f"telephone, {call.attempt.leg_ms / 1000:.1f} s"
        return Outcome(
            usage=[book.rated(line) for line in (*metered, *lines)],
            attempt_changes=AttemptChanges(metered=()) if metered else AttemptChanges(),
            note=f"{note}; {len(metered)} lines of the lost worker's providers" if metered else note,
        )
