"""Rating: usage times price. Amounts are whole 1e-4 cents (contract 4.2: costs to four decimals of a cent)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ringback.executions.record import CENT, UsageKind, UsageLine
from ringback.executions.transfer import Transfer


def charged(quantity: int, step: int) -> int:
    """The units that are charged: a started step counts as a whole one."""
    return -(-quantity // step) * step


def amount(quantity: int, price: Decimal, per: int, step: int) -> int:
    """What a quantity costs at `price` cents for `per` units, in whole 1e-4 cents, half up.

    Exact: a decimal is a ratio of whole numbers, so nothing is rounded before the end.
    """
    numerator, denominator = price.as_integer_ratio()
    cost, unit = charged(quantity, step) * numerator * CENT, per * denominator
    return (2 * cost + unit) // (2 * unit)


def amount_of(line: UsageLine) -> int:
    """What the line must amount to by its own price; one without a price costs nothing."""
    return 0 if line.price is None else amount(line.quantity, line.price, line.per, line.step)


def transfer_lines(transfers: Sequence[Transfer]) -> list[UsageLine]:
    """The legs that we dialled for transfers, from answer to end, not rated yet: the carrier's time, at the prices of
    the moment of the answer. Our own time is that of the call, which goes on meanwhile."""
    return [
        UsageLine(
            UsageKind.NETWORK,
            transfer.provider,
            "",
            "ms",
            transfer.leg_ms,
            at_us=transfer.answered_at or 0,
            purpose="transfer",
        )
        for transfer in transfers
        if transfer.leg_ms
    ]


def telephone_lines(duration_ms: int, provider: str, answered_us: int) -> list[UsageLine]:
    """The telephone leg from its answer to its hang-up, not rated yet: the carrier's time and ours.

    The prices of the moment of the answer hold for the whole of it, however long it lasts. A call that was not
    answered has none.
    """
    if duration_ms <= 0:
        return []
    return [
        UsageLine(kind, name, "", "ms", duration_ms, at_us=answered_us)
        for kind, name in ((UsageKind.NETWORK, provider), (UsageKind.PLATFORM, "ringback"))
    ]
