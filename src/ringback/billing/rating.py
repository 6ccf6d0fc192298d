"""Rating: usage times price. Amounts are whole 1e-4 cents (contract 4.2: costs to four decimals of a cent)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from ringback.billing.prices import PriceBook
from ringback.executions.record import CENT, UsageKind, UsageLine

_MINUTE_MS: Final = 60_000


def telephone_lines(duration_ms: int, provider: str, prices: PriceBook) -> list[UsageLine]:
    """What the telephone leg costs, by its length from answer to hang-up: the carrier's minutes and ours.

    Both are charged for each started minute; a call that was not answered costs nothing.
    """
    minutes = -(-duration_ms // _MINUTE_MS)
    charges = (
        (UsageKind.NETWORK, provider, prices.network_per_minute),
        (UsageKind.PLATFORM, "ringback", prices.platform_per_minute),
    )
    return [
        UsageLine(kind, name, "", "ms", duration_ms, amount(minutes * price), detail=f"{minutes} started min")
        for kind, name, price in charges
    ]


def rated(lines: Iterable[UsageLine], prices: PriceBook) -> list[UsageLine]:
    """Metered usage with its amounts; a provider without a price costs nothing.

    Transcribers are metered in milliseconds and charged by the started second, the rest by the unit.
    """
    return [replace(line, amount=amount(_units(line) * _price(line, prices))) for line in lines]


def amount(cents: Decimal) -> int:
    """Cents to whole 1e-4 cents, half up."""
    return int((cents * CENT).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _units(line: UsageLine) -> int:
    return -(-line.quantity // 1000) if line.unit == "ms" else line.quantity


def _price(line: UsageLine, prices: PriceBook) -> Decimal:
    return prices.units.get((line.kind, line.provider), Decimal(0))
