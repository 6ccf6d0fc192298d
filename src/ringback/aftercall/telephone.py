"""Rating: the telephone leg and transfers, from answer to hang-up, and what the providers of a lost worker did."""

from __future__ import annotations

from ringback.aftercall.stage import FinishedCall, Outcome
from ringback.billing.prices import Prices
from ringback.billing.rating import telephone_lines, transfer_lines
from ringback.executions.record import AttemptChanges


class TelephoneStage:
    """Implements `Stage`. What providers did is billed by who hangs up."""

    name = "rating"
    tries = 5

    def __init__(self, prices: Prices) -> None:
        self._prices = prices

    async def run(self, call: FinishedCall) -> Outcome:
        attempt = call.attempt
        transfers, metered = transfer_lines(attempt.transfers), attempt.metered
        telephone = telephone_lines(attempt.leg_ms, call.execution.provider, attempt.answered_at or 0)
        lines = [*metered, *telephone, *transfers]
        if not lines:
            return Outcome()
        book = await self._prices.book(call.execution.account_id)
        note = f"telephone, {attempt.leg_ms / 1000:.1f} s"
        if transfers:
            note += f", transfer, {sum(line.quantity for line in transfers) / 1000:.1f} s"
        if metered:
            note += f", {len(metered)} lines of the lost worker's providers"
        return Outcome(
            usage=[book.rated(line) for line in lines],
            attempt_changes=AttemptChanges(metered=()) if metered else AttemptChanges(),
            note=note,
        )
